"""Connecting for those who may cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

PATIENCE = 0.25
"""Seconds that a connection which nobody wants any more has to come about."""


def patient(connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same function, whose cancellation leaves nothing.

    asyncpg, cancelled in the turn in which its socket connects, leaves a future with an error that nobody retrieves,
    and the loop complains. psycopg leaves its socket to the garbage collector. So a connection may come about first,
    if that does not take long, and is closed then; and what is cancelled is a task of its own, gone with all it held.

    Args:
        connect: Returns a connection with an asynchronous `close`.
    """

    async def connected(*args: Any, **kwargs: Any) -> Any:
        connecting = asyncio.ensure_future(connect(*args, **kwargs))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await _end(connecting)
            del connecting  # the raised error holds this frame, and the cancelled task its socket
            raise

    return connected


async def _end(connecting: asyncio.Future[Any]) -> None:
    try:
        await asyncio.wait([connecting], timeout=PATIENCE)
    finally:
        connecting.cancel()
    await asyncio.wait([connecting])
    if not connecting.cancelled() and connecting.exception() is None:
        with anyio.move_on_after(PATIENCE):
            await connecting.result().close()
