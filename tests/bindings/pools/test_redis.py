"""A client of Redis on a real server."""

from __future__ import annotations

import asyncio

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, Secret, open_config
from reactive_config._core.status import BindingState
from reactive_config._testing.etcd_installed import free_ports
from reactive_config.bindings.pools import redis_client

clients = pytest.importorskip("redis.asyncio")


class Cache(msgspec.Struct, frozen=True):
    url: Secret[str]
    password: Secret[str] | None = None
    client_name: str = "first"


class App(msgspec.Struct, frozen=True):
    cache: Cache


@pytest.fixture
def memory(redis):
    return Memory({"cache": {"url": redis.url, "password": "canary"}})


@pytest.fixture
async def names(redis):
    """The names of the clients that are connected."""
    async with clients.Redis.from_url(redis.url, password="canary", client_name="outside") as outside:
        await outside.ping()

        async def names():
            return {client["name"] for client in await outside.client_list()} - {"outside"}

        yield names


async def settled(binding, until, value):
    await until(lambda: binding.value.client_name == value and binding.status().state is BindingState.IN_FORCE)


async def test_a_new_value_is_a_new_client_and_the_old_one_is_closed(memory, names, until, nothing_left):
    async with open_config(App, memory) as config, redis_client(config.select("cache")) as cache:
        async with cache.use() as client:
            await client.set("key", "value")
        await memory.patch({"cache": {"client_name": "second"}})
        await settled(cache, until, "second")
        async with cache.use() as client:
            assert await client.get("key") == b"value"
        assert await names() == {"second"}
    assert await names() == set()


async def test_the_parts_of_an_address_do_as_well_as_a_url(redis):
    async with redis_client(Live.constant({"host": "127.0.0.1", "port": redis.port, "password": "canary"})) as cache:
        assert await cache.current.ping()


@pytest.mark.parametrize("waits", [True, False], ids=["for an answer", "between commands"])
async def test_whoever_outlasts_the_drain_is_disconnected_and_does_not_come_back(
    memory, names, until, waits, nothing_left
):
    async with open_config(App, memory) as config, redis_client(config.select("cache"), drain=0.05) as cache:
        holds, closed = asyncio.Event(), asyncio.Event()

        async def hold():
            async with cache.use() as client:
                await client.ping()
                holds.set()
                if waits:
                    await client.blpop("nothing", timeout=0)
                await closed.wait()
                await client.ping()

        user = asyncio.create_task(hold())
        await holds.wait()
        await memory.patch({"cache": {"client_name": "second"}})
        await until(lambda: cache.forced == 1)
        await settled(cache, until, "second")
        closed.set()
        with anyio.fail_after(5), pytest.raises(clients.RedisError):
            await user
        assert await names() == {"second"}


async def test_a_value_that_does_not_connect_keeps_the_old_client(memory, until, caplog, nothing_left):
    async with open_config(App, memory) as config, redis_client(config.select("cache"), deadline=0.2) as cache:
        before = cache.current
        await memory.patch({"cache": {"url": f"redis://:canary@127.0.0.1:{free_ports(1)[0]}/0"}})
        await until(lambda: cache.failures >= 2)
        assert cache.current is before
        assert await before.ping()
        assert "canary" not in caplog.text + repr(config.status()) + repr(cache) + repr(before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "redis://:can/ary@127.0.0.1/0"},
        {"url": "canary"},
        {"host": "127.0.0.1", "canary_of_a_kind": "canary"},
        {"url": "redis://127.0.0.1:canary/0"},
    ],
)
async def test_no_error_quotes_an_argument(wrong, nothing_left):
    with pytest.raises(ValueError, match="expected arguments") as caught:
        async with redis_client(Live.constant(wrong), name="cache", deadline=0.2):
            pass
    assert "canary" not in str(caught.value).replace("canary_of_a_kind", "")
    assert caught.value.__context__ is None


async def test_a_wrong_password_says_so_and_does_not_show_it(redis, nothing_left):
    with pytest.raises(clients.ConnectionError) as caught:
        async with redis_client(Live.constant({"url": redis.url, "password": "wrong-canary", "retry": None})):
            pass
    assert "canary" not in str(caught.value)
    assert "password" in str(caught.value)
