"""psycopg: a pool that follows a live value; its size changes in place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import anyio

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.closing import CLOSE_WITHIN, close_within
from reactive_config._bindings.pools.connecting import Connecting
from reactive_config._bindings.pools.known_arguments import KnownArguments, names_of
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._bindings.pools.psycopg_closing import (
    ConnectionWaits,
    cut_psycopg,
    psycopg_connecting,
    unconnected,
)
from reactive_config._core.runtime.live import Live, label

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
    holds after the drain: their statements are cancelled at the server first.

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
    opened: WeakKeyDictionary[AsyncConnectionPool[Any], tuple[Connecting[AsyncConnection[Any]], ConnectionWaits]] = (
        WeakKeyDictionary()
    )
    label_ = label("psycopg_pool", live, name)

    async def open_pool(arguments: Arguments) -> AsyncConnectionPool[Any]:
        kind = arguments.get("connection_class", psycopg.AsyncConnection)
        connect = psycopg_connecting(kind.connect, label_)
        await _try(connect, arguments)
        arguments = {**arguments, "connection_class": _class_that_connects_by(connect, kind), "open": False}
        waits = ConnectionWaits(label_)
        pool = waits.pool(arguments)
        opened[pool] = connect, waits
        try:
            await pool.open(wait=True, timeout=deadline)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await close(pool)
            raise
        return pool

    async def close(pool: AsyncConnectionPool[Any]) -> None:
        if pool not in opened:
            return  # it was closed before
        connect, waits = opened.pop(pool)

        async def polite() -> None:
            # The pool waits for its workers, which may be connecting. Both are closed at once, so that the workers are
            # told to stop even if this is cancelled early.
            await asyncio.gather(connect.close(), pool.close(timeout=CLOSE_WITHIN))

        async def cut() -> None:
            connect.is_closed = True
            waits.end()
            await cut_psycopg(connect)

        await close_within(polite, cut)

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
        known=KnownArguments("psycopg_pool.AsyncConnectionPool", names_of(psycopg_pool.AsyncConnectionPool)),
        answers=(psycopg.Error, psycopg_pool.PoolTimeout),
        resize=_resize,
    )


async def _try(connect: Connecting[AsyncConnection[Any]], arguments: Arguments) -> None:
    """Connect once: a pool raises only that its time is over, and only then.

    Raises:
        ConnectionError: There is no connection.
    """
    import psycopg

    try:
        connection = await connect(arguments.get("conninfo", ""), **arguments.get("kwargs", {}))
    except psycopg.OperationalError as error:
        replaced = unconnected(error)
    except psycopg.Error as error:
        raise ValueError(type(error).__name__) from None
    else:
        await connection.close()
        return
    raise replaced


def _class_that_connects_by(connect: Connecting[Any], kind: Any) -> Any:
    """The user's class of connections; the pool connects by the class alone."""

    async def connected(_cls: Any, *args: Any, **kwargs: Any) -> Any:
        return await connect(*args, **kwargs)

    return type(kind.__name__, (kind,), {"connect": classmethod(connected)})


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
