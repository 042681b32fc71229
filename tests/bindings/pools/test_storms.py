"""Rebuilds under 64 users on a real PostgreSQL, 1,000 in a storm: what users, the server and memory see of them."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import msgspec
import pytest

from reactive_config import Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config._testing.etcd_installed import free_ports
from reactive_config.bindings.pools import asyncpg_pool

asyncpg = pytest.importorskip("asyncpg")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

USERS = 64
few_or_many = pytest.mark.parametrize("rebuilds", [20, pytest.param(1000, marks=pytest.mark.storm)])

MAX_SIZE = 4

GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last words came while a query was being sent
)
"""What asyncpg says when the server has gone."""


class Database(msgspec.Struct, frozen=True):
    dsn: str = ""
    min_size: int = 1
    max_size: int = MAX_SIZE
    number: int = 0


class App(msgspec.Struct, frozen=True):
    database: Database = Database()


def options(database):
    name = {"application_name": f"storm-{database.number}"}
    return {"dsn": database.dsn, "min_size": database.min_size, "max_size": database.max_size, "server_settings": name}


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": False}


async def query(pool):
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
        assert not pool.is_closing(), "used after it was closed"


def resident():
    """Bytes that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def rebuild(memory, database, until, number, **fields):
    """Change the value, wait until it is in force, and see that the pool before it is closed."""
    before = database.current
    await memory.patch({"database": {"number": number, **fields}})
    await until(lambda: database.value.number == number and database.status().state is BindingState.IN_FORCE, 60)
    assert before.is_closing()


@few_or_many
async def test_rebuilds_fail_no_query_and_leave_nothing(rebuilds, postgres, crowd, activity, until):
    memory = Memory({"database": {"dsn": postgres.dsn}})
    look = activity(postgres, "storm-")
    began = time.monotonic()
    async with (
        open_config(App, memory) as config,
        asyncpg_pool(config.select("database"), options=options) as database,
        look.watched(),
        crowd.at_work(USERS, database, query),
    ):
        half = 0
        for number in range(1, rebuilds + 1):
            await rebuild(memory, database, until, number)
            if number == rebuilds // 2:
                half = resident()
        grown = resident() - half
        changes, forced = database.changes, database.forced
    print(f"{rebuilds} rebuilds, {crowd.queries} queries, {time.monotonic() - began:.0f} s, {grown / 1024:.0f} KiB")
    assert crowd.failures == []
    assert (changes, forced) == (rebuilds + 1, 0)
    assert crowd.queries > rebuilds
    assert look.looks > rebuilds
    assert look.most <= 2 * MAX_SIZE
    assert look.lingered < 2.0
    assert grown < 4 * 2**20
    await look.wait_gone()


@few_or_many
async def test_failing_builds_change_nothing_for_users(rebuilds, postgres, crowd, activity, until):
    """Every third one is refused: nobody listens there."""
    memory = Memory({"database": {"dsn": postgres.dsn}})
    look = activity(postgres, "storm-")
    nobody = postgres.dsn.replace(f":{postgres.port}/", f":{free_ports(1)[0]}/")
    bad = 0
    async with (
        open_config(App, memory) as config,
        asyncpg_pool(config.select("database"), options=options) as database,
        look.watched(),
        crowd.at_work(USERS, database, query),
    ):
        half = 0
        for number in range(1, rebuilds + 1):
            if number % 3:
                await rebuild(memory, database, until, number, dsn=postgres.dsn)
            else:
                bad += 1
                failures = database.failures
                await memory.patch({"database": {"number": number, "dsn": nobody}})
                await until(lambda failures=failures: database.failures > failures)
                assert database.value.number == number - 1
            if number == rebuilds // 2:
                half = resident()
        grown = resident() - half
        assert database.failures >= bad
        assert database.forced == 0
    print(f"{rebuilds} changes, {bad} of them bad, {crowd.queries} queries, {grown / 1024:.0f} KiB")
    assert crowd.failures == []
    assert look.most <= 2 * MAX_SIZE
    assert look.lingered < 2.0
    assert grown < 4 * 2**20
    await look.wait_gone()


@few_or_many
async def test_a_server_that_restarts_fails_only_the_queries_under_way(rebuilds, own_postgres, crowd, activity, until):
    memory = Memory({"database": {"dsn": own_postgres.dsn}})
    look = activity(own_postgres, "storm-")
    away = []
    async with (
        open_config(App, memory) as config,
        asyncpg_pool(config.select("database"), options=options) as database,
        look.watched(),
        crowd.at_work(USERS, database, query),
    ):
        for number in range(1, rebuilds + 1):
            if number % (rebuilds // 5) == 0:
                began = time.monotonic()
                restart = asyncio.create_task(own_postgres.restart())
                await rebuild(memory, database, until, number)
                await restart
                away.append((began, time.monotonic() + 1))
                queries = crowd.queries
                await until(lambda queries=queries: crowd.queries > queries + USERS)
            else:
                await rebuild(memory, database, until, number)
        assert database.value.number == rebuilds
        assert database.forced == 0
    print(f"{rebuilds} rebuilds, 5 restarts, {crowd.queries} queries, {len(crowd.failures)} failed")
    assert len(away) == 5
    for when, error in crowd.failures:
        assert isinstance(error, GONE), repr(error)
        assert "pool is clos" not in str(error)
        assert any(start <= when <= end for start, end in away), f"long after a restart: {error!r}"
    assert look.most <= 2 * MAX_SIZE
    await look.wait_gone()


async def test_a_flapping_value_causes_few_rebuilds_and_ends_on_the_last(postgres, crowd, activity, until):
    """A hundred changes a second, for two seconds."""
    memory = Memory({"database": {"dsn": postgres.dsn}})
    look = activity(postgres, "storm-")
    async with (
        open_config(App, memory) as config,
        asyncpg_pool(config.select("database"), options=options) as database,
        look.watched(),
        crowd.at_work(16, database, query),
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(1, 201):
            await memory.patch({"database": {"number": number}})
            await asyncio.sleep(max(0, began + number / 100 - loop.time()))
        await until(lambda: database.value.number == 200 and database.status().state is BindingState.IN_FORCE)
        print(f"200 changes, {database.changes - 1} rebuilds, {crowd.queries} queries")
        assert database.changes - 1 < 200
    assert crowd.failures == []
    assert look.most <= 2 * MAX_SIZE
    await look.wait_gone()
