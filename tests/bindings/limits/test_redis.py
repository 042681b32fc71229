"""A rate that holds across processes, on a real Redis."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from types import SimpleNamespace

import anyio
import msgspec
import pytest

from reactive_config import Closed, Live, Memory, open_config
from reactive_config.bindings import ManualClock
from reactive_config.bindings.limits import RateRule, TooCostly, redis_rate_limiter
from reactive_config.core.status import BindingState
from reactive_config.testing.redis_server import redis_server

pytest.importorskip("limits")
redis_asyncio = pytest.importorskip("redis.asyncio")

SECOND = 1_000_000_000


class App(msgspec.Struct, frozen=True):
    requests: RateRule = "10/s"


@pytest.fixture(scope="module")
def server():
    with redis_server() as server:
        yield server


@pytest.fixture
def space():
    return f"space-{random.randrange(10**9)}"


@pytest.fixture
def wall(monkeypatch):
    """The hosts' clock, moved by hand: `limits` reads it for every call."""
    now = SimpleNamespace(at=1_700_000_000.0)
    manual = SimpleNamespace(time=lambda: now.at)
    monkeypatch.setattr("limits.aio.storage.redis.redispy.time", manual)
    monkeypatch.setattr("reactive_config.bindings.limits.shared_window.time", manual)
    return now


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0.001)


async def count(limiter, tries, key="ada"):
    return sum([bool(await limiter.try_acquire(key)) for _ in range(tries)])


class Processes:
    """Several configurations with a limiter each, as several processes would have."""

    def __init__(self, stack, server, space):
        self._stack, self._server, self._space = stack, server, space
        self.memories, self.configs, self.limiters = [], [], []

    async def start(self, rate, number=2, **settings):
        for _ in range(number):
            memory = Memory({"requests": rate})
            config = await self._stack.enter_async_context(open_config(App, memory))
            limiter = redis_rate_limiter(
                config.select("requests"), self._server.url, space=self._space, timeout=5, **settings
            )
            self.memories.append(memory)
            self.configs.append(config)
            self.limiters.append(await self._stack.enter_async_context(limiter))
        return self.limiters

    async def change(self, rate):
        for memory, limiter in zip(self.memories, self.limiters, strict=True):
            await memory.patch({"requests": rate})
            await until(lambda limiter=limiter: limiter.value == rate)


@pytest.fixture
async def processes(server, space):
    async with AsyncExitStack() as stack:
        yield Processes(stack, server, space)


async def test_two_processes_share_one_rate(processes, wall):
    one, two = await processes.start("10/s")
    assert await count(one, 7) + await count(two, 7) == 10
    refused = await two.try_acquire("ada")
    assert (refused.remaining, round(refused.retry_after, 3)) == (0, 1.001)
    assert await one.try_acquire("grace")
    wall.at += 1.001
    assert await count(two, 20) == 10


async def test_a_change_judges_what_both_let_through_before_it(processes, wall):
    one, two = await processes.start("10/m")
    assert await count(one, 10) == 10
    await processes.change("25/m")
    assert await count(two, 30) + await count(one, 30) == 15
    await processes.change("5/m")
    wall.at += 59
    assert await count(one, 5) + await count(two, 5) == 0
    wall.at += 1.1
    assert await count(one, 5) + await count(two, 5) == 5


async def test_changing_to_and_fro_grants_no_burst(processes, wall):
    one, two = await processes.start("10/m")
    passed = 0
    for step in range(10):
        passed += await count(one, 20) + await count(two, 20)
        await processes.change(("11/m", "10/m")[step % 2])
    assert passed == 11


async def test_no_window_ever_holds_more_than_the_rate_in_force(processes, wall):
    limiters = await processes.start("6/2s")
    rng, passed, limit = random.Random(3), [], 6
    for _ in range(300):
        if rng.random() < 0.05:
            limit = rng.choice([2, 6, 9])
            await processes.change(f"{limit}/2s")
        wall.at += rng.random() / 4
        cost = rng.randint(1, 2)
        if await rng.choice(limiters).try_acquire("ada", cost):
            passed.append((wall.at, cost))
            assert sum(c for at, c in passed if at >= wall.at - 2) <= limit
    assert len(passed) > 50


@pytest.mark.slow
async def test_those_who_wait_in_two_processes_keep_to_the_rate_and_see_a_new_one_at_once(processes):
    one, two = await processes.start("2/h")
    at = []

    async def call(limiter):
        await limiter.acquire("ada")
        at.append(time.monotonic())

    async with asyncio.TaskGroup() as group:
        for number in range(24):
            group.create_task(call((one, two)[number % 2]))
        await until(lambda: len(at) == 2)
        started = time.monotonic()
        await processes.change("14/s")
    assert at[2] - started < 0.9
    # 14 pass together with the 2 of before, or without them where they are older than a second.
    assert all(later - first > 0.9 for first, later in zip(at, at[14:], strict=False))


@pytest.mark.parametrize(
    ("on_failure", "passed", "meanwhile"),
    [
        ("local", 3, "each process limits by itself"),
        ("refuse", 0, "nothing passes"),
        ("allow", 10, "everything passes"),
    ],
)
async def test_what_happens_while_redis_is_away_is_said_and_shown(space, on_failure, passed, meanwhile):
    clock, memory = ManualClock(), Memory({"requests": "3/h"})
    with redis_server() as server:
        async with (
            open_config(App, memory) as config,
            redis_rate_limiter(
                config.select("requests"), server.url, space=space, on_failure=on_failure, clock=clock, timeout=5
            ) as limiter,
        ):
            assert await count(limiter, 4, "grace") == 3
            server.kill()
            assert await count(limiter, 10) == passed
            (shown,) = config.status().bindings
            assert shown.state is BindingState.RETRYING
            assert shown.failures == 1
            assert shown.error.startswith("no answer from Redis (")
            assert shown.error.endswith(meanwhile)
            server.start_blocking()
            clock.advance(2 * SECOND)
            assert await count(limiter, 10, "edsger") == 3
            assert config.status().bindings[0].state is BindingState.IN_FORCE


async def test_a_redis_that_hangs_is_waited_for_once_and_not_by_every_call(space):
    clock = ManualClock()
    with redis_server() as server:
        limiter = redis_rate_limiter(Live.constant("5/h"), server.url, space=space, timeout=0.2, clock=clock)
        async with limiter:
            assert await limiter.try_acquire("ada")
            os.kill(server.pid, signal.SIGSTOP)
            started = time.monotonic()
            assert await count(limiter, 50) == 5  # counted here
            assert time.monotonic() - started < 2
            assert limiter.status().error == "no answer from Redis (TimeoutError): each process limits by itself"
            os.kill(server.pid, signal.SIGCONT)
            clock.advance(2 * SECOND)
            assert await count(limiter, 10) in (3, 4)  # it may have counted the call that was given up


@pytest.mark.slow
async def test_who_waits_gets_through_by_this_processs_own_count_while_redis_is_away(space):
    with redis_server() as server:
        server.kill()
        async with redis_rate_limiter(Live.constant("1/s"), server.url, space=space, timeout=5) as limiter:
            with anyio.fail_after(10):
                await limiter.acquire("ada")
                await limiter.acquire("ada")


async def test_a_client_of_the_users_stays_open(server, space):
    async with redis_asyncio.Redis.from_url(server.url) as client:
        async with redis_rate_limiter(Live.constant("1/m"), client, space=space) as limiter:
            assert await count(limiter, 2) == 1
        assert await client.ping()
        assert await client.keys(f"{space}*")


async def test_no_limit_and_a_pause_do_not_ask_redis(space):
    async with redis_rate_limiter(Live.constant(None), "redis://127.0.0.1:1", space=space) as limiter:
        assert await limiter.try_acquire()
        await limiter.acquire()
    async with redis_rate_limiter(Live.constant("0/s"), "redis://127.0.0.1:1", space=space) as limiter:
        assert (await limiter.try_acquire()).retry_after is None
        assert limiter.status().state is BindingState.IN_FORCE
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
    with pytest.raises(Closed):
        await waiting


async def test_what_cannot_be_is_said_at_once(server, space):
    async with redis_rate_limiter(Live.constant("3/s"), server.url, space=space) as limiter:
        with pytest.raises(TooCostly, match="the limit in force, 3, got 4"):
            await limiter.acquire(cost=4)
    for unfit in ("10/100ms", "0.5/s"):
        with pytest.raises(ValueError, match="expected"):
            async with redis_rate_limiter(Live.constant(unfit), server.url, space=space):
                pass
    for settings in ({"on_failure": "panic"}, {"timeout": 0}, {"max_keys": 0}):
        with pytest.raises(ValueError, match="expected"):
            redis_rate_limiter(Live.constant("1/s"), server.url, space=space, **settings)
    with pytest.raises(TypeError, match=r"redis: expected a redis.asyncio.Redis or a URL, got int"):
        redis_rate_limiter(Live.constant("1/s"), 6379, space=space)


@pytest.mark.parametrize("missing", ["limits.aio.storage", "redis.asyncio"])
def test_a_missing_library_names_the_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'pip install "reactive-config\[limits\]"'):
        redis_rate_limiter(Live.constant("1/s"), "redis://127.0.0.1:1", space="shop")
