"""What it costs to tell many tasks of a change, and what each of them holds."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

from bench.cases.written import Lower, Tables, Upper, tables
from bench.harness import Case, Round, Subject
from reactive_config import open_config

KEY = ("groups", "group-0", "table-0", "key-0")


class Crowd(Subject):
    """Tells tasks of a change and waits until the last of them has seen it.

    What a task does with a change is the same for all: to say that it saw it.
    """

    _number = 0
    _left = 0
    _all: asyncio.Future[None]

    async def follow(self) -> None:
        """The body of a task: calls `saw` at every change."""
        raise NotImplementedError

    async def tell(self, value: int) -> None:
        """Make a change."""
        raise NotImplementedError

    async def gather(self, count: int) -> None:
        """Start as many tasks; returns once all of them wait."""
        tasks = [asyncio.create_task(self.follow()) for _ in range(count)]
        self.stack.callback(lambda: [task.cancel() for task in tasks])
        await asyncio.sleep(0)

    def saw(self) -> None:
        """One task saw the change."""
        self._left -= 1
        if not self._left:
            self._all.set_result(None)

    async def change(self, count: int) -> None:
        """One change, until all tasks have seen it."""
        self._number += 1
        self._left = count
        self._all = asyncio.get_running_loop().create_future()
        await self.tell(self._number)
        await self._all


class Cost(Crowd):
    """Microseconds of CPU for each change and task, the change itself included."""

    async def open(self) -> None:
        await self.gather(int(self.params["subscribers"]))

    async def measure(self, work: Round) -> list[float]:
        count = int(self.params["subscribers"])
        figures = []
        for _ in range(work.samples):
            begin = time.process_time()
            await self.change(count)
            figures.append((time.process_time() - begin) / count * 1e6)
        return figures


class Memory(Crowd):
    """Kilobytes (1000 bytes) for each task that waits, itself included, after it has seen a change."""

    async def measure(self, work: Round) -> list[float]:
        count = int(self.params["subscribers"])
        self.forget()
        before = _resident()
        await self.gather(count)
        await self.change(count)
        await asyncio.sleep(0)
        return [(_resident() - before) / count / 1000]


class _Ours(Crowd):
    """`async for snapshot in config`: conflating, in order, ends with the configuration."""

    async def open(self) -> None:
        self._upper = Upper([KEY])
        self._config = await self.stack.enter_async_context(open_config(Tables, Lower(tables(100)), self._upper))
        await super().open()

    async def follow(self) -> None:
        stream = aiter(self._config)
        await anext(stream)  # what is in force
        async for _ in stream:
            self.saw()

    async def tell(self, value: int) -> None:
        self._upper.send(KEY, value)


class _Futures(Crowd):
    """A Future for each: the least that can wake a task; one that is busy misses the change."""

    async def open(self) -> None:
        self._waiting: list[asyncio.Future[int]] = []
        await super().open()

    async def follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            future: asyncio.Future[int] = loop.create_future()
            self._waiting.append(future)
            await future
            self.saw()

    async def tell(self, value: int) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.set_result(value)


class _Events(Crowd):
    """An Event for each: conflating; somebody has to take it off the list when its task ends, which is left out."""

    async def open(self) -> None:
        self._events: list[asyncio.Event] = []
        self._value = 0
        await super().open()

    async def follow(self) -> None:
        event = asyncio.Event()
        self._events.append(event)
        while True:
            await event.wait()
            event.clear()
            self.saw()

    async def tell(self, value: int) -> None:
        self._value = value
        for event in self._events:
            event.set()


class _Condition(Crowd):
    """One Condition: a task that is busy when it is notified misses the change, unless it counts versions too."""

    async def open(self) -> None:
        self._condition = asyncio.Condition()
        self._value = 0
        await super().open()

    async def follow(self) -> None:
        async with self._condition:
            while True:
                await self._condition.wait()
                self.saw()

    async def tell(self, value: int) -> None:
        async with self._condition:
            self._value = value
            self._condition.notify_all()


class _Queues(Crowd):
    """A Queue for each: not conflating, so a slow task holds everything that it has not seen."""

    async def open(self) -> None:
        self._queues: list[asyncio.Queue[int]] = []
        await super().open()

    async def follow(self) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        self._queues.append(queue)
        while True:
            await queue.get()
            self.saw()

    async def tell(self, value: int) -> None:
        for queue in self._queues:
            queue.put_nowait(value)


class OursCost(_Ours, Cost):
    """Cost of ours."""


class FuturesCost(_Futures, Cost):
    """Cost of a Future each."""


class EventsCost(_Events, Cost):
    """Cost of an Event each."""


class ConditionCost(_Condition, Cost):
    """Cost of a Condition."""


class QueuesCost(_Queues, Cost):
    """Cost of a Queue each."""


class OursMemory(_Ours, Memory):
    """Memory of ours."""


class FuturesMemory(_Futures, Memory):
    """Memory of a Future each."""


class EventsMemory(_Events, Memory):
    """Memory of an Event each."""


class ConditionMemory(_Condition, Memory):
    """Memory of a Condition."""


class QueuesMemory(_Queues, Memory):
    """Memory of a Queue each."""


def _resident() -> int:
    """Bytes that this process alone has in memory, after a collection."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))


CASES = (
    Case(
        name="subscribers",
        title="conflating `async for` subscribers, each of them and change",
        unit="us CPU",
        subjects={
            "reactive_config": OursCost,
            "Future each": FuturesCost,
            "Event each": EventsCost,
            "Condition": ConditionCost,
            "Queue each": QueuesCost,
        },
    ),
    Case(
        name="subscriber_memory",
        title="memory of a waiting subscriber, its task included",
        unit="KB",
        subjects={
            "reactive_config": OursMemory,
            "Future each": FuturesMemory,
            "Event each": EventsMemory,
            "Condition": ConditionMemory,
            "Queue each": QueuesMemory,
        },
        fresh=True,
    ),
)
