"""Runs code of the program, which may do what it likes with cancellation, so that whoever waits for it never hangs.

build, check, resize, close ──start──> UserTask ──in one task, one after the other──> UserStep ──wait──> binding
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from reactive_config._bindings.insistent_scope import CANCEL_FOR, InsistentScope
from reactive_config._core.runtime.host import is_cancellation, is_failure, leave_running, outlast
from reactive_config._core.runtime.operator_log import logger
from reactive_config.errors import StrayCancellation

T = TypeVar("T")


class UserStep(Generic[T]):
    """One call of the program's code. Made by `UserTask.start`.

    It is over in bounded time once it is cancelled, or has a limit: if the code swallows every cancellation, it is
    abandoned, which is logged. Until then nobody else's cancellation reaches it.

    Args:
        call: The code.
        what: What a person calls it: `build`, `close`.
        scope: Around the task that makes the call; it makes no other one meanwhile.
        abandoned: Called when the step is.

    Attributes:
        what: The same.
        over: Done once the step is over, whatever came of it.
        abandoned: Whether the code still ran when it was over.
        cancelled: Whether it was cancelled, by its limit or by `cancel`; it may have ended by itself all the same.
        cancelled_at: When, by the loop's clock.
        timed_out: Whether its limit passed.
        following: The step after it, or None: the task's end.
    """

    def __init__(
        self,
        call: Callable[[], Awaitable[T]],
        what: str,
        scope: InsistentScope,
        abandoned: Callable[[UserStep[T]], None],
    ) -> None:
        self._call = call
        self.what = what
        self._scope = scope
        self._on_abandoned = abandoned
        self._begun = False
        self._limit: asyncio.TimerHandle | None = None
        self._over_by = math.inf  # when it is abandoned at the latest, by the loop's clock
        self.timed_out: bool = False
        self._result: list[T] = []
        self._error: BaseException | None = None
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        self.following: asyncio.Future[UserStep[Any] | None] = loop.create_future()
        self._waiters: list[asyncio.Future[None]] = []
        self.abandoned: bool = False
        self.cancelled: bool = False
        self.cancelled_at: float = 0.0

    def limit(self, seconds: float, cancel_for: float = CANCEL_FOR) -> None:
        """Cancel the step if it is not over so many seconds from now; of several limits the earliest counts.

        Args:
            seconds: 0 or less is now.
            cancel_for: Seconds for which it is then cancelled before it is abandoned.
        """
        if self.over.done():
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, seconds)
        self._over_by = min(self._over_by, at + cancel_for)
        if self.cancelled:
            self.cancel(self._over_by - loop.time())
        elif self._limit is None or at < self._limit.when():
            if self._limit is not None:
                self._limit.cancel()
            self._limit = loop.call_at(at, self._overdue)

    def cancel(self, within: float = CANCEL_FOR) -> None:
        """Cancel the step, again and again; after `within` seconds it is abandoned."""
        if self.over.done():
            return
        if not self.cancelled:
            self.cancelled_at = asyncio.get_running_loop().time()
        self.cancelled = True
        if self._begun:
            self._scope.cancel(within)
        else:
            self._end()

    async def wait(self) -> None:
        """Return once the step is over. If the waiter is cancelled, the step goes on."""
        if not self.over.done():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # a shield would take a turn more
            self._waiters.append(waiter)
            await waiter

    async def outcome(self) -> T:
        """What the code returned, once it is over. If the waiter is cancelled, so is the step, and that is waited for.

        Raises:
            TimeoutError: The limit passed.
            StrayCancellation: The code raised a CancelledError of its own.
            BaseException: Whatever else the code raised.
        """
        try:
            await self.wait()
        except asyncio.CancelledError:
            self.cancel()
            await outlast(self.over)
            raise
        return self.result()

    async def finished(self) -> T:
        """What the code returned, once it is over. If the waiter is cancelled, the step goes on and is waited for.

        Raises:
            BaseException: As `outcome`; CancelledError if the waiter was cancelled.
        """
        await outlast(self.over)
        return self.result()

    @property
    def succeeded(self) -> bool:
        """Whether the code returned, which it also may after it was cancelled."""
        return bool(self._result)

    def result(self) -> T:
        """What the code returned; only once the step is over. Raises as `outcome` does."""
        if self._result:
            return self._result[0]
        error, self._error = self._error, None  # a kept traceback would keep the program's things alive
        if error is None:
            raise TimeoutError if self.timed_out else asyncio.CancelledError
        try:
            raise error
        finally:
            del error

    async def run(self) -> None:
        """`UserTask` only: make the call. Raises nothing but what ends a process."""
        if self.cancelled:
            return
        self._begun = True
        try:
            self._result.append(await self._call())
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            self._error = error
            raise
        except BaseException as error:  # noqa: BLE001 - whoever waits for the step raises it
            if not is_cancellation(error):
                mixed = not isinstance(error, Exception) and is_failure(error)  # a group with a CancelledError in it
                self._error = StrayCancellation(self.what) if mixed else error
            elif not self.cancelled:
                self._error = StrayCancellation(self.what)
        finally:
            if not self.abandoned:
                self._scope.calm()
            self._end()

    def _overdue(self) -> None:
        self.timed_out = True
        self.cancel(self._over_by - asyncio.get_running_loop().time())

    def abandon(self) -> None:
        """Let the code run on, and be over; it has swallowed every cancellation."""
        if self.over.done():
            return
        self.abandoned = True
        self._on_abandoned(self)
        self._end()

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        for future in (self.over, *self._waiters):
            _resolve(future)
        self._waiters.clear()


class UserTask:
    """A task in which one call of the program's code runs after the other, so that what a call enters (a task group,
    a cancel scope) a later one can leave.

    Args:
        name: In front of every message: the binding's.
        left_running: Called when a call was abandoned, with a future that is done when the call ends at last.
    """

    def __init__(self, name: str, left_running: Callable[[asyncio.Future[Any]], None]) -> None:
        self._name = name
        self._left_running = left_running
        self._task: asyncio.Task[None] | None = None
        self._step: UserStep[Any] | None = None
        self._scope: InsistentScope | None = None
        self._endings: list[asyncio.Future[None]] = []  # who waits for the end of the task

    @property
    def step(self) -> UserStep[Any] | None:
        """The call that is under way."""
        return None if self._step is None or self._step.over.done() else self._step

    def start(self, call: Callable[[], Awaitable[T]], what: str, within: float | None = None) -> UserStep[T]:
        """Begin a call; in a new task if the one before was abandoned.

        Args:
            call: The code.
            what: What a person calls it.
            within: Seconds after which it is cancelled.
        """
        assert self.step is None, f"{what}: one call after the other"
        before = self._step
        anew = before is None or self._task is None or self._task.done() or before.following.done()
        if anew or self._scope is None:
            self._scope = InsistentScope(self._give_up)
        step = self._step = UserStep(call, what, self._scope, self._abandoned)
        if within is not None:
            step.limit(within)
        if anew or before is None:
            # Not by the loop's task factory: an eager one would run the call before the caller has its step.
            self._task = asyncio.Task(self._serve(step, self._scope), loop=asyncio.get_running_loop(), name=self._name)
        else:
            before.following.set_result(step)
        return step

    def end(self) -> asyncio.Future[None]:
        """Let the task end, now or after the call under way; returns what is done then, or when that is abandoned."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._step is not None and not self._step.following.done():
            self._step.following.set_result(None)
        if self._task is None:
            ended.set_result(None)
        else:
            self._task.add_done_callback(lambda _: _resolve(ended))
            self._endings.append(ended)
        return ended

    async def _serve(self, first: UserStep[Any], scope: InsistentScope) -> None:
        step: UserStep[Any] | None = first
        scope.__enter__()
        while step is not None:
            await step.run()
            await _forget_cancellations()
            if step.abandoned:
                break
            try:
                step = await step.following
            except asyncio.CancelledError:
                break  # somebody ends all tasks of the loop
        try:
            scope.__exit__(None, None, None)
        except RuntimeError:
            logger.warning("%s: its code left a cancel scope or a task group open", self._name)

    def _give_up(self) -> None:
        if self._step is not None:
            self._step.abandon()

    def _abandoned(self, step: UserStep[Any]) -> None:
        task, self._task = self._task, None
        assert task is not None
        logger.warning(
            "%s: %s did not end although it was cancelled for %.1f s; it is abandoned, and keeps all that it holds",
            self._name,
            step.what,
            asyncio.get_running_loop().time() - step.cancelled_at,
        )
        leave_running(task)
        self._left_running(task)
        for ended in self._endings:
            _resolve(ended)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _forget_cancellations() -> None:
    """Clear what a call left behind: it may have cancelled its own task and not have waited for that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        while task.uncancel():
            pass
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass
