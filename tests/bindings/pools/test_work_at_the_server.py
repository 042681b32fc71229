"""Statements that outlast the drain end at the server too: connections never grow past the old and the new pool."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time

import anyio
import msgspec
import pytest

from reactive_config import Memory, open_config
from reactive_config._bindings.pools.closing import CLOSE_WITHIN, CUT_WITHIN, HURRY
from reactive_config._core.status import BindingState
from reactive_config._testing.postgres_server import postgres_programs, postgres_server
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = pytest.mark.half_grid

asyncpg = pytest.importorskip("asyncpg")
errors = pytest.importorskip("sqlalchemy.exc")

DRAIN = 0.05
SIZE = 8
MOMENTS = 60
GONE_WITHIN = 10.0
"""Seconds after a change is in force in which the last backend of the old pool has ended; 0.02 on an idle machine."""

LIMIT = DRAIN + CLOSE_WITHIN + CUT_WITHIN + HURRY
"""Seconds that leaving takes at most, whatever the server does."""


class Database(msgspec.Struct, frozen=True):
    url: str
    size: int = SIZE
    name: str = "0"


class App(msgspec.Struct, frozen=True):
    database: Database


@pytest.fixture(scope="module")
def small_server():
    """A server with room for two pools and a look; it does not find out by itself that a client has gone.

    All tests share it: `backends` ends what the one before left at it.
    """
    if postgres_programs() is None:
        pytest.skip("there is no PostgreSQL here")
    with postgres_server(f"max_connections={2 * SIZE + 1}", "superuser_reserved_connections=0") as server:
        yield server


def follow(kind, config, **settings):
    def options(value):
        class Url(str):
            __slots__ = ()

            def reveal(self):
                return str(self)

        return kind.options(msgspec.structs.replace(value, url=Url(value.url)))

    return kind.adapter(config.select("database"), options=options, name="database", drain=DRAIN, **settings)


class Backends:
    """What the server says of the connections of pools, seen by a connection of its own."""

    def __init__(self, connection):
        self._connection = connection
        self.most = 0

    async def names(self):
        rows = await self._connection.fetch(
            "SELECT application_name FROM pg_stat_activity WHERE starts_with(application_name, 'pools-')"
        )
        self.most = max(self.most, len(rows))
        return [row[0] for row in rows]

    async def sleeping(self):
        query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)%'"
        return await self._connection.fetchval(query + " AND pid <> pg_backend_pid()")

    async def end_others(self):
        """End what a network left there that was silent, and return once nothing is left."""
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with anyio.fail_after(10):
            while await self._connection.fetch(f"SELECT pg_terminate_backend(pid) {others}"):
                await asyncio.sleep(0.005)

    async def wait(self, allowed, within):
        deadline = time.monotonic() + within
        while set(await self.names()) - allowed:
            assert time.monotonic() < deadline, await self._connection.fetch(
                "SELECT application_name, state, wait_event, query, now() - backend_start AS age FROM pg_stat_activity"
                " WHERE starts_with(application_name, 'pools-')"
            )
            await asyncio.sleep(0.005)


@pytest.fixture
async def backends(small_server):
    connection = await asyncpg.connect(small_server.dsn)
    try:
        backends = Backends(connection)
        await backends.end_others()
        yield backends
        await backends.end_others()
    finally:
        connection.terminate()


def give_time(monkeypatch):
    """To cancel statements: a busy machine takes longer than the default. The time itself has tests of its own."""
    for module in ("closing", "asyncpg_closing", "psycopg_closing"):
        monkeypatch.setattr(f"reactive_config._bindings.pools.{module}.CUT_WITHIN", 5.0)
    for module in ("connecting", "asyncpg_closing"):
        monkeypatch.setattr(f"reactive_config._bindings.pools.{module}.PATIENCE", 5.0)


async def sleep_at_the_server(kind, binding):
    """One user, who goes on with the next pool when the one before was closed under him."""
    while True:
        try:
            async with binding.use() as pool, kind.lend(pool) as connection:
                await kind.query(connection, "SELECT pg_sleep(600)")
        except RuntimeError:
            return  # the binding is closed
        except Exception:  # noqa: BLE001 - closed under this user, as expected
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [3, pytest.param(20, marks=pytest.mark.storm)])
async def test_connections_stay_those_of_the_old_and_the_new_pool(
    kind, changes, small_server, backends, monkeypatch, until, nothing_left
):
    give_time(monkeypatch)
    memory = Memory({"database": {"url": small_server.dsn}})
    slowest = 0.0
    async with asyncio.TaskGroup() as group, open_config(App, memory) as config:
        async with follow(kind, config) as database:
            for _ in range(SIZE):
                group.create_task(sleep_at_the_server(kind, database))
            for number in range(1, changes + 1):
                while await backends.sleeping() < SIZE:
                    await backends.names()
                    await asyncio.sleep(0.01)
                await memory.patch({"database": {"name": str(number)}})
                while database.value.name != str(number) or database.status().state is not BindingState.IN_FORCE:
                    await backends.names()
                    await asyncio.sleep(0.01)
                began = time.monotonic()
                await backends.wait({f"pools-{number}"}, GONE_WITHIN)
                slowest = max(slowest, time.monotonic() - began)
            assert (database.forced, database.failures) == (changes, 0)
        await backends.wait(set(), GONE_WITHIN)
    print(f"{changes} forced changes: at most {backends.most} backends, gone after {slowest * 1000:.0f} ms at most")
    assert backends.most <= 2 * SIZE


async def test_a_user_who_tries_again_at_once_leaves_nothing_at_the_server(kind, small_server, backends, nothing_left):
    """On the connection that he holds: its next statement may begin just when the first one was cancelled."""
    memory = Memory({"database": {"url": small_server.dsn}})

    async def insist(binding):
        async with binding.use() as pool, kind.lend(pool) as connection:
            while True:
                try:
                    await kind.query(connection, "SELECT pg_sleep(600)")
                except Exception as error:
                    if "clos" in str(error) or "invalid" in str(error):
                        raise
                    if "transaction" in str(error):
                        await connection.rollback()

    async with open_config(App, memory) as config:
        async with follow(kind, config) as database:
            users = [asyncio.create_task(insist(database)) for _ in range(SIZE)]
            while await backends.sleeping() < SIZE:
                await asyncio.sleep(0.01)
        await backends.wait(set(), GONE_WITHIN)
    with anyio.fail_after(5):
        assert all(isinstance(end, Exception) for end in await asyncio.gather(*users, return_exceptions=True))


@contextlib.asynccontextmanager
async def goes_on(server):
    """Whatever happens: one that stays stopped would fail the tests after this one."""
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("how", ["stopped", "behind a network that is silent"])
async def test_a_server_that_does_not_answer_delays_closing_by_a_stated_time(
    kind, small_server, backends, how, nothing_left
):
    async with tcp_proxy(f"127.0.0.1:{small_server.port}") as proxy, goes_on(small_server):
        memory = Memory(
            {"database": {"url": small_server.dsn.replace(f"127.0.0.1:{small_server.port}", proxy.endpoint)}}
        )
        async with open_config(App, memory) as config:
            async with follow(kind, config) as database:
                users = [asyncio.create_task(sleep_at_the_server(kind, database)) for _ in range(SIZE)]
                while await backends.sleeping() < SIZE:
                    await asyncio.sleep(0.01)
                if how == "stopped":
                    os.kill(small_server.pid, signal.SIGSTOP)
                else:
                    proxy.drop()
                began = time.monotonic()
            took = time.monotonic() - began
            with anyio.fail_after(1):
                await asyncio.wait(users)
        proxy.heal()
    print(f"closed after {took:.2f} s")
    assert took < LIMIT + 0.3


@pytest.mark.parametrize("driver", ["SQLAlchemyAsyncpg", "SQLAlchemyPsycopg"])
@pytest.mark.parametrize("cancelled", [False, True])
async def test_closing_engines_on_a_silent_network_put_no_traceback_on_the_log(
    postgres_kinds, driver, cancelled, small_server, backends, caplog, nothing_left
):
    kind = postgres_kinds[driver]
    async with tcp_proxy(f"127.0.0.1:{small_server.port}") as proxy:
        url = small_server.dsn.replace(f"127.0.0.1:{small_server.port}", proxy.endpoint)
        async with open_config(App, Memory({"database": {"url": url}})) as config, follow(kind, config) as database:

            async def sleep_once():
                async with database.use() as engine, kind.lend(engine) as connection:
                    await kind.query(connection, "SELECT pg_sleep(600)")

            user = asyncio.create_task(sleep_once())
            async with database.use() as engine, kind.lend(engine) as one, kind.lend(engine) as two:
                await kind.query(one, "SELECT 1")
                await kind.query(two, "SELECT 1")
            while await backends.sleeping() < 1:
                await asyncio.sleep(0.01)
            proxy.drop()
            closing = asyncio.create_task(database._close(engine))
            if cancelled:
                await asyncio.wait([closing], timeout=0.2)
                closing.cancel()
            with anyio.fail_after(LIMIT + 0.3):
                await asyncio.wait([closing, user])
            assert isinstance(user.exception(), errors.DBAPIError)
            with pytest.raises(errors.ResourceClosedError, match=r"^database: this one is closed"):
                async with kind.lend(engine):
                    pass
        proxy.heal()
    assert [record for record in caplog.records if record.name.startswith("sqlalchemy")] == []


RAW_WORK = {
    "listen": "LISTEN channel",
    "copy": "COPY (SELECT g, repeat('x', 2000) FROM generate_series(1, 10000000) g) TO STDOUT",
}


@pytest.mark.parametrize("work", RAW_WORK)
async def test_connections_cut_under_a_drivers_own_work_put_no_traceback_on_the_log(
    postgres_kinds, work, small_server, backends, until, caplog, nothing_left
):
    kind = postgres_kinds["SQLAlchemyPsycopg"]
    at_work = []

    async def work_by_the_driver(database):
        async with database.use() as engine, kind.lend(engine) as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            if work == "listen":
                await raw.execute(RAW_WORK[work])
                at_work.append(raw)
                while True:
                    await asyncio.sleep(0.01)
                    await raw.execute("SELECT 1")
            async with raw.cursor().copy(RAW_WORK[work]) as copy:
                async for _ in copy:
                    at_work.append(raw)

    memory = Memory({"database": {"url": small_server.dsn}})
    async with open_config(App, memory) as config, follow(kind, config) as database:
        users = [asyncio.create_task(work_by_the_driver(database)) for _ in range(2)]
        await until(lambda: len(set(at_work)) == 2)
    with anyio.fail_after(5):
        ends = await asyncio.gather(*users, return_exceptions=True)
    assert all(isinstance(end, Exception) for end in ends)
    assert [record for record in caplog.records if record.name.startswith("sqlalchemy")] == []


@pytest.mark.parametrize("turns", [1, 2, 5, 20])
async def test_a_closing_that_is_cancelled_again_and_again_cancels_the_statements_all_the_same(
    kind, small_server, backends, monkeypatch, turns, nothing_left
):
    """As a deadline that is shorter than closing takes does, in some moment of it."""
    hurry = 2.0  # on a busy machine a request to cancel takes longer than it has by default
    monkeypatch.setattr("reactive_config._bindings.pools.closing.HURRY", hurry)
    memory = Memory({"database": {"url": small_server.dsn}})
    async with open_config(App, memory) as config, asyncio.TaskGroup() as group, follow(kind, config) as database:
        for _ in range(SIZE):
            group.create_task(sleep_at_the_server(kind, database))
        while await backends.sleeping() < SIZE:
            await asyncio.sleep(0.01)
        pool = database.current
        closing = asyncio.create_task(database._close(pool))
        for _ in range(turns):
            await asyncio.sleep(0)
        began = time.monotonic()
        while not closing.done():
            closing.cancel()
            await asyncio.sleep(0.001)
        assert closing.cancelled()
        assert time.monotonic() - began < 2 * hurry + 0.3
        await backends.wait(set(), GONE_WITHIN)
        database._close = None  # it is closed


@pytest.mark.slow
async def test_no_moment_of_a_statement_leaves_it_at_the_server(
    kind, small_server, backends, monkeypatch, nothing_left
):
    """Closed while users connect, begin, send their statement, or wait for it; some of them are cancelled as well."""
    monkeypatch.setattr("reactive_config._bindings.pools.closing.CLOSE_WITHIN", 0.02)
    give_time(monkeypatch)
    rng = random.Random(5)

    async def once(binding):
        async with binding.use() as pool, kind.lend(pool) as connection:
            await kind.query(connection, "SELECT pg_sleep(600)")

    memory = Memory({"database": {"url": small_server.dsn}})
    async with open_config(App, memory) as config:
        for _ in range(MOMENTS):
            async with follow(kind, config) as database:
                database._drain = 0
                users = [asyncio.create_task(once(database)) for _ in range(3)]
                for _ in range(rng.randrange(120)):
                    await asyncio.sleep(0)
                await asyncio.sleep(rng.choice((0, 0, 0.005, 0.02)))
                if rng.random() < 0.3:
                    users[0].cancel()
            with anyio.fail_after(20):
                await asyncio.gather(*users, return_exceptions=True)
            await backends.wait(set(), GONE_WITHIN)


async def test_a_request_to_cancel_that_is_lost_is_sent_again(small_server, backends, monkeypatch, nothing_left):
    """One that comes to the server before its statement does ends nothing; asyncpg waits for it in vain."""
    from tests.bindings.pools.conftest import Asyncpg

    monkeypatch.setattr("reactive_config._bindings.pools.closing.CLOSE_WITHIN", 0.02)
    lost = []

    def lose(connection, waiter, cancel_waiter=None):
        lost.append(connection)
        waiter.set_result(None)

    async def once(binding):
        async with binding.use() as pool, Asyncpg.lend(pool) as connection:
            await Asyncpg.query(connection, "SELECT pg_sleep(600)")

    memory = Memory({"database": {"url": small_server.dsn}})
    async with open_config(App, memory) as config:
        async with follow(Asyncpg, config) as database:
            database._drain = 0
            user = asyncio.create_task(once(database))
            while await backends.sleeping() < 1:
                await asyncio.sleep(0.01)
            monkeypatch.setattr(asyncpg.Connection, "_cancel_current_command", lose)
        await asyncio.gather(user, return_exceptions=True)
        await backends.wait(set(), GONE_WITHIN)
    assert lost
