"""What a binding adds to building a thing anew when its value changes."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from bench.cases.written import Lower, Tables, Upper, tables
from bench.harness import Case, Round, Subject
from reactive_config import Live, open_config
from reactive_config.bindings import rebuilt

KEY = ("groups", "group-0", "table-0", "key-0")


class Pool:
    """The least that can be built, used and closed.

    Args:
        size: What it is made of.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.closed = False


class Rebuild(Subject):
    """Microseconds of CPU from a change to the thing of the new value being in use, the old one closed.

    The change itself is part of it, and the same for all: `bare change` is nothing else.
    """

    async def open(self) -> None:
        self._upper = Upper([KEY])
        self.config = await self.stack.enter_async_context(open_config(Tables, Lower(tables(100)), self._upper))
        self.live: Live[int] = self.config.select(".".join(KEY))
        self._value = 0
        self._closed = asyncio.Event()

    async def build(self, size: int) -> Pool:
        """Build without waiting for anything."""
        return Pool(size)

    async def dispose(self, pool: Pool) -> None:
        """Close, and say so."""
        pool.closed = True
        self._closed.set()

    async def change(self) -> None:
        """Change the value; returns once the old thing is closed."""
        self._closed.clear()
        self.say()
        await self._closed.wait()

    def say(self) -> None:
        """Change the value."""
        self._value += 1
        self._upper.send(KEY, self._value)

    async def measure(self, work: Round) -> list[float]:
        changes = int(self.params["changes"])
        figures = []
        for _ in range(work.samples):
            begin = time.process_time()
            for _ in range(changes):
                await self.change()
            figures.append((time.process_time() - begin) / changes * 1e6)
        return figures


class Ours(Rebuild):
    """`rebuilt`."""

    async def open(self) -> None:
        await super().open()
        self._pool = await self.stack.enter_async_context(rebuilt(self.live, self.build, close=self.dispose))

    async def measure(self, work: Round) -> list[float]:
        figures = await super().measure(work)
        assert self._pool.current.size == self._value
        return figures


class ByHand(Rebuild):
    """A loop over the same live value.

    What it does not do: it closes the old pool under its users, ends at the first build that fails, waits for ever
    for one that hangs, and nobody sees where it stands.
    """

    async def open(self) -> None:
        await super().open()
        self._pool = await self.build(self.live.current)
        swapping = asyncio.create_task(self._swap())
        self.stack.push_async_callback(_ended, swapping)
        await asyncio.sleep(0)

    async def _swap(self) -> None:
        async for size in self.live:
            if size != self._pool.size:
                old, self._pool = self._pool, await self.build(size)
                await self.dispose(old)


class BareChange(Rebuild):
    """A task that waits for the value, and builds nothing."""

    async def open(self) -> None:
        await super().open()
        following = asyncio.create_task(self._follow())
        self.stack.push_async_callback(_ended, following)
        await asyncio.sleep(0)

    async def _follow(self) -> None:
        async for _ in self.live:
            self._closed.set()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


CASES = (
    Case(
        name="rebuild",
        title="change of a value until the thing built from it is in use",
        unit="us CPU",
        subjects={"reactive_config": Ours, "swapped by hand": ByHand, "bare change": BareChange},
    ),
)
