"""The pools of PostgreSQL on a real server: opened, tried, swapped, and closed under whoever holds on."""

from __future__ import annotations

import asyncio

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, Secret, open_config
from reactive_config._core.status import BindingState
from reactive_config._testing.etcd_installed import free_ports
from reactive_config.bindings.pools import sqlalchemy_engine

pytestmark = pytest.mark.half_grid


class Database(msgspec.Struct, frozen=True):
    url: Secret[str]
    size: int = 2
    name: str = "first"


class App(msgspec.Struct, frozen=True):
    database: Database


@pytest.fixture
def memory(postgres):
    return Memory({"database": {"url": postgres.dsn.replace("postgres@", "postgres:canary@")}})


def follow(kind, config, **settings):
    return kind.adapter(config.select("database"), options=kind.options, name="database", **settings)


async def select_one(kind, database):
    async with database.use() as pool, kind.lend(pool) as connection:
        return await kind.query(connection, "SELECT 1")


async def test_a_new_value_is_a_new_pool_and_the_old_one_is_closed(
    kind, memory, postgres, activity, until, nothing_left
):
    async with open_config(App, memory) as config, follow(kind, config) as database:
        assert await select_one(kind, database) == 1
        await memory.patch({"database": {"name": "second"}})
        await until(lambda: database.value.name == "second" and database.status().state is BindingState.IN_FORCE)
        assert await select_one(kind, database) == 1
        await activity(postgres, "pools-first").wait_gone()
        assert database.forced == 0
    await activity(postgres, "pools-").wait_gone()


async def test_a_value_that_does_not_connect_keeps_the_old_pool(kind, memory, postgres, until, caplog, nothing_left):
    async with open_config(App, memory) as config, follow(kind, config) as database:
        before = database.current
        nobody = f"postgresql://postgres:canary@127.0.0.1:{free_ports(1)[0]}/postgres"
        await memory.patch({"database": {"url": nobody}})
        await until(lambda: database.failures >= 2)
        assert database.current is before
        assert await select_one(kind, database) == 1
        assert "canary" not in caplog.text + repr(config.status()) + repr(database) + repr(before)


@pytest.mark.parametrize("busy", [True, False], ids=["in a query", "between queries"])
async def test_whoever_outlasts_the_drain_loses_the_connection(
    kind, memory, postgres, activity, until, busy, nothing_left
):
    async with open_config(App, memory) as config, follow(kind, config, drain=0.05) as database:
        holds, closed = asyncio.Event(), asyncio.Event()

        async def hold():
            async with database.use() as pool, kind.lend(pool) as connection:
                await kind.query(connection, "SELECT 1")
                holds.set()
                if not busy:
                    await closed.wait()
                await kind.query(connection, "SELECT pg_sleep(20)")

        user = asyncio.create_task(hold())
        await holds.wait()
        await memory.patch({"database": {"name": "second"}})
        await until(lambda: database.forced == 1 and database.status().state is BindingState.IN_FORCE)
        closed.set()
        with anyio.fail_after(5):
            with pytest.raises(Exception, match=r"clos|terminat|connection|cancel"):
                await user
        await activity(postgres, "pools-first").wait_gone()
        assert await select_one(kind, database) == 1


async def test_leaving_closes_under_a_user_too(kind, memory, postgres, activity, nothing_left):
    async with open_config(App, memory) as config:
        holds = asyncio.Event()

        async def hold():
            async with database.use() as pool, kind.lend(pool) as connection:
                holds.set()
                await kind.query(connection, "SELECT pg_sleep(20)")

        async with follow(kind, config, drain=0.05) as database:
            user = asyncio.create_task(hold())
            await holds.wait()
        with anyio.fail_after(5), pytest.raises(Exception, match=r"clos|terminat|connection|cancel"):
            await user
    await activity(postgres, "pools-").wait_gone()


class Deaf:
    """A server that takes connections and never says a word."""

    def __init__(self):
        self.now = self.ever = 0

    async def take(self, reader, writer):
        self.now += 1
        self.ever += 1
        try:
            while await reader.read(1000):
                pass
        except OSError:
            pass
        finally:
            self.now -= 1
            writer.close()


async def test_an_opening_that_is_cancelled_half_way_leaves_nothing(kind, memory, until, caplog, nothing_left):
    deaf = Deaf()
    async with await asyncio.start_server(deaf.take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_config(App, memory) as config, follow(kind, config) as database:
            good = database.value.url.reveal()
            for _ in range(3):
                ever = deaf.ever
                await memory.patch({"database": {"url": f"postgresql://postgres:canary@127.0.0.1:{port}/postgres"}})
                await until(lambda ever=ever: deaf.ever > ever)
                await memory.patch({"database": {"url": good}})
                await until(lambda: database.status().state is BindingState.IN_FORCE)
            assert await select_one(kind, database) == 1
            assert database.changes == 1
        await until(lambda: deaf.now == 0)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:can/ary@127.0.0.1:{port}/postgres",
        "postgresql://postgres:can@ary@127.0.0.1:{port}/postgres",
        "postgresql://postgres:can?ary@127.0.0.1:{port}/postgres",
        "postgresql://postgres:can#ary@127.0.0.1:{port}/postgres",
        "canary",
        "postgresql://u@127.0.0.1:1/db?password=s3cr&canary=x",
        "postgresql://u@127.0.0.1:{port}/db?password=s3cr&sslmode=canary",
        "postgresql://u@127.0.0.1:{port}/db?port=canary",
        "postgresql://u@127.0.0.1:{port}/db?sslmode=verify-full&sslrootcert=canary",
        "postgresql://nobody:canary@127.0.0.1:{port}/nothing",
    ],
)
async def test_no_error_quotes_a_url(kind, postgres, url, caplog, nothing_left):
    """Written wrong, a URL's password is taken for a host, a port or a word of the grammar; parsers quote those."""
    memory = Memory({"database": {"url": url.format(port=postgres.port)}})
    with anyio.fail_after(20):
        async with open_config(App, memory) as config:
            try:
                async with follow(kind, config, deadline=5):
                    pass
            except Exception as error:  # noqa: BLE001
                told = [repr(error), str(error), repr(error.__context__), repr(error.__cause__), caplog.text]
                assert not [text for text in told if "canary" in text or "ary@" in text or "'can'" in text]


UNFIT = {"asyncpg": "TypeError", "psycopg": "ProgrammingError"}


@pytest.mark.parametrize("driver", UNFIT)
async def test_an_option_that_sqlalchemys_driver_does_not_know_names_the_arguments(postgres, driver, nothing_left):
    url = postgres.dsn.replace("postgresql:", f"postgresql+{driver}:") + "?canary=x"
    expected = rf"(?m)^database: expected arguments to open it with \(url, pool_size\), got {UNFIT[driver]}$"
    with pytest.raises(ValueError, match=expected) as caught:
        async with sqlalchemy_engine(Live.constant({"url": url, "pool_size": 2}), name="database"):
            pass
    assert caught.value.__context__ is None


async def test_what_the_server_answers_is_raised(kind, postgres, nothing_left):
    database = Database(Secret(f"postgresql://nobody:canary@127.0.0.1:{postgres.port}/postgres"))
    with pytest.raises(Exception, match=r"FATAL|does not exist|authentication failed"):
        async with kind.adapter(Live.constant(kind.options(database)), name="database"):
            pass
