"""SQLAlchemy: an asyncio engine that follows a live value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import anyio

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.asyncpg_closing import asyncpg_connecting, cut_asyncpg
from reactive_config._bindings.pools.closing import CLOSE_WITHIN, close_within, closed_text
from reactive_config._bindings.pools.connecting import Connecting
from reactive_config._bindings.pools.known_arguments import KnownArguments
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._bindings.pools.psycopg_closing import cut_psycopg, psycopg_connecting, unconnected
from reactive_config._core.runtime.live import Live, label

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
    the drain are cut, their statements cancelled at the server (asyncpg, psycopg). Whoever kept the engine, a
    connection or a session of it gets a `ResourceClosedError` that names this binding: `dispose` alone would leave the
    connections that are lent open, and an engine that connects again.

    Args:
        live: What `create_async_engine` takes: `url`, `pool_size`, `max_overflow`, `connect_args`, ...
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old engine have to finish.
        deadline: Seconds that connecting may take.
        name: For the status.
    """
    with extra("sqlalchemy"):
        import sqlalchemy.ext.asyncio

    closings: WeakKeyDictionary[AsyncEngine, _Closing] = WeakKeyDictionary()
    label_ = label("sqlalchemy_engine", live, name)

    async def open_engine(arguments: Arguments) -> AsyncEngine:
        url = sqlalchemy.make_url(arguments["url"])
        if "@" in (url.host or ""):  # else the errors of drivers would quote it as a host
            raise ValueError("url: expected the @ of a password as %40")
        arguments, connect = _through_connecting({**arguments, "url": url}, url.get_driver_name(), label_)
        engine = sqlalchemy.ext.asyncio.create_async_engine(**arguments)
        closings[engine] = _Closing(engine, connect, label_)
        try:
            await _try(engine)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await close(engine)
            raise
        return engine

    async def close(engine: AsyncEngine) -> None:
        closing = closings.pop(engine, None)
        if closing is None:
            return  # it was closed before
        await close_within(closing.polite, closing.cut)
        await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop

    return adapter(
        "sqlalchemy_engine",
        live,
        open_engine,
        close=close,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        known=KnownArguments("sqlalchemy.create_async_engine", None, required=("url",)),
        answers=(sqlalchemy.exc.DBAPIError,),
        is_answer=lambda error: getattr(getattr(error, "orig", None), "sqlstate", None) is not None,
    )


async def _try(engine: AsyncEngine) -> None:
    """Connect, which the engine does not do by itself, and select.

    Raises:
        ConnectionError: There is no connection, as psycopg says.
    """
    from sqlalchemy import exc, select

    try:
        async with engine.connect() as connection:
            await connection.execute(select(1))
        return
    except exc.OperationalError as error:
        if not engine.dialect.driver.startswith("psycopg") or getattr(error.orig, "sqlstate", None) is not None:
            raise
        replaced = unconnected(error.orig)
    # Outside of the handler: the replaced error must not hang on this one.
    raise replaced


def _through_connecting(arguments: Arguments, driver: str, name: str) -> tuple[Arguments, Connecting[Any] | None]:
    """The arguments with the driver's function that connects, or the user's own, in a `Connecting`.

    None for drivers whose function cannot be given.
    """
    settings = dict(arguments.get("connect_args", {}))
    make, connect = _connecting_of(driver)
    if make is None:
        return arguments, None
    if "async_creator" in arguments:
        connecting = make(arguments["async_creator"], name)
        return {**arguments, "async_creator": connecting}, connecting
    settings["async_creator_fn"] = connecting = make(settings.get("async_creator_fn", connect), name)
    return {**arguments, "connect_args": settings}, connecting


def _connecting_of(driver: str) -> tuple[Any, Any]:
    if driver == "asyncpg":
        import asyncpg

        return asyncpg_connecting, asyncpg.connect
    if driver.startswith("psycopg"):
        import psycopg

        return psycopg_connecting, psycopg.AsyncConnection.connect
    return None, None


class _Closing:
    """Closes one engine for good.

    Args:
        engine: Used by nobody yet.
        connecting: Makes its connections; None if the driver's function could not be given.
        name: The binding's.
    """

    def __init__(self, engine: AsyncEngine, connecting: Connecting[Any] | None, name: str) -> None:
        from sqlalchemy import event

        self._engine = engine.sync_engine
        self._dispose = engine.dispose
        self._dialect = engine.dialect
        self._connecting = connecting
        self._name = name
        self._is_closed = False
        self._lent: dict[Any, Any] = {}
        # The events stay with the pool that `dispose` makes anew.
        event.listen(engine.sync_engine, "do_connect", self._unless_closed)
        event.listen(engine.sync_engine, "checkout", self._note)
        event.listen(engine.sync_engine, "checkin", lambda _driver, record: self._lent.pop(record, None))

    async def polite(self) -> None:
        self._is_closed = True
        pool = self._engine.pool
        _reset_no_more(pool)
        try:
            await self._close_idle()
        finally:
            try:
                await self._dispose()
            finally:
                _wake_waiting(pool)

    async def _close_idle(self) -> None:
        """Close the connections that nobody holds, side by side, so that `dispose` finds them closed.

        It would close them one after the other, without a limit, and log each one whose server does not answer.
        """
        if self._connecting is None or self._dialect.driver != "asyncpg":  # psycopg closes without waiting
            return
        lent = {id(driver.driver_connection) for driver in self._lent.values()}
        idle = [connection for connection in self._connecting.made if id(connection) not in lent]
        # Less than the whole time, so that it is asyncpg that gives up: it ends its own tasks then.
        closing = (connection.close(timeout=0.8 * CLOSE_WITHIN) for connection in idle)
        await asyncio.gather(*closing, return_exceptions=True)

    async def cut(self) -> None:
        """Cut the connections that `dispose` leaves: those that are lent, and those that come about just now."""
        if self._connecting is not None:
            cut = cut_asyncpg if self._dialect.driver == "asyncpg" else cut_psycopg
            await asyncio.gather(self._connecting.close(), cut(self._connecting))
        elif self._dialect.has_terminate:
            for connection in list(self._lent.values()):
                # Outside of SQLAlchemy's greenlets it does not ask the driver to say goodbye, for which the connection
                # would have to be idle.
                self._dialect.do_terminate(connection)

    def _note(self, driver: Any, record: Any, _proxy: Any) -> None:
        if self._connecting is None:  # else it is cut like any other that is lent
            self._unless_closed()
        self._lent[record] = driver

    def _unless_closed(self, *_args: Any) -> None:
        from sqlalchemy.exc import ResourceClosedError

        if self._is_closed:
            raise ResourceClosedError(closed_text(self._name))


def _reset_no_more(pool: Any) -> None:
    """Let what is given back to a closed pool be as it is: nobody gets it again.

    A rollback would fail at a connection that was cut under the driver's own work, and be logged with its traceback.
    """
    from sqlalchemy import pool as pools

    pool._reset_on_return = pools.base.ResetStyle.reset_none


def _wake_waiting(pool: Any) -> None:
    """Give those who wait for a connection of a closed pool one that has still to connect, which fails.

    Each of them gives it back when it has failed, so one is enough for all.
    """
    from sqlalchemy import pool as pools

    if isinstance(pool, pools.QueuePool):
        record: Any = pools.base._ConnectionRecord(pool, connect=False)
        pool._do_return_conn(record)
