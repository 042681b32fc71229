"""What selectors cost that a change does not touch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from bench.cases.written import WIDTH, Lower, Tables, Upper, tables
from bench.harness import Case, Round, Subject
from reactive_config import Live, open_config

KEY = ("groups", "group-0", "table-0", "key-0")

Part = Callable[[Tables], Any]


class Untouched(Subject):
    """Nanoseconds of CPU for each change and selector, the change itself included."""

    async def open(self) -> None:
        count = int(self.params["selectors"])
        lower = Lower(tables(WIDTH + count))  # the first table is the one that changes
        self._upper = Upper([KEY])
        self.config = await self.stack.enter_async_context(open_config(Tables, lower, self._upper))
        self._value = 0

    async def measure(self, work: Round) -> list[float]:
        figures = []
        for _ in range(work.samples):
            begin = time.process_time()
            await self.change()
            figures.append((time.process_time() - begin) / int(self.params["selectors"]) * 1e9)
        return figures

    async def change(self) -> None:
        """Change the key; returns once all selectors follow."""
        self._value += 1
        self._upper.send(KEY, self._value)
        await asyncio.sleep(0)  # the writer's turn comes first


class Paths(Untouched):
    """`config.select("groups.group-0.table-1.key-0")`, a path for each."""

    async def open(self) -> None:
        await super().open()
        count = int(self.params["selectors"])
        self._kept: list[Live[Any]] = [self.config.select(".".join(_path(number))) for number in range(count)]


class Functions(Untouched):
    """`config.select(lambda c: ...)`, a function for each: every one of them is asked."""

    async def open(self) -> None:
        await super().open()
        count = int(self.params["selectors"])
        self._kept: list[Live[Any]] = [self.config.select(_function(number)) for number in range(count)]


class ByHand(Untouched):
    """Asks every function after a change and compares by identity; tells nobody, and one that raises ends it."""

    async def open(self) -> None:
        await super().open()
        functions = [_function(number) for number in range(int(self.params["selectors"]))]
        self._selected = [(function, function(self.config.current)) for function in functions]

    async def change(self) -> None:
        await super().change()
        current = self.config.current
        for number, (function, before) in enumerate(self._selected):
            after = function(current)
            if after is not before:
                self._selected[number] = (function, after)


def _path(number: int) -> tuple[str, str, str, str]:
    """Of a key in another table than the one that changes."""
    table, key = divmod(number + WIDTH, WIDTH)
    return ("groups", f"group-{table // WIDTH}", f"table-{table % WIDTH}", f"key-{key}")


def _function(number: int) -> Part:
    _, group, table, key = _path(number)
    return lambda config: config.groups[group][table][key]


CASES = (
    Case(
        name="selectors",
        title="paths selected and not touched by a change, each of them and change",
        unit="ns CPU",
        subjects={"reactive_config": Paths, "asked by hand": ByHand},
    ),
    Case(
        name="function_selectors",
        title="functions selected by and not touched by a change, each of them and change",
        unit="ns CPU",
        subjects={"reactive_config": Functions, "asked by hand": ByHand},
    ),
)
