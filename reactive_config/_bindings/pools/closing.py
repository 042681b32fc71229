"""Closing within a bounded time, whatever the library does and however often the closing is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

CLOSE_WITHIN = 2.0
"""Seconds that a library has to close politely. Users had the drain; what is left after this is cut."""

CUT_WITHIN = 1.0
"""Seconds to cut what is left: its work at the server is cancelled first, if the server answers."""

HURRY = 0.25
"""Seconds for the cut once the closing itself is cancelled, and for a step to end once it is cancelled."""

Step = Callable[[], Coroutine[Any, Any, object]]


def closed_text(name: str) -> str:
    """The message for those who kept a thing that is closed.

    Args:
        name: The binding's.
    """
    return f"{name}: this one is closed; use() gives the one in force"


async def close_within(polite: Step, cut: Step) -> None:
    """Close politely, then cut what is left.

    Each step is a task of its own, so that a cancellation of the caller does not tear it: that ends the polite step's
    time, leaves the cut `HURRY` seconds, and is raised then. The polite step goes on beside the cut, which is often
    what it waits for. All takes `CLOSE_WITHIN + CUT_WITHIN + HURRY` seconds at most; twice `HURRY` from a cancellation.

    Args:
        polite: Has `CLOSE_WITHIN` seconds.
        cut: Has `CUT_WITHIN` seconds. It always runs, and finds nothing to do if the polite step ended well.

    Raises:
        asyncio.CancelledError: The caller was cancelled.
        Exception: What a step raised.
    """
    waiting = _Waiting()
    closing = asyncio.ensure_future(polite())
    await waiting.wait(closing, CLOSE_WITHIN, after_cancel=0.0)
    cutting = asyncio.ensure_future(cut())
    await waiting.wait(cutting, CUT_WITHIN, after_cancel=HURRY)
    await waiting.end(cutting, closing)
    if waiting.cancelled is not None:
        raise waiting.cancelled
    for task in (cutting, closing):
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error


class _Waiting:
    """Waits for tasks, and keeps a cancellation for later.

    Attributes:
        cancelled: The first cancellation that came.
    """

    def __init__(self) -> None:
        self.cancelled: asyncio.CancelledError | None = None

    async def wait(self, task: asyncio.Future[object], seconds: float, *, after_cancel: float) -> None:
        """Return once the task is done, its seconds have passed, or those after a cancellation have."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (seconds if self.cancelled is None else after_cancel)
        while not task.done() and (left := end - loop.time()) > 0:
            try:
                # A cancelled scope of anyio would cancel each wait anew.
                with anyio.CancelScope(shield=self.cancelled is not None):
                    await asyncio.wait([task], timeout=left)
            except asyncio.CancelledError as error:
                if self.cancelled is None:
                    self.cancelled = error
                    end = min(end, loop.time() + after_cancel)

    async def end(self, *tasks: asyncio.Future[object]) -> None:
        """Cancel what still runs. A task that swallows that is left alone after `HURRY` seconds."""
        for task in tasks:
            task.add_done_callback(_retrieve)
            await self.wait(task, 0.01, after_cancel=0.01)  # those that waited for the cut end by themselves
            task.cancel()
            await self.wait(task, HURRY, after_cancel=HURRY)


def _retrieve(task: asyncio.Future[object]) -> None:
    """Take the error, which else would be reported as never retrieved."""
    if not task.cancelled():
        task.exception()
