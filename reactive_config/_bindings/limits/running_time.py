"""A time limit that does not count the time for which this process kept the event loop busy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

_TICKS = 10
"""Pieces of the time limit; each is counted once the loop runs, so the block has as many turns of the loop at least."""


@contextmanager
def fail_after_running(seconds: float) -> Iterator[None]:
    """Like `anyio.fail_after`, but a loop that was held for long counts as one tenth of the limit.

    An answer that came while the loop was held waits in the socket. A plain time limit would be over in the turn in
    which it could be read.

    Args:
        seconds: The limit while the loop runs freely.

    Raises:
        TimeoutError: The limit passed.
    """
    loop = asyncio.get_running_loop()
    wakeup = loop.call_later(seconds / _TICKS, lambda: tick(_TICKS - 1))

    def tick(left: int) -> None:
        nonlocal wakeup
        if left:
            wakeup = loop.call_later(seconds / _TICKS, lambda: tick(left - 1))
        else:
            scope.cancel()

    with anyio.CancelScope() as scope:
        try:
            yield
        finally:
            wakeup.cancel()
    if scope.cancelled_caught:
        raise TimeoutError
