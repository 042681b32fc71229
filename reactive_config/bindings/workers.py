"""A group of tasks that grows and shrinks with a live number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio

from reactive_config.bindings.binding import Binding
from reactive_config.core.host import Host
from reactive_config.core.live import Live

T = TypeVar("T")

_ENDS: tuple[type[Exception], ...] = (anyio.EndOfStream, StopAsyncIteration)
if hasattr(asyncio, "QueueShutDown"):  # 3.13
    _ENDS = (*_ENDS, asyncio.QueueShutDown)

_NOTHING: Any = object()


class _Worker:
    """One task of the group.

    Attributes:
        waiting: What ends its waiting for an item; None while it handles one.
    """

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: anyio.CancelScope | None = None


class Workers(Binding[int], Generic[T]):
    """Tasks that take items and handle them, as many as a live value says. Made by `workers`."""

    def __init__(
        self,
        live: Live[int],
        handler: Callable[[T], Awaitable[object]],
        take: Callable[[], Awaitable[T]],
        drain: float,
        name: str,
    ) -> None:
        super().__init__(live, name=name)
        if drain < 0:
            raise ValueError(f"drain: expected seconds, 0 or more, got {drain}")
        self._handler = handler
        self._take = take
        self._drain = drain
        self._next = self._size = 0
        # Those who go on after their item. A dismissed one is not in it, though its task may still run.
        self._crew: set[_Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._ended = asyncio.Event()
        self._crashed = False
        self._crew_host = Host(self.name)

    @property
    def running(self) -> int:
        """How many tasks run, those included that only finish their last item."""
        return len(self._tasks)

    async def wait_ended(self) -> None:
        """Return once there are no more items, and every one that was taken has been handled."""
        await self._ended.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Self:
        # A host beside the follower's: a handler that crashes ends the body, and raises from this context.
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._crew_host.enter(self._employ(started), started)
        try:
            return await super().__aenter__()
        except BaseException as error:
            await self._crew_host.leave(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, traceback)
        finally:
            await self._crew_host.leave(error)

    async def prepare(self, value: int) -> None:
        if self._group is None:
            raise TypeError(f"{self.name}: expected an `async with` of its own, got together(...)")
        if type(value) is not int or value < 0:
            raise ValueError(f"{self.name}: expected a whole number, 0 or more, got {type(value).__name__}")
        self._next = value

    def commit(self) -> None:
        self._size = self._next
        self._fit()

    async def release(self) -> None:
        """Let every worker finish its item, and cancel those that take longer than the drain."""
        self._size = 0
        self._fit()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._drain)
        self.forced += len(late)
        for task in late:
            task.cancel()

    def _fit(self) -> None:
        """Hire as many as are missing, or dismiss of those who wait for an item as many as are too many."""
        if self._group is None or self._crashed or self._ended.is_set():
            return
        for _ in range(self._size - len(self._crew)):
            self._hire(self._group)
        idle = [worker for worker in self._crew if worker.waiting is not None]
        surplus = max(0, len(self._crew) - self._size)
        for worker in idle[:surplus]:  # the rest of the surplus goes when it has finished its item
            self._dismiss(worker)

    def _hire(self, group: asyncio.TaskGroup) -> None:
        worker = _Worker()
        task = group.create_task(self._work(worker), name=self.name)
        self._crew.add(worker)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _dismiss(self, worker: _Worker) -> None:
        self._crew.discard(worker)
        if worker.waiting is not None:
            worker.waiting.cancel()

    async def _employ(self, started: asyncio.Future[Any]) -> None:
        async with asyncio.TaskGroup() as self._group:
            started.set_result(None)
            await asyncio.get_running_loop().create_future()  # until the host ends it

    async def _work(self, worker: _Worker) -> None:
        try:
            while worker in self._crew and len(self._crew) <= self._size:
                item = await self._wait_item(worker)
                # A dismissed one may have got an item in the same turn: that is not lost, it is its last.
                if item is not _NOTHING:
                    await self._handler(item)
        except Exception:
            self._crashed = True  # the group takes nobody any more
            raise
        finally:
            self._crew.discard(worker)

    async def _wait_item(self, worker: _Worker) -> T:
        scope = worker.waiting = anyio.CancelScope()
        with scope:
            try:
                return await self._take()
            except _ENDS:
                self._end()
            finally:
                worker.waiting = None
        nothing: T = _NOTHING
        return nothing

    def _end(self) -> None:
        self._ended.set()
        for worker in list(self._crew):
            self._dismiss(worker)


def workers(
    live: Live[int],
    handler: Callable[[T], Awaitable[object]],
    *,
    take: Callable[[], Awaitable[T]],
    drain: float = 10.0,
    name: str = "",
) -> Workers[T]:
    """Tasks that each take one item after the other and handle it, as many as a live number says.

        async with workers(config.select("workers"), handle, take=queue.get): ...

    Taking and handling are apart, so that a worker that has nothing to do can be told from one that has: a
    smaller number ends idle workers at once and busy ones after their item. 0 pauses. A number that is
    negative keeps the group as it is and shows in the status; at the start it raises ValueError.

    An exception of `handler` or `take` is never swallowed: it cancels the other workers and the body, and is raised
    from the context. An end of `take` (`anyio.EndOfStream`, `StopAsyncIteration`, `asyncio.QueueShutDown`) is none: the
    workers finish what they have, and `await group.wait_ended()` returns.

    Leaving ends idle workers at once; busy ones finish their item, or `drain` passes: then they are cancelled,
    and the status counts them (`forced`).

    Not for `together`: a crash of a worker is not a failure to prepare.

    Args:
        live: How many.
        handler: Called with one item at a time.
        take: Waits for the next item; called by several workers at the same time. It must not lose an item when
            it is cancelled: `asyncio.Queue.get` and anyio's `receive` do not.
        drain: Seconds, 0 or more.
        name: For the status.
    """
    return Workers(live, handler, take, drain, name)
