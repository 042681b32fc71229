"""One task beside the body of a context, for as long as the body runs and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Host:
    """Runs the work behind an async context manager in a task of its own.

    Unlike a task group it lets the body's exceptions leave unwrapped, and lets one task enter and another
    leave (test fixtures do). If the work fails while the body runs, that is a bug: the body is cancelled, and
    the bug raised from the context.

    Args:
        name: The task's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._body: asyncio.Task[Any] | None = None
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
        self._task = asyncio.create_task(self._run(work, started), name=self._name)
        try:
            ends: set[asyncio.Future[Any]] = {started, self._task}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self._stop()
            raise
        if self._task.done():
            self._task.result()

    async def leave(self, error: BaseException | None) -> None:
        """End the work.

        Args:
            error: What the body ended with.

        Raises:
            Exception: What the work failed with.
        """
        bug = await self._stop()
        if self._cancelled_body and (body := asyncio.current_task()) is self._body and body is not None:
            if not isinstance(error, asyncio.CancelledError):
                # The body left before our cancellation reached it; take it here, it is not the caller's.
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    pass
            body.uncancel()
        if bug is not None:
            raise bug

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
        task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return None if task.cancelled() else task.exception()


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception of a group, however deep; a group of several stays one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
