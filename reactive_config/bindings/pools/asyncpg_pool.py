"""asyncpg: a pool that follows a live value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from reactive_config.bindings.pools.adapter import CLOSE_WITHIN, Options, adapter, extra
from reactive_config.bindings.pools.connecting import patient
from reactive_config.bindings.pools.live_pool import LivePool
from reactive_config.bindings.pools.options import Arguments
from reactive_config.core.live import Live

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
    connections are back; those that are not within two seconds are cut.

    Args:
        live: What `asyncpg.create_pool` takes: `dsn`, `min_size`, `max_size`, ...
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old pool have to finish.
        deadline: Seconds that opening may take.
        name: For the status.
    """
    with extra("asyncpg"):
        import asyncpg

    async def open_pool(arguments: Arguments) -> asyncpg.Pool[Any]:
        connect = patient(arguments.get("connect", asyncpg.connect))
        pool = asyncpg.create_pool(**{**arguments, "connect": connect})
        try:
            return await pool
        except BaseException:
            pool.terminate()
            raise

    return adapter(
        "asyncpg_pool",
        live,
        open_pool,
        close=_close,
        check=_check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        answers=(asyncpg.PostgresError,),
    )


async def _check(pool: asyncpg.Pool[Any]) -> None:
    await pool.fetchval("SELECT 1")


async def _close(pool: asyncpg.Pool[Any]) -> None:
    with anyio.move_on_after(CLOSE_WITHIN):
        await pool.close()  # waits for users; if cancelled, it terminates
    await asyncio.sleep(0)  # then transports close their sockets in the next turn of the loop
