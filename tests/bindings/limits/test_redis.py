"""A rate that holds across processes, on a real Redis."""

from __future__ import annotations

import asyncio
import logging
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
from reactive_config._core.status import BindingState
from reactive_config._testing.redis_server import redis_server
from reactive_config.bindings import ManualClock
from reactive_config.bindings.limits import RateRule, TooCostly, redis_rate_limiter

pytest.importorskip("limits")
redis_asyncio = pytest.importorskip("redis.asyncio")

pytestmark = pytest.mark.half_grid

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
    monkeypatch.setattr("reactive_config._bindings.limits.shared_window.time", manual)
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
async def test_what_happens_while_redis_is_away_is_said_and_shown(space, on_failure, passed, meanwhile, caplog):
    caplog.set_level(logging.INFO, "reactive_config")
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
    away, back = [text for text in caplog.messages if text.startswith("rate limits in Redis")]
    assert away.startswith("rate limits in Redis: no answer (")
    assert back == "rate limits in Redis: it answers again"


async def test_a_redis_that_hangs_is_waited_for_once_and_not_by_every_call(space):
    clock = ManualClock()
    with redis_server() as server:
        limiter = redis_rate_limiter(Live.constant("5/h"), server.url, space=space, timeout=0.2, clock=clock)
        async with limiter:
            assert await limiter.try_acquire("ada")
            os.kill(server.pid, signal.SIGSTOP)
            started = time.monotonic()
            assert await count(limiter, 50) == 4  # counted here, with the one that Redis had let through
            assert time.monotonic() - started < 2
            assert limiter.status().error == "no answer from Redis (TimeoutError): each process limits by itself"
            os.kill(server.pid, signal.SIGCONT)
            clock.advance(2 * SECOND)
            assert await count(limiter, 10) == 0  # Redis does not know of the four
            assert await count(limiter, 10, "grace") == 5
            assert limiter.status().state is BindingState.IN_FORCE


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


@pytest.mark.parametrize("rate", ["7/h", "150/h"])
async def test_one_process_never_lets_more_than_the_limit_through_whatever_outages(space, rate):
    clock, limit = ManualClock(), int(rate.removesuffix("/h"))
    with redis_server() as server:
        async with redis_rate_limiter(Live.constant(rate), server.url, space=space, timeout=5, clock=clock) as limiter:
            passed = await count(limiter, 2)
            for _ in range(3):
                server.kill()
                passed += await count(limiter, limit // 3)
                assert await limiter.try_acquire("grace")  # those who are refused by this process's count ask no Redis
                assert limiter.status().state is BindingState.RETRYING
                server.start_blocking()  # it comes back empty
                clock.advance(2 * SECOND)
                passed += await count(limiter, limit // 3)
                assert limiter.status().state is BindingState.IN_FORCE
            passed += await count(limiter, limit)
            assert passed == limit
            refused = await limiter.try_acquire("ada")
            assert refused.remaining == 0
            assert 3590 < refused.retry_after < 3600
            clock.advance(2 * 3600 * SECOND)
            assert await count(limiter, 2 * limit) == limit  # Redis alone decides again


async def test_while_redis_answers_its_count_alone_decides(server, space):
    """As if somebody deletes a key there, so that a client may go on."""
    async with (
        redis_rate_limiter(Live.constant("3/h"), server.url, space=space, timeout=5) as limiter,
        redis_asyncio.Redis.from_url(server.url) as client,
    ):
        for _ in range(3):
            assert await count(limiter, 5) == 3
            assert await client.delete(f"{space}:ada") == 1


async def test_calls_at_once_after_an_outage_pass_only_once(space):
    clock = ManualClock()
    with redis_server() as server:
        async with redis_rate_limiter(Live.constant("9/h"), server.url, space=space, timeout=5, clock=clock) as limiter:
            server.kill()
            assert await count(limiter, 5) == 5
            server.start_blocking()
            clock.advance(2 * SECOND)
            assert sum(map(bool, await asyncio.gather(*(limiter.try_acquire("ada") for _ in range(50))))) == 4


@pytest.mark.parametrize(("spaces", "keys"), [(("{}", "{}:b"), ("b:c", "c")), (("{}:b", "{}%3Ab"), ("c", "c"))])
async def test_spaces_share_nothing(server, space, spaces, keys):
    for one, key in zip(spaces, keys, strict=True):
        async with redis_rate_limiter(Live.constant("1/h"), server.url, space=one.format(space)) as limiter:
            assert await count(limiter, 2, key) == 1
    async with redis_rate_limiter(Live.constant("1/h"), server.url, space=spaces[0].format(space)) as limiter:
        assert await count(limiter, 2, keys[0]) == 0


@pytest.mark.parametrize(
    ("key", "expected"),
    [(5, "key: expected a str, got int"), (None, "key: expected a str"), ("\ud800", "key: expected a text that")],
)
async def test_a_key_that_redis_cannot_hold_is_refused_by_its_name(server, space, key, expected):
    async with redis_rate_limiter(Live.constant("9/h"), server.url, space=space) as limiter:
        for call in (limiter.try_acquire, limiter.acquire):
            with pytest.raises((TypeError, ValueError), match=f"^{expected}") as caught:
                await call(key)
            assert type(caught.value) in (TypeError, ValueError)
            assert caught.value.__context__ is None
    with pytest.raises((TypeError, ValueError), match=f"^{expected.replace('key', 'space')}"):
        redis_rate_limiter(Live.constant("9/h"), server.url, space=key)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:can#ary@127.0.0.1:6379/0",
        "redis://:can/ary@127.0.0.1:6379/0",
        "redis://:can?ary@127.0.0.1:6379/0",
        "redis://127.0.0.1/0?db=canary",
        "redis://127.0.0.1/0?socket_timeout=canary",
        "redis://127.0.0.1/0?password=s3cr&canary=x",
        "redis://127.0.0.1:canary/0",
        "canary",
    ],
)
def test_no_error_quotes_a_url(space, url):
    with pytest.raises(ValueError, match=r"^redis: expected the URL of a Redis, got [A-Za-z]+$") as caught:
        redis_rate_limiter(Live.constant("1/s"), url, space=space)
    assert caught.value.__context__ is None


async def test_what_cannot_be_is_said_at_once(server, space):
    async with redis_rate_limiter(Live.constant("3/s"), server.url, space=space) as limiter:
        with pytest.raises(TooCostly, match="the limit in force, 3, got 4"):
            await limiter.acquire(cost=4)
    for unfit, told in {"10/1500ms": "per: expected whole seconds", "0.5/s": "limit: expected a whole number"}.items():
        with pytest.raises(ValueError, match=told):
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
    with pytest.raises(ImportError, match='the extra "limits" of reactive-config, or: pip install limits redis'):
        redis_rate_limiter(Live.constant("1/s"), "redis://127.0.0.1:1", space="shop")
