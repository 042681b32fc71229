"""asyncpg: connections that can be closed under their users, with their work at the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from reactive_config._bindings.pools.closing import CUT_WITHIN, closed_text
from reactive_config._bindings.pools.connecting import PATIENCE, Connecting


def asyncpg_connecting(connect: Callable[..., Awaitable[Any]], name: str) -> Connecting[Any]:
    """Connecting by asyncpg for the binding of that name."""
    import asyncpg

    async def connected(*args: Any, **kwargs: Any) -> Any:
        connection = await connect(*args, **kwargs)
        connection._cancellations = _Unhurried()
        return connection

    return Connecting(
        connected,
        drop=lambda connection: connection.terminate(),
        closed=lambda: asyncpg.InterfaceError(closed_text(name)),
    )


async def cut_asyncpg(connecting: Connecting[Any]) -> None:
    """Close the connections under their users, whose statements are cancelled at the server.

    From its first turn on, asyncpg's own `close` lets no new statement begin, then it cancels the one that runs and
    waits until the server has ended it. If the server does not answer, only the socket is closed.
    """
    made = list(connecting.made)
    left = [connection for connection in made if not connection.is_closed()]
    try:
        again = [_cancelling(connection) for connection in left]  # one that is closed does not know its backend
        # Less than the whole time, so that it is asyncpg that gives up: it ends its own tasks then.
        closing = (connection.close(timeout=0.7 * CUT_WITHIN) for connection in left)
        ends = await asyncio.gather(*closing, return_exceptions=True)
    finally:
        for connection in left:
            connection.terminate()
    await _send([cancel for cancel, end in zip(again, ends, strict=True) if end is not None])
    requests = [request for connection in made for request in connection._cancellations.late]
    if requests:
        await asyncio.wait(requests, timeout=PATIENCE)


def _cancelling(connection: Any) -> Callable[[], Awaitable[None]]:
    """Asks the server to end what a connection began, also once the connection is closed.

    asyncpg asks once. A request that comes to the server before its statement does is lost, and the statement goes on,
    though its socket is closed.
    """
    from asyncpg import connect_utils

    return partial(
        connect_utils._cancel,
        loop=asyncio.get_running_loop(),
        addr=connection._addr,
        params=connection._params,
        backend_pid=connection._protocol.backend_pid,
        backend_secret=connection._protocol.backend_secret,
    )


async def _send(requests: list[Callable[[], Awaitable[None]]]) -> None:
    """Send requests side by side, if the server takes them in time."""
    sending = [asyncio.ensure_future(request()) for request in requests]
    if sending:
        await asyncio.wait(sending, timeout=PATIENCE)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


class _Unhurried(set["asyncio.Task[None]"]):
    """The requests of one connection to cancel a statement; asyncpg ends them when the connection closes.

    It cancels them then, and in the turn in which their socket connects that leaves a future with an error that nobody
    retrieves, and the loop complains. So they get some time to end by themselves.

    Attributes:
        late: Those that the connection left behind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.late: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Any]:
        return iter([_LateRequest(request, self.late) for request in super().__iter__()])


class _LateRequest:
    """A request, as asyncpg sees it when the connection closes."""

    def __init__(self, request: asyncio.Task[None], late: set[asyncio.Task[None]]) -> None:
        self.done = request.done
        self.cancel = partial(_end, request, late)


def _end(request: asyncio.Task[None], late: set[asyncio.Task[None]]) -> None:
    if request is asyncio.current_task():
        return
    late.add(request)
    request.add_done_callback(late.discard)
    asyncio.get_running_loop().call_later(0.8 * PATIENCE, request.cancel)
