"""Waiting with a limit.

From a start until an outage this room and the source over it use asyncio alone: the first call of anyio loads its
backend, which takes a quarter of what a start with a few keys takes. Where a cancellation must be kept out
(closing a channel), and for threads, anyio is worth that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def wait_within(seconds: float | None, pending: Awaitable[object]) -> bool:
    """Wait for something, for so many seconds at most; whether it came in time. Cancelled if it did not."""
    try:
        async with asyncio.timeout(seconds):
            await pending
    except TimeoutError:
        return False
    return True
