"""Rebuilds under 16 users, a hundred in a storm: every other pool with a real server."""

from __future__ import annotations

import msgspec
import pytest

from reactive_config import Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings.pools import psycopg_pool, redis_client, sqlalchemy_engine

pytestmark = [pytest.mark.slow, pytest.mark.half_grid]

USERS = 16
few_or_many = pytest.mark.parametrize("rebuilds", [16, pytest.param(100, marks=pytest.mark.storm)])


class Database(msgspec.Struct, frozen=True):
    url: str
    number: int = 0
    min_size: int = 1
    max_size: int = 4


class App(msgspec.Struct, frozen=True):
    database: Database


async def change(memory, database, until, number, **fields):
    await memory.patch({"database": {"number": number, **fields}})
    await until(lambda: database.value.number == number and database.status().state is BindingState.IN_FORCE)


def psycopg_options(database):
    settings = {"application_name": f"small-{database.number}"}
    sizes = {"min_size": database.min_size, "max_size": database.max_size}
    return {"conninfo": database.url, "kwargs": settings, **sizes}


async def psycopg_query(pool):
    async with pool.connection() as connection:
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
        assert not pool.closed, "used after it was closed"


@few_or_many
async def test_psycopg_rebuilt(rebuilds, postgres, crowd, activity, until, nothing_left):
    pytest.importorskip("psycopg_pool")
    memory = Memory({"database": {"url": postgres.dsn}})
    look = activity(postgres, "small-")
    async with (
        open_config(App, memory) as config,
        psycopg_pool(config.select("database"), options=psycopg_options) as database,
        look.watched(),
        crowd.at_work(USERS, database, psycopg_query),
    ):
        for number in range(1, rebuilds + 1):
            before = database.current
            await change(memory, database, until, number)
            assert before.closed
        assert database.forced == 0
    assert crowd.failures == []
    assert look.most <= 8
    assert look.lingered < 2.0
    await look.wait_gone()


@few_or_many
async def test_psycopg_resized(rebuilds, postgres, crowd, activity, until, nothing_left):
    """Sizes go up from 1 to 8 in place, eight times; back to 1 needs a new pool, since the old one is in use."""
    pytest.importorskip("psycopg_pool")

    def options(database):
        return {**psycopg_options(database), "kwargs": {"application_name": "small-0"}}

    memory = Memory({"database": {"url": postgres.dsn, "max_size": 1}})
    look = activity(postgres, "small-")
    async with (
        open_config(App, memory) as config,
        psycopg_pool(config.select("database"), options=options) as database,
        look.watched(),
        crowd.at_work(USERS, database, psycopg_query),
    ):
        pools = [database.current]
        for number in range(1, rebuilds + 1):
            size = 1 + number % 8
            await change(memory, database, until, number, min_size=size, max_size=size)
            pool = database.current
            assert (pool.min_size, pool.max_size) == (size, size)
            assert pool.get_stats()["pool_size"] <= size
            if pool is not pools[-1]:
                assert pools[-1].closed
                pools.append(pool)
        assert len(pools) == 1 + rebuilds // 8
        assert database.forced == 0
    assert crowd.failures == []
    assert look.most <= 8 + 8
    await look.wait_gone()


@few_or_many
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_sqlalchemy(rebuilds, postgres, crowd, activity, until, driver, nothing_left):
    sqlalchemy = pytest.importorskip("sqlalchemy")

    def options(database):
        name = {"application_name": f"small-{database.number}"}
        settings = {"server_settings": name} if driver == "asyncpg" else name
        return {"url": database.url, "pool_size": 4, "max_overflow": 0, "connect_args": settings}

    async def query(engine):
        async with engine.connect() as connection:
            assert await connection.scalar(sqlalchemy.text("SELECT 1")) == 1

    memory = Memory({"database": {"url": postgres.dsn.replace("postgresql:", f"postgresql+{driver}:")}})
    look = activity(postgres, "small-")
    async with (
        open_config(App, memory) as config,
        sqlalchemy_engine(config.select("database"), options=options) as database,
        look.watched(),
        crowd.at_work(USERS, database, query),
    ):
        for number in range(1, rebuilds + 1):
            await change(memory, database, until, number)
        assert database.forced == 0
    assert crowd.failures == []
    assert look.most <= 8
    assert look.lingered < 2.0
    await look.wait_gone()


@few_or_many
async def test_redis(rebuilds, redis, crowd, until, nothing_left):
    clients = pytest.importorskip("redis.asyncio")

    def options(database):
        return {"url": database.url, "password": "canary", "client_name": f"small-{database.number}"}

    async def query(client):
        assert await client.incr("small") > 0

    async def connected(outside):
        return [client["name"] for client in await outside.client_list() if client["name"].startswith("small-")]

    memory = Memory({"database": {"url": redis.url}})
    most = 0
    async with clients.Redis.from_url(redis.url, password="canary") as outside:
        await outside.delete("small")
        async with (
            open_config(App, memory) as config,
            redis_client(config.select("database"), options=options) as database,
            crowd.at_work(USERS, database, query),
        ):
            for number in range(1, rebuilds + 1):
                await change(memory, database, until, number)
                names = await connected(outside)
                most = max(most, len(names))
                assert set(names) <= {f"small-{number}"}, "an old client is still connected"
            assert database.forced == 0
        assert crowd.failures == []
        assert most <= USERS + 1
        assert int(await outside.get("small")) == crowd.queries
        assert await connected(outside) == []
