"""A group of tasks that grows and shrinks with a live number."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

import anyio

from reactive_config._bindings.binding import Binding, got
from reactive_config._bindings.insistent_scope import CANCEL_FOR, InsistentScope
from reactive_config._bindings.user_task import UserStep, UserTask
from reactive_config._core.runtime.host import Host, outlast
from reactive_config._core.runtime.live import Live
from reactive_config.errors import InvalidValue, StrayCancellation

T = TypeVar("T")

_ENDS: tuple[type[Exception], ...] = (anyio.EndOfStream, StopAsyncIteration)
if hasattr(asyncio, "QueueShutDown"):  # 3.13
    _ENDS = (*_ENDS, asyncio.QueueShutDown)

_NOTHING: Any = object()


class _Worker:
    """One task of the group.

    Attributes:
        task: What runs `take` and `handler`.
        waiting: What ends its waiting for an item; None while it handles one.
        ended: Done once the task has ended, or was abandoned.
    """

    __slots__ = ("ended", "step", "task", "waiting")

    def __init__(self, task: UserTask) -> None:
        self.task = task
        self.step: UserStep[None] | None = None
        self.waiting: InsistentScope | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def cancel(self, within: float = CANCEL_FOR) -> None:
        """End it, in the middle of its item."""
        if self.step is not None:
            self.step.cancel(within)


class Workers(Binding[int], Generic[T]):
    """Tasks that take items and handle them, as many as a live value says. Made by `workers`."""

    self_bounded: ClassVar[bool] = True  # `take` and `handler` run in the workers' own tasks

    def __init__(
        self,
        live: Live[int],
        handler: Callable[[T], Awaitable[object]],
        take: Callable[[], Awaitable[T]],
        drain: float,
        name: str,
    ) -> None:
        super().__init__(live, name=name)
        if not 0 <= drain < math.inf:
            raise ValueError(f"drain: expected seconds, 0 or more, got {drain}")
        self._handler = handler
        self._take = take
        self._drain = drain
        self._next = self._size = 0
        # Those who go on after their item. A dismissed one is not in it, though its task may still run.
        self._crew: set[_Worker] = set()
        self._running: set[_Worker] = set()
        self._open = False
        self._ended = asyncio.Event()
        self._crashes: list[BaseException] = []
        self._crashed = asyncio.Event()
        self._crew_host = Host(self.name)

    @property
    def running(self) -> int:
        """How many tasks run, those included that only finish their last item."""
        return len(self._running)

    @property
    def leave_within(self) -> float:
        """Seconds that leaving takes at most: the drain, and `CANCEL_FOR`."""
        return self._drain + CANCEL_FOR

    async def wait_ended(self) -> None:
        """Return once there are no more items, and every one that was taken has been handled."""
        await self._ended.wait()
        while self._running:
            await asyncio.wait([worker.ended for worker in self._running])

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
        if not self._open:
            raise TypeError(f"{self.name}: expected an `async with` of its own, got together(...)")
        if type(value) is not int or value < 0:
            raise InvalidValue(f"a whole number, 0 or more, got {got(value, self.live)}", at=self.name)
        self._next = value

    def commit(self) -> None:
        self._size = self._next
        self._fit()

    def begin_release(self, within: float) -> None:
        """Let idle workers go at once, and busy ones finish their item; those that take too long are cancelled."""
        self._size = 0
        self._fit()
        cutting = min(CANCEL_FOR, within / 4)
        for worker in self._running:
            if worker.step is not None:
                worker.step.limit(min(self._drain, within - cutting), cutting)

    async def release(self) -> None:
        await self._all_ended()

    async def _all_ended(self) -> None:
        for worker in list(self._running):
            await outlast(worker.ended)

    def _fit(self) -> None:
        """Hire as many as are missing, or dismiss of those who wait for an item as many as are too many."""
        if not self._open or self._crashes or self._ended.is_set():
            return
        for _ in range(self._size - len(self._crew)):
            self._hire()
        idle = [worker for worker in self._crew if worker.waiting is not None]
        surplus = max(0, len(self._crew) - self._size)
        for worker in idle[:surplus]:  # the rest of the surplus goes when it has finished its item
            self._dismiss(worker)

    def _hire(self) -> None:
        worker = _Worker(UserTask(self.name, self.note_left_running))
        self._crew.add(worker)
        self._running.add(worker)
        worker.step = worker.task.start(lambda: self._work(worker), "a worker")
        worker.step.over.add_done_callback(lambda _: self._over(worker))

    def _dismiss(self, worker: _Worker) -> None:
        self._crew.discard(worker)
        if worker.waiting is not None:
            worker.waiting.cancel()

    def _over(self, worker: _Worker) -> None:
        """Note how a worker's work ended; its task ends in the next turn."""
        self._crew.discard(worker)
        assert worker.step is not None
        self.forced += worker.step.timed_out
        try:
            worker.step.result()
        except (TimeoutError, asyncio.CancelledError) as error:
            if not worker.step.cancelled:
                self._note_crash(error)
        except BaseException as error:  # noqa: BLE001 - raised from the context
            self._note_crash(error)
        worker.task.end().add_done_callback(lambda _: self._gone(worker))

    def _note_crash(self, error: BaseException) -> None:
        if isinstance(error, StrayCancellation) and self._crew_host.ending:
            return  # `asyncio.run` ends all tasks
        self._crashes.append(error)
        self._crashed.set()

    def _gone(self, worker: _Worker) -> None:
        self._running.discard(worker)
        if not worker.ended.done():
            worker.ended.set_result(None)

    async def _employ(self, started: asyncio.Future[Any]) -> None:
        self._open = True
        started.set_result(None)
        try:
            await self._crashed.wait()  # or until the host ends it
        finally:
            for worker in self._running:
                worker.cancel()
            await self._all_ended()
            self._open = False
            if self._crashes:
                raise _as_one(self._crashes) from None

    async def _work(self, worker: _Worker) -> None:
        while worker in self._crew and len(self._crew) <= self._size:
            item = await self._wait_item(worker)
            # A dismissed one may have got an item in the same turn: that is not lost, it is its last.
            if item is not _NOTHING:
                await self._handler(item)

    async def _wait_item(self, worker: _Worker) -> T:
        assert worker.step is not None
        scope = worker.waiting = InsistentScope(worker.step.abandon)
        nothing: T = _NOTHING
        try:
            with scope:
                return await self._take()
        except _ENDS:
            self._end()
        except asyncio.CancelledError:
            if worker.step.cancelled or not scope.cancel_called:
                raise
        finally:
            worker.waiting = None
        return nothing

    def _end(self) -> None:
        self._ended.set()
        for worker in list(self._crew):
            self._dismiss(worker)


def _as_one(errors: list[BaseException]) -> BaseException:
    return errors[0] if len(errors) == 1 else BaseExceptionGroup("several workers crashed", errors)


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
