"""How long one update holds the event loop, with many keys and many tasks that are told.

A hold is what lies between two looks of the loop at its sockets and timers: everything that was ready is run in
between, so anything else that becomes ready waits for that long. Measured where asyncio's loop calls
`select`; uvloop has no such place.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.cases.many_keys import ByHand, ManyKeys, Mark, limit_keys, limit_text, open_ours
from bench.harness import Case, Params, Round, Subject


class Updates(ManyKeys):
    """Transactions of `params["changed"]` keys spread over all tables, at the round's rate."""

    async def drive(self, place: Params, work: Round) -> None:
        keys, changed = limit_keys(int(self.params["keys"])), int(self.params["changed"])
        begin = time.monotonic()
        for number in range(1, work.samples + 1):
            await asyncio.sleep(begin + number / work.rate - time.monotonic())
            texts = {key: limit_text(work.number * work.samples + number) for key in keys[:: len(keys) // changed]}
            await self.write(str(place["prefix"]), texts, Mark(work.number, number, work.samples))


class Holds:
    """A loop's selector that knows how long it was not asked.

    Args:
        selector: The loop's own.

    Attributes:
        longest: Nanoseconds, since it was last set to 0.
    """

    def __init__(self, selector: Any) -> None:
        self.longest = 0
        self._selector = selector
        self._left = time.monotonic_ns()

    def select(self, timeout: float | None = None) -> Any:
        """What the selector says; the time from one call's end to the next one's begin is a hold."""
        self.longest = max(self.longest, time.monotonic_ns() - self._left)
        events = self._selector.select(timeout)
        self._left = time.monotonic_ns()
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


class Held(Subject):
    """Milliseconds: the longest hold of each update.

    An update's time ends half-way to the next one: by then all tasks have been told.
    """

    async def open(self) -> None:
        await self.connect()
        loop: Any = asyncio.get_running_loop()
        self._holds = loop._selector = Holds(loop._selector)

    async def connect(self) -> None:
        """Open, with `params["subscribers"]` tasks that wait for every change."""
        raise NotImplementedError

    async def next(self) -> Mark:
        """Wait for the next update."""
        raise NotImplementedError

    async def measure(self, work: Round) -> list[float]:
        figures = []
        mark = Mark()
        self._holds.longest = 0
        while not (mark.round == work.number and mark.number == mark.of):
            mark = await self.next()
            await asyncio.sleep(0.5 / work.rate)
            figures.append(self._holds.longest / 1e6)
            self._holds.longest = 0
        return figures

    def subscribe(self, count: int) -> None:
        """Start the tasks."""
        tasks = [asyncio.create_task(self.follow()) for _ in range(count)]
        self.stack.callback(lambda: [task.cancel() for task in tasks])

    async def follow(self) -> None:
        """The body of a task."""
        raise NotImplementedError


class Ours(Held):
    """`async for snapshot in config`, in every task."""

    async def connect(self) -> None:
        self._config = await open_ours(self.params, self.stack)
        self.subscribe(int(self.params["subscribers"]))
        self._stream = aiter(self._config)
        await anext(self._stream)

    async def next(self) -> Mark:
        return (await anext(self._stream)).value.mark

    async def follow(self) -> None:
        async for _ in self._config:
            pass


class RawStub(Held):
    """An Event for each task, set after every response."""

    async def connect(self) -> None:
        self._state = ByHand(self.params)
        await self._state.open(self.stack)
        self._events: list[asyncio.Event] = []
        self.subscribe(int(self.params["subscribers"]))
        await asyncio.sleep(0)

    async def next(self) -> Mark:
        await self._state.follow()
        for event in self._events:
            event.set()
        return self._state.current.mark

    async def follow(self) -> None:
        event = asyncio.Event()
        self._events.append(event)
        while True:
            await event.wait()
            event.clear()


CASES = (
    Case(
        name="hold",
        title="longest hold of the event loop for one update",
        unit="ms",
        subjects={"reactive_config": Ours, "raw stub": RawStub},
        stage=Updates,
    ),
)
