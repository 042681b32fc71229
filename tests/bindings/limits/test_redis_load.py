"""Load is no outage: what passes a limit kept in Redis when there are more calls than connections."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from reactive_config import Closed, Live
from reactive_config._core.status import BindingState
from reactive_config._testing.redis_server import redis_program, redis_server
from reactive_config.bindings import ManualClock
from reactive_config.bindings.limits import redis_rate_limiter

pytest.importorskip("limits")
clients = pytest.importorskip("redis.asyncio")

SECOND = 1_000_000_000

pytestmark = [pytest.mark.skipif(redis_program() is None, reason="there is no Redis here"), pytest.mark.half_grid]


@pytest.fixture(scope="module")
def shared_server():
    with redis_server() as server:
        yield server


@pytest.fixture
def own_server():
    with redis_server() as server:
        yield server


@pytest.fixture
def space():
    return f"space-{random.randrange(10**9)}"


@asynccontextmanager
async def limiter_of(redis, space, rate="20/h", *, on_failure="allow", **settings):
    async with redis_rate_limiter(Live.constant(rate), redis, space=space, on_failure=on_failure, **settings) as made:
        yield made


def as_url(server, stack):
    return server.url


def as_client(server, stack):
    client = clients.Redis.from_url(server.url)
    stack.push_async_callback(client.aclose)
    return client


def as_small_client(server, stack):
    client = clients.Redis.from_url(server.url, max_connections=3)
    stack.push_async_callback(client.aclose)
    return client


def as_client_that_waits(server, stack):
    client = clients.Redis.from_pool(clients.BlockingConnectionPool.from_url(server.url, max_connections=4))
    stack.push_async_callback(client.aclose)
    return client


EVERY_WAY = [as_url, as_client, as_small_client, as_client_that_waits]


async def connected(server):
    async with clients.Redis.from_url(server.url, client_name="outside") as outside:
        return sum(client["name"] != "outside" for client in await outside.client_list())


@pytest.mark.parametrize("given", EVERY_WAY)
@pytest.mark.parametrize("calls", [400, pytest.param(2000, marks=pytest.mark.slow)])
async def test_exactly_the_limit_passes_however_many_call_at_once(shared_server, space, given, calls):
    async with AsyncExitStack() as stack, limiter_of(given(shared_server, stack), space) as limiter:
        decisions = await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(calls)))
        assert sum(map(bool, decisions)) == 20
        assert all(decision.retry_after > 3000 for decision in decisions if not decision), "refused without a count"
        assert limiter.status().state is BindingState.IN_FORCE
        assert limiter.status().failures == 0


async def test_a_limiter_with_a_url_leaves_no_connection(own_server, space):
    async with limiter_of(own_server.url, space) as limiter:
        await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(400)))
        assert await connected(own_server) <= 50
    assert await connected(own_server) == 0


async def test_calls_that_a_closing_limiter_leaves_end_and_do_not_connect_again(own_server, space):
    async with limiter_of(own_server.url, space, timeout=5) as limiter:
        calls = [asyncio.create_task(limiter.try_acquire("ada")) for _ in range(400)]
        while not any(call.done() for call in calls):
            await asyncio.sleep(0)
    with anyio.fail_after(5):
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(end) for end in ends if isinstance(end, Exception)} == {Closed}
    assert sum(bool(end) for end in ends if not isinstance(end, Exception)) <= 20
    assert await connected(own_server) == 0


@asynccontextmanager
async def hogged(client, number):
    """All connections of a client are in use by the user's own commands."""
    async with asyncio.TaskGroup() as group:
        hogs = [group.create_task(client.blpop("nothing", timeout=0)) for _ in range(number)]
        while client.connection_pool.can_get_connection():
            await asyncio.sleep(0)
        try:
            yield
        finally:
            for hog in hogs:
                hog.cancel()


@pytest.mark.parametrize("kind", [clients.ConnectionPool, clients.BlockingConnectionPool])
async def test_a_client_whose_connections_the_user_holds_refuses_and_is_no_outage(shared_server, space, kind):
    clock = ManualClock()
    async with (
        clients.Redis.from_pool(kind.from_url(shared_server.url, max_connections=2)) as client,
        limiter_of(client, space, timeout=0.2, clock=clock) as limiter,
    ):
        async with hogged(client, 2):
            began = time.monotonic()
            decisions = await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(400)))
            assert time.monotonic() - began < 3
            assert not any(decisions)
            assert {decision.retry_after for decision in decisions} == {1.0}
            status = limiter.status()
            assert (status.state, status.failures) == (BindingState.RETRYING, 0)
            assert status.error == (
                "Redis cannot be asked (the client has no free connection): what cannot be asked is refused"
            )
        assert await limiter.try_acquire("ada")  # at once: there is a connection again
        clock.advance(2 * SECOND)
        assert limiter.status().state is BindingState.IN_FORCE


async def test_a_call_that_waits_for_a_connection_gets_it(shared_server, space):
    async with (
        clients.Redis.from_url(shared_server.url, max_connections=2) as client,
        limiter_of(client, space, timeout=20) as limiter,
    ):
        async with hogged(client, 2):
            call = asyncio.create_task(limiter.try_acquire("ada"))
            await asyncio.sleep(0)
        with anyio.fail_after(5):
            assert await call


async def test_a_client_whose_connections_all_wait_for_a_dead_redis_is_an_outage(own_server, space):
    """The user's own commands hang too, so its pool is full because Redis is away."""
    async with (
        clients.Redis.from_url(own_server.url, max_connections=2) as client,
        limiter_of(client, space, timeout=0.2, on_failure="local", rate="3/h") as limiter,
        hogged(client, 2),
    ):
        os.kill(own_server.pid, signal.SIGSTOP)
        try:
            decisions = await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(100)))
        finally:
            os.kill(own_server.pid, signal.SIGCONT)
        assert sum(map(bool, decisions)) == 3
        assert limiter.status().error.startswith("no answer from Redis (")


async def test_a_server_with_all_the_clients_that_it_may_have_is_no_outage(own_server, space):
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(clients.Redis.from_url(own_server.url, single_connection_client=True))
        await outside.config_set("maxclients", 1)
        async with limiter_of(own_server.url, space, timeout=5) as limiter:
            decisions = await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(100)))
            assert not any(decisions)
            assert limiter.status().failures == 0
            assert "the server has as many clients as it may have" in limiter.status().error
            await outside.config_set("maxclients", 100)
            assert await limiter.try_acquire("ada")


async def test_an_event_loop_that_is_held_longer_than_the_timeout_is_no_outage(shared_server, space):
    async with limiter_of(shared_server.url, space, timeout=0.1) as limiter:
        await limiter.try_acquire("grace")  # connected
        calls = [asyncio.create_task(limiter.try_acquire("ada")) for _ in range(40)]
        for _ in range(3):
            await asyncio.sleep(0)
            time.sleep(0.15)  # noqa: ASYNC251 - that is what is tested
        assert sum(map(bool, await asyncio.gather(*calls))) == 20
        assert limiter.status().failures == 0


REFUSED = {
    "OOM": ["CONFIG SET maxmemory 1"],
    "NOREPLICAS": ["CONFIG SET min-replicas-to-write 1"],
    "READONLY": ["REPLICAOF 127.0.0.1 1"],
    "MASTERDOWN": ["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
    "NOAUTH": ["CONFIG SET requirepass canary", "CLIENT KILL TYPE normal SKIPME yes"],
    "NOPERM": ["ACL SETUSER default -@scripting"],
}


@pytest.mark.parametrize("code", REFUSED)
async def test_a_redis_that_counts_for_nobody_is_an_outage(own_server, space, code):
    async with (
        clients.Redis.from_url(own_server.url, single_connection_client=True) as outside,
        limiter_of(own_server.url, space, on_failure="local", rate="3/h", timeout=5) as limiter,
    ):
        assert await limiter.try_acquire("grace")
        for command in REFUSED[code]:
            await outside.execute_command(*command.split())
        decisions = [await limiter.try_acquire("ada") for _ in range(10)]
        assert sum(map(bool, decisions)) == 3
        status = limiter.status()
        assert status.failures == 1
        assert status.error.startswith("no answer from Redis (")
        assert "canary" not in status.error


async def test_a_script_that_keeps_redis_busy_is_an_outage_and_ends(own_server, space):
    clock = ManualClock()
    async with (
        clients.Redis.from_url(own_server.url, single_connection_client=True, socket_timeout=None) as hog,
        clients.Redis.from_url(own_server.url, single_connection_client=True) as outside,
        limiter_of(own_server.url, space, on_failure="refuse", timeout=5, clock=clock) as limiter,
    ):
        assert await limiter.try_acquire("ada")
        await outside.config_set("busy-reply-threshold", 1)
        running = asyncio.create_task(hog.execute_command("EVAL", "while true do end", 0))
        with anyio.fail_after(5):
            while await limiter.try_acquire("ada"):  # it may come before the script
                pass
        assert limiter.status().error.startswith("no answer from Redis (ResponseError)")
        await outside.script_kill()
        with pytest.raises(clients.RedisError):
            await running
        clock.advance(2 * SECOND)
        assert await limiter.try_acquire("ada")


async def test_a_key_that_holds_something_else_is_refused_there_and_nowhere_else(shared_server, space):
    async with clients.Redis.from_url(shared_server.url) as client:
        await client.hset(f"{space}:ada", "not", "a list")
        async with limiter_of(client, space) as limiter:
            for call in (limiter.try_acquire, limiter.acquire):
                with pytest.raises(clients.RedisError, match="WRONGTYPE"):
                    await call("ada")
            ends = await asyncio.gather(
                *(limiter.try_acquire(key) for _ in range(50) for key in ("ada", "grace")), return_exceptions=True
            )
            assert sum(end is not None and not isinstance(end, Exception) and bool(end) for end in ends) == 20
            assert limiter.status().state is BindingState.IN_FORCE


async def test_scripts_that_are_flushed_all_the_time_let_exactly_the_limit_through(shared_server, space):
    async with clients.Redis.from_url(shared_server.url) as outside:
        done = asyncio.Event()

        async def flush():
            while not done.is_set():
                await outside.script_flush()

        async with asyncio.TaskGroup() as group:
            group.create_task(flush())
            async with limiter_of(shared_server.url, space, timeout=5) as limiter:
                decisions = await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(200)))
            done.set()
        assert sum(map(bool, decisions)) == 20


async def test_a_cancelled_call_gives_its_turn_back(shared_server, space):
    async with (
        clients.Redis.from_url(shared_server.url, max_connections=2) as client,
        limiter_of(client, space) as limiter,
    ):
        for turns in range(30):
            calls = [asyncio.create_task(limiter.try_acquire("grace")) for _ in range(5)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        with anyio.fail_after(5):
            assert sum([bool(await limiter.try_acquire("ada")) for _ in range(30)]) == 20
