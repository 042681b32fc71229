"""What is counted: each scenario opens what it needs and gives one step, to be taken any number of times."""

from __future__ import annotations

import asyncio
import itertools
import logging
import pathlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from bench.cases.documents import Document
from bench.cases.texts import Texts
from bench.cases.written import Lower, Table, Tables, Upper, tables, wide
from bench.counts.tally import Step
from reactive_config import Config, Files, Rejected, open_config
from reactive_config._core.paths import Path

Scenario = Callable[[], AbstractAsyncContextManager[Step]]

KEY: Path = ("groups", "group-0", "table-0", "key-0")


@asynccontextmanager
async def _changing(kind: type[Any], tree: dict[str, Any], key: Path) -> AsyncIterator[tuple[Config[Any], Step]]:
    """A configuration of two layers, and a step that changes one key."""
    upper = Upper([key])
    values = itertools.count(1)

    async def step() -> None:
        upper.send(key, next(values))
        await asyncio.sleep(0)  # the writer's turn comes first

    async with open_config(kind, Lower(tree), upper) as config:
        yield config, step


@asynccontextmanager
async def one_key() -> AsyncIterator[Step]:
    """One key changes among 1,000 in tables of 100."""
    async with _changing(Tables, tables(1000), KEY) as (_, step):
        yield step


@asynccontextmanager
async def one_key_wide() -> AsyncIterator[Step]:
    """One key changes in a table of 1,000."""
    async with _changing(Table, wide(1000), ("keys", "key-0")) as (_, step):
        yield step


@asynccontextmanager
async def one_key_held() -> AsyncIterator[Step]:
    """One key changes among 1,000 while 2,000 units are held, each for a value of its own."""
    upper = Upper([KEY])
    values = itertools.count(1)

    async def step() -> None:
        upper.send(KEY, next(values))
        await asyncio.sleep(0)

    logger = logging.getLogger("reactive_config")
    async with open_config(Tables, Lower(tables(1000)), upper) as config:
        for number in range(2000):
            upper.send(("groups", "group-0", f"table-{number % 10}", f"held-{number}"), -1)
        logger.disabled = True
        with suppress(Rejected):
            await config.wait_revision(upper.name, upper.revision)
        logger.disabled = False
        yield step


@asynccontextmanager
async def untouched() -> AsyncIterator[Step]:
    """The same, with 500 paths and 500 functions selected that it does not touch."""
    async with _changing(Tables, tables(1000), KEY) as (config, step):
        names = [(f"table-{number // 100}", f"key-{number % 100}") for number in range(100, 600)]
        kept = [config.select(f"groups.group-0.{table}.{key}") for table, key in names]
        kept += [config.select(_function(table, key)) for table, key in names]
        yield step


def _function(table: str, key: str) -> Callable[[Tables], int]:
    return lambda config: config.groups["group-0"][table][key]


@asynccontextmanager
async def subscribers() -> AsyncIterator[Step]:
    """100 subscribers are woken."""
    async with _changing(Tables, tables(10), KEY) as (config, change):
        seen: asyncio.Queue[int] = asyncio.Queue()

        async def follow() -> None:
            async for snapshot in config:
                seen.put_nowait(snapshot.generation)

        async def all_saw() -> None:
            for _ in range(100):
                assert await seen.get() == config.snapshot.generation

        async def step() -> None:
            await change()
            await all_saw()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow()) for _ in range(100)]
            await all_saw()
            yield step
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def burst() -> AsyncIterator[Step]:
    """1,000 changes of 100 keys come before the writer has its turn."""
    paths: list[Path] = [(*KEY[:-1], f"key-{number}") for number in range(100)]
    upper = Upper(paths)
    values = itertools.count(1)

    async def step() -> None:
        for number in range(1000):
            upper.send(paths[number % 100], next(values))
        await asyncio.sleep(0)

    async with open_config(Tables, Lower(tables(1000)), upper):
        yield step


@asynccontextmanager
async def file_replaced() -> AsyncIterator[Step]:
    """A JSON file of 10 KiB is replaced, until the snapshot shows it."""
    texts = Texts("json", 10 << 10)
    numbers = itertools.count(1)
    with tempfile.TemporaryDirectory() as home:
        file = pathlib.Path(home, "document.json")
        _replace(file, texts.text(number=0))
        async with open_config(Document, Files(file)) as config:
            stream = aiter(config)

            async def step() -> None:
                number = next(numbers)
                _replace(file, texts.text(number=number))
                while (await anext(stream)).value.number != number:
                    pass

            yield step


def _replace(file: pathlib.Path, text: str) -> None:
    new = file.with_name(".new")
    new.write_text(text)
    new.replace(file)


@asynccontextmanager
async def first() -> AsyncIterator[Step]:
    """A configuration of 1,000 keys is opened, and closed."""
    tree = tables(1000)

    async def step() -> None:
        async with open_config(Tables, Lower(tree), Upper([KEY])):
            pass

    yield step


SCENARIOS: dict[str, Scenario] = {
    "one key among 1,000": one_key,
    "one key, 2,000 units held": one_key_held,
    "one key in a table of 1,000": one_key_wide,
    "1,000 selectors not touched": untouched,
    "100 subscribers woken": subscribers,
    "burst of 1,000": burst,
    "file replaced": file_replaced,
    "first configuration": first,
}
"""By name, as in the report and in the expected numbers."""
