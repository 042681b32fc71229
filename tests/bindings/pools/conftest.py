"""Real servers for the pools, users who query without pause, and a look at the server from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactive_config._testing.postgres_server import PostgresServer, postgres_server
from reactive_config._testing.redis_server import RedisServer, redis_server
from reactive_config.bindings.pools import asyncpg_pool, psycopg_pool, sqlalchemy_engine

SETTINGS = ("client_connection_check_interval=100",)  # ms: a backend sees soon that its client has gone


def running_postgres() -> Iterator[PostgresServer]:
    with postgres_server(*SETTINGS) as server:
        yield server


postgres = pytest.fixture(scope="session", name="postgres")(running_postgres)
own_postgres = pytest.fixture(name="own_postgres")(running_postgres)  # one that a test may end and start


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with redis_server(password="canary") as server:
        yield server


class Asyncpg:
    adapter = staticmethod(asyncpg_pool)

    @staticmethod
    def options(database):
        settings = {"application_name": f"pools-{database.name}"}
        return {"dsn": database.url, "min_size": 1, "max_size": database.size, "server_settings": settings}

    @staticmethod
    def lend(pool):
        return pool.acquire()

    @staticmethod
    async def query(connection, query):
        return await connection.fetchval(query)


class Psycopg:
    adapter = staticmethod(psycopg_pool)

    @staticmethod
    def options(database):
        settings = {"application_name": f"pools-{database.name}"}
        return {"conninfo": database.url, "min_size": 1, "max_size": database.size, "kwargs": settings}

    @staticmethod
    def lend(pool):
        return pool.connection()

    @staticmethod
    async def query(connection, query):
        return (await (await connection.execute(query)).fetchone())[0]


class SQLAlchemyAsyncpg:
    adapter = staticmethod(sqlalchemy_engine)
    driver = "asyncpg"

    @classmethod
    def options(cls, database):
        settings = {"application_name": f"pools-{database.name}"}
        settings = {"server_settings": settings} if cls.driver == "asyncpg" else settings
        url = database.url.reveal().replace("postgresql:", f"postgresql+{cls.driver}:")
        return {"url": url, "pool_size": database.size, "max_overflow": 0, "connect_args": settings}

    @staticmethod
    def lend(engine):
        return engine.connect()

    @staticmethod
    async def query(connection, query):
        from sqlalchemy import text

        return await connection.scalar(text(query))


class SQLAlchemyPsycopg(SQLAlchemyAsyncpg):
    driver = "psycopg"


KINDS = [Asyncpg, Psycopg, SQLAlchemyAsyncpg, SQLAlchemyPsycopg]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Any:
    """A driver of PostgreSQL behind its adapter: `adapter`, `options(database)`, `lend(pool)`, `query(lent, text)`."""
    for library in ("asyncpg", "psycopg_pool", "sqlalchemy"):
        pytest.importorskip(library)
    return request.param


@pytest.fixture(scope="session")
def postgres_kinds() -> dict[str, Any]:
    return {kind.__name__: kind for kind in KINDS}


class Until:
    """Waits for a condition, a little between two looks, at most some seconds."""

    async def __call__(self, condition: Callable[[], object], timeout: float = 10) -> None:
        with anyio.fail_after(timeout):
            while not condition():
                await asyncio.sleep(0.001)


@pytest.fixture
def until() -> Until:
    return Until()


def running_tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task.get_coro())}


def open_sockets() -> set[str]:
    """The inodes of this process's TCP sockets; event loops have others of their own."""
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/self/net/{name}").read_text().splitlines()]
    tcp = {line.split()[9] for line in lines}
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the directory's own
            found.add(os.readlink(entry)[len("socket:[") : -1])  # noqa: PTH115 - it is no path
    return found & tcp


@pytest.fixture
def look_around() -> tuple[Callable[[], set[str]], Callable[[], set[asyncio.Task[Any]]]]:
    """Functions that give this process's TCP sockets, and its tasks."""
    return open_sockets, running_tasks


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """No task and no connection more than before."""
    tasks, sockets = running_tasks(), open_sockets()
    yield
    assert running_tasks() <= tasks
    assert open_sockets() <= sockets


class Crowd:
    """Users of one binding.

    Attributes:
        queries: How many worked.
        failures: When (`time.monotonic()`) and why the others did not.
    """

    def __init__(self) -> None:
        self.queries = 0
        self.failures: list[tuple[float, Exception]] = []

    @contextlib.asynccontextmanager
    async def at_work(self, users: int, binding: Any, query: Callable[[Any], Awaitable[object]]) -> AsyncIterator[None]:
        stop = asyncio.Event()

        async def work() -> None:
            while not stop.is_set():
                try:
                    async with binding.use() as thing:
                        await query(thing)
                    self.queries += 1
                except Exception as error:  # noqa: BLE001 - the tests judge
                    self.failures.append((time.monotonic(), error))
                    await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for _ in range(users):
                group.create_task(work())
            try:
                yield
            finally:
                stop.set()


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


class Activity:
    """What one PostgreSQL says of the connections whose application's name begins in a certain way, all the time.

    Pools are told apart by the number at the end of the name. The two newest may be there together. A connection of an
    older one has been closed by its client; the server, which notices a moment later, must let it go soon.

    Attributes:
        most: The most connections of the two newest pools at one look.
        lingered: The longest time for which one of an older pool was still there, in seconds.
        looks: How many.
    """

    def __init__(self, server: PostgresServer, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._older: dict[str, float] = {}
        self.most = self.looks = 0
        self.lingered = 0.0

    def take(self, names: list[str], now: float) -> None:
        """Account for one look."""
        newest = sorted(set(names), key=lambda name: int(name.removeprefix(self._prefix)))[-2:]
        self.most = max(self.most, sum(name in newest for name in names))
        self._older = {name: self._older.get(name, now) for name in names if name not in newest}
        self.lingered = max([self.lingered, *(now - since for since in self._older.values())])
        self.looks += 1

    async def names(self, connection: Any) -> list[str]:
        query = "SELECT application_name FROM pg_stat_activity WHERE starts_with(application_name, $1)"
        return [row[0] for row in await connection.fetch(query, self._prefix)]

    async def _look(self) -> None:
        asyncpg = pytest.importorskip("asyncpg")
        restarts = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        while True:
            with contextlib.suppress(OSError, *restarts):
                connection = await asyncpg.connect(self._server.dsn)
                try:
                    while True:
                        self.take(await self.names(connection), time.monotonic())
                        await asyncio.sleep(0.002)
                finally:
                    connection.terminate()
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Activity]:
        task = asyncio.create_task(self._look())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def wait_gone(self) -> None:
        """Return once there is none left."""
        asyncpg = pytest.importorskip("asyncpg")
        connection = await asyncpg.connect(self._server.dsn)
        try:
            with anyio.fail_after(10):
                while await self.names(connection):
                    await asyncio.sleep(0.01)
        finally:
            await connection.close()


@pytest.fixture
def activity() -> Callable[[PostgresServer, str], Activity]:
    return Activity
