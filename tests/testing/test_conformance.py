"""Every source of the package keeps what the suite asks of a source."""

from __future__ import annotations

import contextlib
import itertools
import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from reactive_config import Env, Memory, Rejected
from reactive_config._core.input_trees import leaves
from reactive_config._core.source import Source
from reactive_config._sources.etcd import Etcd
from reactive_config._sources.files import Files
from reactive_config.testing import ConformanceSuite, EtcdServer, Scripted, SourceHarness

_NUMBERS = itertools.count(1)


class InProcess(SourceHarness):
    """The outside is a tree; every source over it is told of changes."""

    def __init__(self) -> None:
        self.tree: Mapping[str, Any] = {}
        self.made: list[Any] = []

    def source(self) -> Source:
        source = self.new()
        self.made.append(source)
        return source

    @abstractmethod
    def new(self) -> Source: ...

    async def write(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        for source in self.made:
            with contextlib.suppress(Rejected):
                await source.replace(tree)


class MemoryHarness(InProcess):
    def new(self) -> Memory:
        return Memory(self.tree)


class ScriptedHarness(InProcess):
    corruptible = True

    def new(self) -> Scripted:
        return Scripted(self.tree)

    async def corrupt(self, text: str) -> None:
        for source in self.made:
            await source.malformed("pool", got="text")


class EnvHarness(SourceHarness):
    follows = False
    quoted = False

    def __init__(self) -> None:
        self.variables: dict[str, str] = {"OTHER": "not ours"}

    def source(self) -> Env:
        return Env("SHOP_", environ=self.variables)

    async def write(self, tree: Mapping[str, Any]) -> None:
        self.variables.clear()
        for path, value in leaves(tree):
            self.variables["SHOP_" + "__".join(path).upper()] = str(value)


class FilesHarness(SourceHarness):
    """One file or a directory with one, saved as careful programs save: temporary file and rename."""

    corruptible = True

    def __init__(self, folder: Path, notifier: Literal["inotify", "polling"], shape: str) -> None:
        self.folder = folder
        self.file = folder / "layer" / "shop.json"
        self.file.parent.mkdir()
        self.notifier = notifier
        self.path = self.file if shape == "file" else self.file.parent

    def source(self) -> Files:
        return Files(self.path, notifier=self.notifier, poll_interval=0.02, settle=0.02)

    async def write(self, tree: Mapping[str, Any]) -> None:
        self.save(json.dumps(tree))

    async def corrupt(self, text: str) -> None:
        self.save(f'{{"pool": {text}')

    def save(self, text: str) -> None:
        new = self.folder / "new"
        new.write_text(text)
        new.replace(self.file)


class EtcdHarness(SourceHarness):
    """One key for each leaf, all of a write in one transaction."""

    corruptible = True

    def __init__(self, server: EtcdServer) -> None:
        self.server = server
        self.prefix = f"/conformance{next(_NUMBERS)}/"
        self.keys: set[str | bytes] = set()

    def source(self) -> Etcd:
        return Etcd(self.server.endpoint, prefix=self.prefix)

    async def write(self, tree: Mapping[str, Any]) -> None:
        puts: dict[str | bytes, str | bytes]
        puts = {self.prefix + "/".join(path): json.dumps(value) for path, value in leaves(tree)}
        await self.server.txn(puts, deletes=list(self.keys - puts.keys()))
        self.keys = set(puts)

    async def corrupt(self, text: str) -> None:
        await self.server.put(f"{self.prefix}pool", f"{{{text}")
        self.keys.add(f"{self.prefix}pool")


class YamlHarness(EtcdHarness):
    """One YAML document for each name at the top, in keys without a suffix."""

    def source(self) -> Etcd:
        return Etcd(self.server.endpoint, prefix=self.prefix, format="yaml")

    async def write(self, tree: Mapping[str, Any]) -> None:
        puts: dict[str | bytes, str | bytes]
        puts = {
            self.prefix + name: yaml.safe_dump(value) if isinstance(value, Mapping | list) else json.dumps(value)
            for name, value in tree.items()
        }
        await self.server.txn(puts, deletes=list(self.keys - puts.keys()))
        self.keys = set(puts)

    async def corrupt(self, text: str) -> None:
        await self.server.put(f"{self.prefix}pool", f"size: [{text}")
        self.keys.add(f"{self.prefix}pool")


class TestMemory(ConformanceSuite):
    @pytest.fixture
    def harness(self) -> SourceHarness:
        return MemoryHarness()


class TestScripted(ConformanceSuite):
    @pytest.fixture
    def harness(self) -> SourceHarness:
        return ScriptedHarness()


class TestEnv(ConformanceSuite):
    @pytest.fixture
    def harness(self) -> SourceHarness:
        return EnvHarness()


class TestFiles(ConformanceSuite):
    @pytest.fixture(params=["inotify", pytest.param("polling", marks=pytest.mark.slow)])
    def notifier(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture(params=["file", "directory"])
    def harness(self, tmp_path: Path, notifier: Any, request: pytest.FixtureRequest) -> SourceHarness:
        return FilesHarness(tmp_path, notifier, request.param)


@pytest.mark.etcd
class TestEtcd(ConformanceSuite):
    @pytest.fixture
    def harness(self, etcd: EtcdServer) -> SourceHarness:
        return EtcdHarness(etcd)


@pytest.mark.slow
class TestEtcdYaml(ConformanceSuite):
    @pytest.fixture
    def harness(self, etcd: EtcdServer) -> SourceHarness:
        return YamlHarness(etcd)
