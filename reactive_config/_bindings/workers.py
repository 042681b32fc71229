"""A group of tasks that grows and shrinks with a live number, and moves to the new thing of a binding."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import anyio

from reactive_config._bindings.binding import Binding, got
from reactive_config._bindings.insistent_scope import CANCEL_FOR, InsistentScope
from reactive_config._bindings.lease import Lease
from reactive_config._bindings.rebuilt import Rebuilt
from reactive_config._bindings.user_task import UserStep, UserTask
from reactive_config._core.runtime.host import Host, outlast
from reactive_config._core.runtime.live import Live
from reactive_config._core.runtime.operator_log import logger
from reactive_config.errors import InvalidValue, StrayCancellation

T = TypeVar("T")
R = TypeVar("R")


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

    def end_waiting(self) -> None:
        """Cancel its waiting for an item, if it waits for one."""
        if self.waiting is not None and self.step is not None and not self.waiting.cancel_called:
            self.step.cancelled_at = asyncio.get_running_loop().time()  # for the log, should it never end
            self.waiting.cancel()


class Workers(Binding[int], Generic[T]):
    """Tasks that take items and handle them, as many as a live value says. Made by `workers`."""

    self_bounded: ClassVar[bool] = True  # `take` and `handler` run in the workers' own tasks

    def __init__(
        self,
        live: Live[int],
        handler: Callable[..., Awaitable[object]],
        take: Callable[..., Awaitable[T]],
        using: Rebuilt[Any, Any] | None,
        drain: float,
        name: str,
    ) -> None:
        super().__init__(live, name=name)
        if not 0 <= drain < math.inf:
            raise ValueError(f"drain: expected seconds, 0 or more, got {drain}")
        if using is not None and not isinstance(using, Rebuilt):
            raise TypeError(f"using: expected what rebuilt(...) or a pool's function gave, got {type(using).__name__}")
        self._handler = handler
        self._take = take
        self._using = using
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
        if self._using is not None:
            _ = self._using.in_force  # raises unless it is open
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
        worker.end_waiting()

    def _over(self, worker: _Worker) -> None:
        """Note how a worker's work ended; its task ends in the next turn."""
        self._crew.discard(worker)
        assert worker.step is not None
        self.forced += worker.step.timed_out
        try:
            worker.step.result()
        except (TimeoutError, asyncio.CancelledError) as error:
            if not (worker.step.cancelled or worker.step.abandoned):
                self._note_crash(error)
        except BaseException as error:  # noqa: BLE001 - raised from the context
            self._note_crash(error)
        worker.task.end().add_done_callback(lambda _: self._gone(worker))
        if worker.step.abandoned:
            self._fit()  # another one takes its place

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
        if self._using is None:
            while self._stays(worker):
                await self._handle_one(worker, (), None)
            return
        while self._stays(worker):
            if not self._using.lends:  # it is being left: nothing more can be taken by it
                self._end()
                return
            lease = self._using.use()
            async with lease as thing:
                while self._stays(worker) and not lease.replaced:
                    await self._handle_one(worker, (thing,), lease)

    def _stays(self, worker: _Worker) -> bool:
        """Whether it goes on. One who is too many leaves the crew at once: who asks later in this turn stays."""
        if len(self._crew) > self._size:
            self._crew.discard(worker)
        return worker in self._crew

    async def _handle_one(self, worker: _Worker, things: tuple[Any, ...], lease: Lease[Any] | None) -> None:
        item = await self._wait_item(worker, things, lease)
        # A dismissed one may have got an item in the same turn: that is not lost, it is its last.
        if item is not _NOTHING:
            await self._handler(item, *things)

    async def _wait_item(self, worker: _Worker, things: tuple[Any, ...], lease: Lease[Any] | None) -> T:
        assert worker.step is not None
        scope = worker.waiting = InsistentScope(worker.step.abandon)
        nothing: T = _NOTHING
        try:
            with scope, lease.when_replaced(worker.end_waiting) if lease is not None else nullcontext():
                return await self._take(*things)
        except asyncio.CancelledError:
            if worker.step.cancelled or not scope.cancel_called:
                raise
        except Exception as error:
            if lease is not None and lease.replaced:  # it was closed, or is: the new one says how things are
                logger.info("%s: take raised %s as its thing was replaced", self.name, type(error).__name__)
            elif isinstance(error, _ENDS):
                self._end()
            else:
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


@overload
def workers(
    live: Live[int],
    handler: Callable[[T], Awaitable[object]],
    *,
    take: Callable[[], Awaitable[T]],
    drain: float = ...,
    name: str = ...,
) -> Workers[T]: ...
@overload
def workers(
    live: Live[int],
    handler: Callable[[T, R], Awaitable[object]],
    *,
    take: Callable[[R], Awaitable[T]],
    using: Rebuilt[Any, R],
    drain: float = ...,
    name: str = ...,
) -> Workers[T]: ...
def workers(
    live: Live[int],
    handler: Callable[..., Awaitable[object]],
    *,
    take: Callable[..., Awaitable[T]],
    using: Rebuilt[Any, Any] | None = None,
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

    With `using`, a consumer moves to the new client when it is replaced, instead of being cut a drain later:

        async with workers(config.select("workers"), handle, take=take, using=client): ...

    Each worker has a lease of the binding's thing, which `take(thing)` and `handler(item, thing)` are given. When it is
    replaced, a worker that waits in `take` is cancelled there, and calls it again with the new thing at once; a busy
    one does so after its item, for which it has the drain of the binding. Whatever `take` raises of a thing that was
    replaced, its end included, counts as "again". When the binding is left, nothing more comes: that is an end of
    `take`.

    Args:
        live: How many.
        handler: Called with one item at a time.
        take: Waits for the next item; called by several workers at the same time. It must not lose an item when
            it is cancelled: `asyncio.Queue.get` and anyio's `receive` do not.
        using: A `rebuilt` or a pool that was entered before and is left after this.
        drain: Seconds, 0 or more.
        name: For the status.
    """
    return Workers(live, handler, take, using, drain, name)
