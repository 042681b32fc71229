"""psycopg: connections that can be closed under their users, with their work at the server.

Also what psycopg says when there is no connection, without what it quotes.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from typing import TYPE_CHECKING, Any

import anyio

from reactive_config._bindings.pools.closing import CUT_WITHIN, closed_text
from reactive_config._bindings.pools.connecting import Connecting
from reactive_config._bindings.pools.options import Arguments

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool


_CANCEL_AGAIN = 0.2
"""Seconds after which a statement that still runs is cancelled once more: the server may have read the first request
before the statement."""


def psycopg_connecting(connect: Any, name: str) -> Connecting[Any]:
    """Connecting by psycopg for the binding of that name."""
    import psycopg

    return Connecting(
        connect,
        drop=lambda connection: connection.pgconn.finish(),
        closed=lambda: psycopg.OperationalError(closed_text(name)),
    )


class ConnectionWaits:
    """Those who wait for a connection of one pool.

    psycopg tells them last that the pool is closed, once its workers have ended. If its closing is cancelled before
    that, they would wait for their own timeout.

    Args:
        name: The binding's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._scopes: set[anyio.CancelScope] = set()

    def end(self) -> None:
        """Tell all of them now."""
        for scope in list(self._scopes):
            scope.cancel()

    def pool(self, arguments: Arguments) -> AsyncConnectionPool[Any]:
        """A pool whose users wait here. It is not open yet."""
        import psycopg_pool

        scopes, closed = self._scopes, closed_text(self._name)

        class WaitingPool(psycopg_pool.AsyncConnectionPool[Any]):
            async def getconn(self, timeout: float | None = None) -> Any:
                with anyio.CancelScope() as scope:
                    scopes.add(scope)
                    try:
                        return await super().getconn(timeout)
                    finally:
                        scopes.discard(scope)
                raise psycopg_pool.PoolClosed(closed)

        return WaitingPool(**arguments)


async def cut_psycopg(connecting: Connecting[AsyncConnection[Any]]) -> None:
    """Close the connections under their users, whose statements are cancelled at the server.

    If the server does not answer, only the sockets are closed.
    """
    await asyncio.gather(*(_cut(connection) for connection in list(connecting.made)), return_exceptions=True)


async def _cut(connection: AsyncConnection[Any]) -> None:
    """Close a connection that somebody may be waiting on.

    Closing alone would give its file descriptor to the next socket while the other task still waits on the number.
    So that wait ends first: by the cancelled statement, or, if the server does not answer, by the end of the stream.
    With the lock taken no new statement can begin.
    """
    if connection.closed:
        return
    taking = asyncio.ensure_future(connection.lock.acquire())
    try:
        await asyncio.sleep(0)
        if not taking.done():
            with anyio.move_on_after(0.7 * CUT_WITHIN):
                await _cancel_until(taking, connection)
        if not taking.done():
            _end_stream(connection)
            await asyncio.wait([taking], timeout=0.1 * CUT_WITHIN)
    finally:
        if taking.done() and not taking.cancelled():
            connection.pgconn.finish()
            connection.lock.release()
        else:
            taking.cancel()
            _end_stream(connection)
            # Not before those who wait for the stream have seen its end.
            asyncio.get_running_loop().call_later(0.05, connection.pgconn.finish)


async def _cancel_until(taking: asyncio.Future[Any], connection: AsyncConnection[Any]) -> None:
    while not taking.done():
        try:
            await connection.cancel_safe(timeout=0.7 * CUT_WITHIN)
        except Exception:  # noqa: BLE001, S110 - the server does not take it; perhaps the next one
            pass
        await asyncio.wait([taking], timeout=_CANCEL_AGAIN)


def _end_stream(connection: AsyncConnection[Any]) -> None:
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as stream:
            stream.shutdown(socket.SHUT_RDWR)


_SAID = re.compile(r"port \d+ failed: (FATAL: .*|[^\"'\n]*)$", re.MULTILINE)
"""What the server, or the operating system, answers. Before it stands the host, which for a URL with a stray @ is a
part of the password; in quotes stands what else the arguments say."""


def unconnected(error: BaseException | None) -> ConnectionError:
    """The error to raise in place of psycopg's own, which may quote an argument.

    Args:
        error: psycopg's OperationalError, raised by connecting.
    """
    said = _SAID.search(str(error))
    return ConnectionError(said[1] if said else "no connection: check host and port")
