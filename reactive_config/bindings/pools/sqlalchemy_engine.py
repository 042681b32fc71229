"""SQLAlchemy: an asyncio engine that follows a live value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import anyio

from reactive_config.bindings.pools.adapter import CLOSE_WITHIN, Options, adapter, extra
from reactive_config.bindings.pools.connecting import patient
from reactive_config.bindings.pools.live_pool import LivePool
from reactive_config.bindings.pools.options import Arguments
from reactive_config.bindings.pools.psycopg_pool import cut
from reactive_config.core.live import Live

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

U = TypeVar("U")


def sqlalchemy_engine(
    live: Live[U],
    *,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, AsyncEngine]:
    """An asyncio engine of SQLAlchemy, made anew when its value changes; extra `sqlalchemy`.

        async with sqlalchemy_engine(config.select("database")) as database:
            async with database.use() as engine, engine.connect() as connection:
                await connection.execute(select(1))

    The URL says which driver, and it must be an asynchronous one: `postgresql+asyncpg://...`. A new engine has
    connected and selected before it is used. An old one is disposed of, and connections that somebody still holds after
    the drain are cut; `dispose` alone leaves those open.

    Args:
        live: What `create_async_engine` takes: `url`, `pool_size`, `max_overflow`, `connect_args`, ...
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old engine have to finish.
        deadline: Seconds that connecting may take.
        name: For the status.
    """
    with extra("sqlalchemy"):
        import sqlalchemy.ext.asyncio
        from sqlalchemy import event

    lent: WeakKeyDictionary[AsyncEngine, dict[Any, Any]] = WeakKeyDictionary()

    async def open_engine(arguments: Arguments) -> AsyncEngine:
        url = sqlalchemy.make_url(arguments["url"])
        if "@" in (url.host or ""):  # else the errors of drivers would quote it as a host
            raise ValueError("url: expected the @ of a password as %40")
        settings = {**_patience(url.get_driver_name()), **arguments.get("connect_args", {})}
        engine = sqlalchemy.ext.asyncio.create_async_engine(**{**arguments, "url": url, "connect_args": settings})
        out = lent[engine] = {}
        event.listen(engine.sync_engine, "checkout", lambda driver, record, _proxy: out.update({record: driver}))
        event.listen(engine.sync_engine, "checkin", lambda _driver, record: out.pop(record, None))
        return engine

    async def close(engine: AsyncEngine) -> None:
        out = lent.pop(engine, {})
        try:
            with anyio.move_on_after(CLOSE_WITHIN):
                await engine.dispose()
        finally:
            with anyio.CancelScope(shield=True):
                for connection in list(out.values()):
                    await _cut(engine, connection)
        await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop

    async def check(engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            await connection.execute(sqlalchemy.select(1))

    return adapter(
        "sqlalchemy_engine",
        live,
        open_engine,
        close=close,
        check=check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        answers=(sqlalchemy.exc.DBAPIError,),
    )


def _patience(driver: str) -> Arguments:
    if driver == "asyncpg":
        import asyncpg

        return {"async_creator_fn": patient(asyncpg.connect)}
    if driver.startswith("psycopg"):
        import psycopg

        return {"async_creator_fn": patient(psycopg.AsyncConnection.connect)}
    return {}


async def _cut(engine: AsyncEngine, connection: Any) -> None:
    if engine.dialect.has_terminate:
        # Outside of SQLAlchemy's greenlets it does not ask the driver to say goodbye, which needs the connection idle.
        engine.dialect.do_terminate(connection)
    elif engine.dialect.driver.startswith("psycopg"):
        await cut(connection.driver_connection)
