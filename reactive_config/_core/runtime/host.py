"""One task beside the body of a context, for as long as the body runs and no longer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from reactive_config._core.runtime.home import Home
from reactive_config._core.runtime.operator_log import logger

_left_running: set[asyncio.Task[Any]] = set()  # asyncio itself refers to a task only weakly


class Host:
    """Runs the work behind an async context manager in a task of its own.

    Unlike a task group it lets the body's exceptions leave unwrapped, and lets one task enter and another
    leave (test fixtures do). If the work fails while the body runs, that is a bug: the body is cancelled, and
    the bug raised from the context.

    Leaving waits for the work however often the waiter is cancelled, so the work must end in bounded time. It runs
    code of the program only through what bounds that: a `UserTask`, or `ended`.

    Args:
        name: The task's.
        stop: Asks the work to end; without it, its task is cancelled once.
    """

    def __init__(self, name: str, stop: Callable[[], None] | None = None) -> None:
        self._name = name
        self._ask = stop
        self._task: asyncio.Task[None] | None = None
        self._body: asyncio.Task[Any] | None = None
        self._home: Home | None = None
        self._stopping = False
        self._cancelled_body = False

    async def enter(self, work: Coroutine[Any, Any, None], started: asyncio.Future[Any]) -> None:
        """Start the work; return once `started` is done.

        Raises:
            RuntimeError: It was entered before.
            Exception: What the work failed with before that.
        """
        if self._task is not None:
            work.close()
            raise RuntimeError(f"expected a new {self._name}(...) for every context, got one that was entered before")
        self._body = asyncio.current_task()
        self._home = Home(asyncio.get_running_loop())
        self._task = asyncio.create_task(self._run(work, started), name=self._name)
        try:
            ends: set[asyncio.Future[Any]] = {started, self._task}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self._stop()
            raise
        if self._task.done():
            self._task.result()

    @property
    def ending(self) -> bool:
        """Whether the work was asked to end, or its task cancelled: by the end of `asyncio.run`, for one."""
        return self._stopping or (self._task is not None and self._task.cancelling() > 0)

    def expect_end(self) -> None:
        """Take an end of the work from now on for what was asked, and not for a bug that cancels the body."""
        self._stopping = True

    async def leave(self, error: BaseException | None) -> None:
        """End the work.

        Args:
            error: What the body ended with.

        Raises:
            WrongProcess: The work runs elsewhere: nobody could wait for it here.
            Exception: What the work failed with.
        """
        if self._task is None or self._home is None:
            raise RuntimeError(f"expected {self._name} to be entered before it is left")
        self._home.check()
        bug = await self._stop()
        if self._cancelled_body and (body := asyncio.current_task()) is self._body and body is not None:
            if not isinstance(error, asyncio.CancelledError):
                # The body left before our cancellation reached it; take it here, it is not the caller's.
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    pass
            body.uncancel()
        if bug is None:
            return
        if error is None or self._cancelled_body:
            raise bug
        # The body's own exception leaves, unwrapped.
        logger.error(
            "%s: ending raised %s, while %s left the body", self._name, type(bug).__name__, type(error).__name__
        )

    async def _run(self, work: Coroutine[Any, Any, None], started: asyncio.Future[Any]) -> None:
        try:
            await work
        except BaseExceptionGroup as group:
            raise _only(group) from None
        finally:
            body = self._body
            if started.done() and body is not None and not body.done() and not self._stopping:
                self._cancelled_body = body.cancel()

    async def _stop(self) -> BaseException | None:
        """End the task, and wait for it even when cancelled meanwhile; returns what it failed with."""
        self._stopping = True
        task = self._task
        assert task is not None
        if self._ask is None:
            task.cancel()
        else:
            self._ask()
        await outlast(task)
        return None if task.cancelled() else task.exception()


def is_cancellation(error: BaseException) -> bool:
    """Whether an error is a CancelledError, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_cancellation, error.exceptions))
    return isinstance(error, asyncio.CancelledError)


def is_failure(error: BaseException) -> bool:
    """Whether code failed in a way that ends nothing but itself: no KeyboardInterrupt, and no failure of a test."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_failure, error.exceptions))
    return isinstance(error, (Exception, asyncio.CancelledError))


def _shielded() -> AbstractContextManager[object]:
    """Keeps a cancelled scope of anyio from waking a waiter in every turn of the loop; loads anyio in no case."""
    if "anyio._backends._asyncio" not in sys.modules:
        return nullcontext()
    import anyio

    return anyio.CancelScope(shield=True)


async def outlast(future: asyncio.Future[Any]) -> None:
    """Return once a future is done, however often the waiter is cancelled meanwhile.

    Raises:
        CancelledError: The waiter was cancelled, and the future is done.
    """
    cancelled: asyncio.CancelledError | None = None
    with _shielded():
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled


async def ended(tasks: Collection[asyncio.Task[Any]], patience: float, limit: float) -> set[asyncio.Task[Any]]:
    """Cancel tasks, and wait for their end; returns those that swallowed every cancellation, and are left running.

    Args:
        tasks: Whatever they do with cancellation.
        patience: Seconds that they have to clean up after the first cancellation; then they are cancelled every second.
        limit: Seconds after which they are left.
    """
    now = asyncio.get_running_loop().time
    end = now() + limit
    due, pause = now(), patience
    cancelled: asyncio.CancelledError | None = None
    while (running := {task for task in tasks if not task.done()}) and now() < end:
        if now() >= due:
            for task in running:
                task.cancel()
            due, pause = now() + pause, 1.0
        try:
            await asyncio.wait(running, timeout=max(0.0, min(due, end) - now()))
        except asyncio.CancelledError as error:
            cancelled = error
    for task in running:
        leave_running(task)
    if cancelled is not None:
        raise cancelled
    return running


def leave_running(task: asyncio.Task[Any]) -> None:
    """Keep a task that nobody can end, and hide it from `asyncio.run`, which would wait for it for ever."""
    _left_running.add(task)
    task.add_done_callback(_found_ended)
    asyncio.tasks._unregister_task(task)  # documented under "Extending", for whoever manages tasks by itself


def _found_ended(task: asyncio.Task[Any]) -> None:
    _left_running.discard(task)
    if not task.cancelled():
        task.exception()  # nobody else asks, and asyncio would log it


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception of a group, however deep; a group of several stays one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
