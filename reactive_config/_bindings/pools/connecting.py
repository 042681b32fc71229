"""Connecting for a pool, whose users may be cancelled, and which may be closed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import anyio

C = TypeVar("C")

PATIENCE = 0.25
"""Seconds that a connection which nobody wants any more has to come about."""


class Connecting(Generic[C]):
    """A driver's function that connects, for one pool.

    A cancellation leaves nothing. asyncpg, cancelled in the turn in which its socket connects, leaves a future with an
    error that nobody retrieves, and the loop complains. psycopg leaves its socket to the garbage collector. So a
    connection may come about first, if that does not take long, and is dropped then; and what is cancelled is a task of
    its own, gone with all it held.

    Once it is closed, nobody connects any more, nor do those who are connecting then.

    Args:
        connect: Returns a connection.
        drop: Ends a connection at once.
        closed: Makes the error for those who come later.

    Attributes:
        made: The connections that are still there, closed or not.
    """

    def __init__(
        self, connect: Callable[..., Awaitable[C]], drop: Callable[[C], object], closed: Callable[[], Exception]
    ) -> None:
        self.made: WeakSet[C] = WeakSet()
        self.is_closed = False
        self._connect = connect
        self._drop = drop
        self._closed = closed
        self._under_way: set[asyncio.Future[C]] = set()

    async def __call__(self, *args: Any, **kwargs: Any) -> C:
        if self.is_closed:
            raise self._closed()
        connecting = asyncio.ensure_future(self._connect(*args, **kwargs))
        self._under_way.add(connecting)
        try:
            await asyncio.wait([connecting])
            if not self.is_closed:
                connection = connecting.result()
                self.made.add(connection)
                return connection
        except asyncio.CancelledError as error:
            with anyio.CancelScope(shield=True):
                await self._give_up([connecting])
            # Its frames hold the cancelled task, and that one its socket. So does this frame, hence the `del`.
            error.__traceback__ = None
            raise
        finally:
            self._under_way.discard(connecting)
            del connecting
        raise self._closed()

    async def close(self) -> None:
        """Connect no more, and end what is connecting now."""
        self.is_closed = True
        await self._give_up(list(self._under_way))

    async def _give_up(self, under_way: list[asyncio.Future[C]]) -> None:
        if not under_way:
            return
        for connecting in under_way:
            connecting.add_done_callback(self._drop_result)
        try:
            await asyncio.wait(under_way, timeout=PATIENCE)
        finally:
            for connecting in under_way:
                connecting.cancel()
        await asyncio.wait(under_way, timeout=PATIENCE)

    def _drop_result(self, connecting: asyncio.Future[C]) -> None:
        if not connecting.cancelled() and connecting.exception() is None:
            self._drop(connecting.result())
