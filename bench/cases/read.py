"""What it costs to read a value."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.cases.timing import nanoseconds
from bench.harness import Case, NotHere, Round, Subject
from reactive_config import Memory, open_config

TREE = {"database": {"pool": {"min_size": 1, "max_size": 20}}}


class Pool(msgspec.Struct, frozen=True):
    """The inner part."""

    min_size: int = 1
    max_size: int = 10


class Database(msgspec.Struct, frozen=True):
    """The outer part."""

    pool: Pool = Pool()


class App(msgspec.Struct, frozen=True):
    """What is read."""

    database: Database = Database()


class Read(Subject):
    """Evaluates `expression`, with what `open` put into `names`, and says nanoseconds."""

    expression: str
    names: dict[str, Any]
    slow = 1
    """How many times fewer calls are enough."""

    async def measure(self, work: Round) -> list[float]:
        calls = int(self.params["calls"]) // self.slow
        return [nanoseconds(self.expression, self.names, calls) for _ in range(work.samples)]


class Ours(Read):
    """An open configuration."""

    expression = "config.current.database.pool.max_size"

    async def open(self) -> None:
        self.names = {"config": await self.stack.enter_async_context(open_config(App, Memory(TREE)))}


class BareStruct(Read):
    """The Struct alone."""

    expression = "app.database.pool.max_size"

    async def open(self) -> None:
        self.names = {"app": msgspec.convert(TREE, App)}


class Dict(Read):
    """The tree alone."""

    expression = "tree['database']['pool']['max_size']"

    async def open(self) -> None:
        self.names = {"tree": TREE}


class PydanticSettings(Read):
    """A settings object."""

    expression = "settings.database.pool.max_size"

    async def open(self) -> None:
        try:
            import pydantic
            import pydantic_settings
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None

        pool = pydantic.create_model("Pool", min_size=(int, 1), max_size=(int, 10))
        database = pydantic.create_model("Database", pool=(pool, pool()))
        app: Any = pydantic.create_model(
            "App", __base__=pydantic_settings.BaseSettings, database=(database, database())
        )
        self.names = {"settings": app(**TREE)}


class Dynaconf(Read):
    """A settings object. Untyped."""

    expression = "settings.database.pool.max_size"
    slow = 100

    async def open(self) -> None:
        try:
            from dynaconf import Dynaconf as Settings  # type: ignore[import-untyped]
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None
        self.names = {"settings": Settings(**TREE)}


class OmegaConf(Read):
    """A DictConfig. Untyped."""

    expression = "config.database.pool.max_size"
    slow = 1000

    async def open(self) -> None:
        try:
            import omegaconf
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None
        self.names = {"config": omegaconf.OmegaConf.create(TREE)}


CASES = (
    Case(
        name="read",
        title="read of config.current.database.pool.max_size",
        unit="ns",
        subjects={
            "reactive_config": Ours,
            "bare Struct": BareStruct,
            "dict": Dict,
            "pydantic-settings": PydanticSettings,
            "dynaconf": Dynaconf,
            "omegaconf": OmegaConf,
        },
    ),
)
