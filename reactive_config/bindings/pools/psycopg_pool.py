"""psycopg: a pool that follows a live value; its size changes in place."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import anyio

from reactive_config.bindings.pools.adapter import CLOSE_WITHIN, Options, adapter, extra
from reactive_config.bindings.pools.live_pool import LivePool
from reactive_config.bindings.pools.options import Arguments
from reactive_config.core.live import Live

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

U = TypeVar("U")

_SIZES = {"min_size", "max_size"}


def psycopg_pool(
    live: Live[U],
    *,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, AsyncConnectionPool[Any]]:
    """A psycopg pool, resized in place or opened anew when its value changes; extra `psycopg`.

        async with psycopg_pool(config.select("database")) as database:
            async with database.use() as pool, pool.connection() as connection:
                await connection.execute("SELECT 1")

    Where nothing but `min_size` and `max_size` changed, and the pool has no more connections than the new `max_size`
    allows, it is resized in place: psycopg itself would not close what is too much while it is used. A new pool has
    `min_size` connections before it is used. An old one is closed with all connections, also those that somebody still
    holds after the drain.

    Args:
        live: What `psycopg_pool.AsyncConnectionPool` takes: `conninfo`, `kwargs`, `min_size`, `max_size`, ...
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
            `conninfo` and `kwargs` are values here, not functions.
        drain: Seconds that users of the old pool have to finish.
        deadline: Seconds that opening may take.
        name: For the status.
    """
    with extra("psycopg"):
        import psycopg
        import psycopg_pool

    # The pool knows the connections that it lent out only by their number.
    made: WeakKeyDictionary[AsyncConnectionPool[Any], WeakSet[AsyncConnection[Any]]] = WeakKeyDictionary()

    async def open_pool(arguments: Arguments) -> AsyncConnectionPool[Any]:
        await _try(arguments)
        connections: WeakSet[AsyncConnection[Any]] = WeakSet()
        configure = _noting(connections, arguments.get("configure"))
        pool = psycopg_pool.AsyncConnectionPool(**{**arguments, "configure": configure, "open": False})
        made[pool] = connections
        try:
            await pool.open(wait=True, timeout=deadline)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await close(pool)
            raise
        return pool

    async def close(pool: AsyncConnectionPool[Any]) -> None:
        try:
            await pool.close(timeout=CLOSE_WITHIN)
        finally:
            with anyio.CancelScope(shield=True):
                for connection in list(made.pop(pool, ())):
                    await cut(connection)

    return adapter(
        "psycopg_pool",
        live,
        open_pool,
        close=close,
        check=_check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        answers=(psycopg.Error, psycopg_pool.PoolTimeout),
        resize=_resize,
    )


async def _try(arguments: Arguments) -> None:
    """Connect once: a pool says only that its time is over, and only then.

    Raises:
        ConnectionError: There is no connection.
    """
    import psycopg

    kind = arguments.get("connection_class", psycopg.AsyncConnection)
    try:
        connection = await kind.connect(arguments.get("conninfo", ""), **arguments.get("kwargs", {}))
    except psycopg.OperationalError as error:
        # It quotes what it took for the host: of a URL with a stray @ that is a part of the password.
        said = re.search(r"port \d+ failed: (.*)", str(error))
    except psycopg.Error as error:
        raise ValueError(type(error).__name__) from None
    else:
        await connection.close()
        return
    raise ConnectionError(said[1] if said else "no connection: check host and port")


def _noting(
    connections: WeakSet[AsyncConnection[Any]], configure: Callable[[AsyncConnection[Any]], Awaitable[None]] | None
) -> Callable[[AsyncConnection[Any]], Awaitable[None]]:
    async def note(connection: AsyncConnection[Any]) -> None:
        connections.add(connection)
        if configure is not None:
            await configure(connection)

    return note


async def _check(pool: AsyncConnectionPool[Any]) -> None:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")


async def _resize(pool: AsyncConnectionPool[Any], before: Arguments, after: Arguments) -> bool:
    """Resize, unless there would be more connections than the new `max_size`.

    The pool closes none for that but after they were idle for long, and opens as many as `min_size` grows by, however
    many it has.
    """
    if "min_size" not in after or _without_sizes(before) != _without_sizes(after):
        return False
    smallest: int = after["min_size"]
    largest: int = after.get("max_size", smallest)
    opening = max(0, smallest - pool.min_size)
    if pool.get_stats()["pool_size"] + opening > largest:
        return False
    await pool.resize(smallest, largest)
    if pool.get_stats()["pool_size"] > largest:
        raise RuntimeError("the pool grew while it was resized")
    return True


def _without_sizes(arguments: Arguments) -> Arguments:
    return {name: argument for name, argument in arguments.items() if name not in _SIZES}


async def cut(connection: AsyncConnection[Any]) -> None:
    """Close a connection that somebody may be waiting on.

    Closing alone would give its file descriptor to the next socket while the other task still waits on the number.
    So the stream is ended first, which ends that wait, with an error.
    """
    if connection.closed:
        return
    if connection.lock.locked():
        with socket.socket(fileno=os.dup(connection.fileno())) as stream:
            stream.shutdown(socket.SHUT_RDWR)
        with anyio.move_on_after(CLOSE_WITHIN):
            async with connection.lock:
                pass
    await connection.close()
