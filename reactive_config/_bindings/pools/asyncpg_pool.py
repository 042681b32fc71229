"""asyncpg: a pool that follows a live value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.asyncpg_closing import asyncpg_connecting, cut_asyncpg
from reactive_config._bindings.pools.closing import close_within
from reactive_config._bindings.pools.connecting import Connecting
from reactive_config._bindings.pools.known_arguments import KnownArguments, names_of
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._core.runtime.live import Live, label

if TYPE_CHECKING:
    import asyncpg

U = TypeVar("U")


def asyncpg_pool(
    live: Live[U],
    *,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, asyncpg.Pool[Any]]:
    """An asyncpg pool, opened anew when its value changes; extra `asyncpg`.

        async with asyncpg_pool(config.select("database")) as database:
            async with database.use() as pool, pool.acquire() as connection:
                await connection.fetchval("SELECT 1")

    A new pool has its first connections and has answered a SELECT before it is used. An old one is closed when its
    connections are back. If that takes longer than two seconds, their statements are cancelled at the server and the
    connections are cut, and nobody connects by that pool any more.

    Args:
        live: What `asyncpg.create_pool` takes: `dsn`, `min_size`, `max_size`, ...
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old pool have to finish.
        deadline: Seconds that opening may take.
        name: For the status.
    """
    with extra("asyncpg"):
        import asyncpg

    connecting: dict[asyncpg.Pool[Any], Connecting[Any]] = {}  # of the pools that are open
    label_ = label("asyncpg_pool", live, name)

    async def open_pool(arguments: Arguments) -> asyncpg.Pool[Any]:
        connect = asyncpg_connecting(arguments.get("connect", asyncpg.connect), label_)
        pool = asyncpg.create_pool(**{**arguments, "connect": connect})
        try:
            await pool
        except BaseException:
            try:
                with anyio.CancelScope(shield=True):
                    await connect.close()  # if one fails, asyncpg leaves the others that it opens at once to themselves
            finally:
                for connection in list(connect.made):
                    connection.terminate()
            raise
        connecting[pool] = connect
        return pool

    async def close(pool: asyncpg.Pool[Any]) -> None:
        connect = connecting.pop(pool, None)
        if connect is None:
            return  # it was closed before

        async def cut() -> None:
            await asyncio.gather(connect.close(), cut_asyncpg(connect))
            pool.terminate()

        await close_within(pool.close, cut)
        await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop

    return adapter(
        "asyncpg_pool",
        live,
        open_pool,
        close=close,
        check=_check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        known=KnownArguments("asyncpg.create_pool", names_of(asyncpg.create_pool, asyncpg.connect), unless="connect"),
        answers=(asyncpg.PostgresError,),
    )


async def _check(pool: asyncpg.Pool[Any]) -> None:
    await pool.fetchval("SELECT 1")
