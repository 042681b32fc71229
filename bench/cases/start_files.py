"""From the start of the process to the first configuration out of a file; a new process each time.

The interpreter and every import are part of it, as they are of every deployment.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.harness import Case, NotHere, Params, Round, Stage, Subject

WIDTH = 100
"""Entries of one table."""


class App(msgspec.Struct, frozen=True):
    """The whole configuration."""

    tables: dict[str, dict[str, int]] = {}


class OneFile(Stage):
    """One JSON file of `params["keys"]` keys for all."""

    async def open(self) -> None:
        app = App()
        for key in range(int(self.params["keys"])):
            app.tables.setdefault(f"table{key // WIDTH}", {})[f"key{key % WIDTH}"] = key
        self._file = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "app.json"
        self._file.write_bytes(msgspec.json.encode(app))

    async def place(self, subject: str) -> Params:
        return {"file": str(self._file)}


class Start(Subject):
    """Milliseconds from the start of the process."""

    async def open(self) -> None:
        try:
            tables = await self.start(Path(str(self.params["file"])))
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None
        self._ready = time.monotonic_ns()
        assert sum(map(len, tables.values())) == self.params["keys"]

    async def start(self, file: Path) -> Any:
        """Import and read; the tables."""
        raise NotImplementedError

    async def measure(self, work: Round) -> list[float]:
        return [(self._ready - self.spawned) / 1e6]


class Ours(Start):
    """`async with open_config(App, Files(file)) as config`: the file is followed from then on."""

    async def start(self, file: Path) -> Any:
        from reactive_config import Files, open_config

        config = await self.stack.enter_async_context(open_config(App, Files(file)))
        return config.current.tables


class Msgspec(Start):
    """Read and decode by hand; nothing is watched, as in all rivals."""

    async def start(self, file: Path) -> Any:
        return msgspec.json.decode(file.read_bytes(), type=App).tables  # noqa: ASYNC240


class PydanticSettings(Start):
    """pydantic-settings."""

    async def start(self, file: Path) -> Any:
        from bench.cases.pydantic_rival import settings_class

        return settings_class(file, tables=(dict[str, dict[str, int]], {}))().tables


class Dynaconf(Start):
    """Untyped; it reads a file when a value is first asked for."""

    async def start(self, file: Path) -> Any:
        from dynaconf import Dynaconf as Settings  # type: ignore[import-untyped]

        return Settings(settings_files=[str(file)]).tables


class OmegaConf(Start):
    """Untyped; json parses."""

    async def start(self, file: Path) -> Any:
        from bench.cases.omegaconf_rival import loader

        return loader(file)().tables


CASES = (
    Case(
        name="start_files",
        title="start of the process to the first configuration out of a file",
        unit="ms",
        subjects={
            "reactive_config": Ours,
            "bare msgspec": Msgspec,
            "pydantic-settings": PydanticSettings,
            "dynaconf": Dynaconf,
            "omegaconf": OmegaConf,
        },
        stage=OneFile,
        fresh=True,
    ),
)
