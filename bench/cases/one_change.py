"""One key changes among many: merge, decode, validate, compare, publish."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from bench.cases.written import Limit, Lower, Table, Tables, Upper, tables, wide
from bench.harness import Case, Round, Subject
from reactive_config import Config, open_config
from reactive_config._core.paths import Path


class Change(Subject):
    """Makes `changes` changes of one key for each figure: microseconds of CPU for one of them."""

    _value = 0

    async def measure(self, work: Round) -> list[float]:
        return [await self._one(int(self.params["changes"])) for _ in range(work.samples)]

    async def _one(self, changes: int) -> float:
        begin = time.process_time()
        for _ in range(changes):
            self._value += 1
            await self.change(self._value)
        return (time.process_time() - begin) / changes * 1e6

    async def change(self, value: int) -> None:
        """Make one change; every value is another one than before."""
        raise NotImplementedError


class Ours(Change):
    """Two layers, a file's and a store's; the store's says every tenth key, and changes one of them."""

    kind: type[Any] = Tables
    path: Path = ("groups", "group-0", "table-0", "key-0")
    config: Config[Any]

    def tree(self) -> dict[str, Any]:
        """What the lower layer says."""
        return tables(int(self.params["keys"]))

    async def open(self) -> None:
        tree = self.tree()
        self.upper = Upper([path for number, path in enumerate(_paths(tree, ())) if number % 10 == 0])
        self.config = await self.stack.enter_async_context(open_config(self.kind, Lower(tree), self.upper))

    async def change(self, value: int) -> None:
        self.upper.send(self.path, value)
        await asyncio.sleep(0)  # the writer's turn comes first

    async def measure(self, work: Round) -> list[float]:
        generation = self.config.snapshot.generation
        figures = await super().measure(work)
        published = self.config.snapshot.generation - generation
        assert published == work.samples * int(self.params["changes"]), f"{published} of the changes came"
        return figures


class Whole(Change):
    """What a program without layers that remember does: merge both trees anew and convert the result."""

    async def open(self) -> None:
        self._lower = tables(int(self.params["keys"]))

    async def _one(self, changes: int) -> float:
        return await super()._one(max(1, changes * 10 // int(self.params["keys"])))  # it takes as long as many

    async def change(self, value: int) -> None:
        upper = {"groups": {"group-0": {"table-0": {"key-0": value}}}}
        self.current = msgspec.convert(_merged(self._lower, upper), Tables)


class PathCopy(Change):
    """By hand, who knows the key: checks the value and copies the tables on its path. No layers, nobody is told."""

    async def open(self) -> None:
        self.current = msgspec.convert(tables(int(self.params["keys"])), Tables)

    async def change(self, value: int) -> None:
        groups = self.current.groups
        group = groups["group-0"]
        table = {**group["table-0"], "key-0": msgspec.convert(value, Limit)}
        self.current = Tables({**groups, "group-0": {**group, "table-0": table}})
        await asyncio.sleep(0)  # as ours


class OursWide(Ours):
    """The same, where one table holds every key."""

    kind = Table
    path = ("keys", "key-0")

    def tree(self) -> dict[str, Any]:
        return wide(int(self.params["keys"]))


class DictCopy(Change):
    """No configuration at all: one copy of a dict as wide, so that who holds the old one is not disturbed."""

    async def open(self) -> None:
        self._table = wide(int(self.params["keys"]))["keys"]

    async def change(self, value: int) -> None:
        self._table = dict(self._table)
        self._table["key-0"] = value


def _paths(tree: Any, path: Path) -> list[Path]:
    if type(tree) is not dict:
        return [path]
    return [found for name, value in tree.items() for found in _paths(value, (*path, name))]


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = {name: _merged(value, {}) if type(value) is dict else value for name, value in low.items()}
    for name, value in high.items():
        merged[name] = _merged(merged[name], value) if type(value) is dict else value
    return merged


CASES = (
    Case(
        name="one_change",
        title="one key changed, tables of at most 100 entries",
        unit="us CPU",
        subjects={"reactive_config": Ours, "path copied by hand": PathCopy, "merge and convert all": Whole},
    ),
    Case(
        name="one_change_wide",
        title="one key changed, all keys in one table",
        unit="us CPU",
        subjects={"reactive_config": OursWide, "dict copy": DictCopy},
    ),
)
