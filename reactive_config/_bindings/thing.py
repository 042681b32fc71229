"""One thing of the program's: the task in which it lives, and those who use it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import anyio

from reactive_config._bindings.insistent_scope import CANCEL_FOR
from reactive_config._bindings.user_task import UserStep, UserTask
from reactive_config._core.runtime.host import is_failure
from reactive_config._core.runtime.operator_log import logger

R = TypeVar("R")


Dispose = Callable[[R], Awaitable[None]]


class Thing(Generic[R]):
    """A thing from its making to its end. Everything that the program does to it runs in one task, of its own.

    So what `build` enters (a task group, a cancel scope) `close` can leave, and code that cannot be ended holds up
    nothing but its own thing.

        open ──> use ... use ──> retire: drain ──> close ──> gone

    Args:
        name: The binding's.
        close: Disposes of it.
        deadline: Seconds that opening, and closing, may take.
        left_running: As for `UserTask`.
        forced: Called with the number of users under whom it is closed.

    Attributes:
        task: What runs the program's code for it.
        users: How many use it now.
        replaced: Done once it is let go: a newer one is in force, or leaving has begun.
        gone: Done once it is closed, or abandoned.
        failure: What closing it raised that no binding may hide: an exception that is no `Exception`.
    """

    def __init__(
        self,
        name: str,
        close: Dispose[R] | None,
        deadline: float,
        left_running: Callable[[asyncio.Future[Any]], None],
        forced: Callable[[int], None],
    ) -> None:
        self.task: UserTask = UserTask(name, left_running)
        self.users: int = 0
        self.replaced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: BaseException | None = None
        self._name = name
        self._close = close
        self._deadline = deadline
        self._forced = forced
        self._idle = asyncio.Event()
        self._idle.set()
        self._made: list[R] = []
        self._drain_until = math.inf
        self._draining: anyio.CancelScope | None = None
        self._close_by, self._cutting = math.inf, CANCEL_FOR
        self._closing: UserStep[None] | None = None
        self._closing_had = deadline

    @property
    def value(self) -> R:
        """What the program made; only once it is open."""
        return self._made[0]

    def begin_use(self) -> R:
        """Count a user in."""
        self.users += 1
        self._idle.clear()
        return self.value

    def end_use(self) -> None:
        """Count a user out."""
        self.users -= 1
        if not self.users:
            self._idle.set()

    async def open(self, build: Callable[[], Awaitable[R]], check: Dispose[R] | None) -> None:
        """Build and check. If this raises, or is cancelled, there may be something to `retire` all the same.

        Raises:
            TimeoutError: The deadline passed.
            Exception: Whatever building or checking raised.
        """
        await self.task.start(lambda: self._open(build, check), "build", self._deadline).outcome()

    def retire(self, drain: float) -> None:
        """Begin to let go, without waiting: its users may finish, then it is closed. `gone` is done at the end.

        Args:
            drain: Seconds that users have.
        """
        if self.replaced.done():
            return
        self.replaced.set_result(None)
        self._drain_until = asyncio.get_running_loop().time() + drain
        step = self.task.step
        if step is None:
            self._begin_closing()
        else:  # it is being built, or resized
            step.cancel()
            step.over.add_done_callback(self._begin_closing)

    def hurry(self, within: float) -> None:
        """Be gone within so many seconds, if that is sooner; a quarter of it, or the deadline, is kept for closing."""
        now = asyncio.get_running_loop().time()
        self._cutting = min(CANCEL_FOR, within / 4)
        self._close_by = now + within - self._cutting
        self._drain_until = min(self._drain_until, self._close_by - min(self._deadline, within / 4))
        if self._draining is not None:
            self._draining.deadline = self._drain_until
        elif self._closing is not None:
            self._closing_had = min(self._closing_had, self._close_by - now)
            self._closing.limit(self._close_by - now, self._cutting)
        elif self.task.step is not None:
            self.task.step.cancel(self._cutting)

    async def _open(self, build: Callable[[], Awaitable[R]], check: Dispose[R] | None) -> None:
        step = self.task.step
        made = await build()
        if step is not None and step.abandoned:
            logger.warning("%s: a build that was given up has ended; what it made is closed", self._name)
            await self._dispose(made)
            return
        self._made.append(made)
        if check is not None:
            if step is not None:
                step.what = "check"
            await check(made)

    def _begin_closing(self, _: object = None) -> None:
        if not self._made:
            self._end()
            return
        self._closing = self.task.start(self._drain_and_close, "close")
        self._closing.over.add_done_callback(self._closed)

    async def _drain_and_close(self) -> None:
        if self.users:
            with anyio.CancelScope(deadline=self._drain_until) as self._draining:
                await self._idle.wait()
            self._draining = None
        if self.users:
            self._forced(self.users)
        assert self._closing is not None
        left = self._close_by - asyncio.get_running_loop().time()
        self._closing_had = max(0.0, min(self._deadline, left))
        self._closing.limit(self._closing_had, self._cutting)
        await self._dispose(self.value)

    async def _dispose(self, made: R) -> None:
        if self._close is not None:
            await self._close(made)

    def _closed(self, _: object) -> None:
        assert self._closing is not None
        try:
            self._closing.result()
        except BaseException as error:  # noqa: BLE001 - it is gone anyway; nothing else may suffer
            if not is_failure(error):
                self.failure = error  # whoever waits for the end raises it
            elif self._closing.timed_out and not self._closing.abandoned:  # else that is in the log already
                logger.warning("%s: close took longer than %g s, and was cancelled", self._name, self._closing_had)
            elif not self._closing.timed_out:
                logger.warning("%s: close raised %s", self._name, type(error).__name__)
        self._end()

    def _end(self) -> None:
        self._made.clear()
        self.task.end().add_done_callback(lambda _: self.gone.set_result(None))
