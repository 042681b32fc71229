"""What a rate limiter that follows a live rate promises, on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import anyio
import msgspec
import pytest

from reactive_config import Closed, Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import Capacity, ManualClock, capacity, together
from reactive_config.bindings.limits import Rate, RateRule, TooCostly, rate_limiter

SECOND = 1_000_000_000


class App(msgspec.Struct, frozen=True):
    requests: RateRule = "10/s"
    other: int | None = None


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def clock():
    return ManualClock(start=0)


@pytest.fixture
async def memory():
    return Memory({})


@pytest.fixture
async def config(memory):
    async with open_config(App, memory) as config:
        yield config


@pytest.fixture
def limited(config, memory, clock):
    """Opens a limiter on the configuration, and changes its rate so that it is in force."""

    class Limited:
        def __call__(self, rate, **settings):
            self.first = rate
            self.limiter = rate_limiter(config.select("requests"), clock=clock, name="api", **settings)
            return self

        async def __aenter__(self):
            await memory.patch({"requests": self.first})
            return await self.limiter.__aenter__()

        async def __aexit__(self, *error):
            await self.limiter.__aexit__(*error)

        async def change(self, rate):
            await memory.patch({"requests": rate})
            await until(lambda: self.limiter.value == config.current.requests)

    return Limited()


class Caller:
    """A task that waits for the limiter, and the second at which it got through."""

    def __init__(self, group, clock, limiter, key="", cost=1, log=None):
        self.at = None
        self.error = None
        self.clock = clock
        self.task = group.create_task(self._call(limiter, key, cost, log if log is not None else []))

    async def _call(self, limiter, key, cost, log):
        try:
            await limiter.acquire(key, cost)
        except (TooCostly, Closed) as error:
            self.error = error
        else:
            self.at = self.clock.now() / SECOND
            log.append(cost)


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_lets_the_burst_through_and_then_the_rate(limited, clock):
    async with limited("10/s") as limiter, asyncio.TaskGroup() as group:
        callers = [Caller(group, clock, limiter) for _ in range(13)]
        await until(lambda: clock.pending)
        while clock.pending:
            clock.advance(clock.pending[0] - clock.now())
            await turns()
    assert [caller.at for caller in callers] == [0] * 10 + [0.1, 0.2, 0.3]


async def test_who_waits_for_one_an_hour_gets_through_at_once_at_a_thousand_an_hour(limited, clock):
    async with limited("1/h") as limiter, asyncio.TaskGroup() as group:
        first, second = Caller(group, clock, limiter), Caller(group, clock, limiter)
        await until(lambda: clock.pending == [3600 * SECOND])
        clock.advance(timedelta(minutes=1))
        assert first.at == 0
        await limited.change("60000/h")
        # A sixtieth of the token was there already, and is not lost; the rest takes 59 ms, rounded up.
        await until(lambda: clock.pending == [60_059_000_001])
        clock.advance(59_000_001)
        await until(lambda: second.at)


async def test_a_slower_rate_holds_those_who_wait_to_it_at_once(limited, clock):
    async with limited({"limit": 1, "burst": 1}) as limiter, asyncio.TaskGroup() as group:
        first, second = Caller(group, clock, limiter), Caller(group, clock, limiter)
        await until(lambda: clock.pending == [SECOND])
        clock.advance(SECOND // 2)
        await limited.change("1/m")
        await until(lambda: clock.pending == [SECOND // 2 + 30 * SECOND])
        assert (first.at, second.at) == (0, None)
        clock.advance(30 * SECOND)


async def test_no_limit_lets_all_through_who_wait_and_nobody_after_a_pause(limited, clock):
    async with limited("0/s") as limiter, asyncio.TaskGroup() as group:
        waiting = [Caller(group, clock, limiter) for _ in range(5)]
        await turns()
        assert (clock.pending, limiter.try_acquire("other").retry_after) == ([], None)
        await limited.change(None)
        await until(lambda: all(caller.at == 0 for caller in waiting))
        assert limiter.try_acquire(cost=10**9).remaining is None


@pytest.mark.parametrize("algorithm", ["token_bucket", "leaky_bucket", "sliding_window"])
async def test_first_come_first_served_whatever_the_costs(limited, clock, algorithm):
    log = []
    async with limited("5/s", algorithm=algorithm) as limiter, asyncio.TaskGroup() as group:
        callers = [Caller(group, clock, limiter, cost=cost, log=log) for cost in (5, 5, 1, 3, 1, 1, 5)]
        await turns()
        while not all(caller.at is not None for caller in callers):
            await until(lambda: clock.pending)
            clock.advance(clock.pending[0] - clock.now())
            assert not limiter.try_acquire()  # nor does this overtake
            await turns()
    assert log == [5, 5, 1, 3, 1, 1, 5]


async def test_keys_do_not_wait_for_one_another(limited, clock):
    async with limited("1/s") as limiter, asyncio.TaskGroup() as group:
        for _ in range(2):
            Caller(group, clock, limiter, "ada")
        await until(lambda: clock.pending)
        assert limiter.try_acquire("grace")
        clock.advance(SECOND)


async def test_a_cancelled_call_has_taken_nothing_and_the_next_moves_up(limited, clock):
    async with limited("2/s") as limiter, asyncio.TaskGroup() as group:
        assert limiter.try_acquire(cost=2)
        large, small = Caller(group, clock, limiter, cost=2), Caller(group, clock, limiter, cost=1)
        await until(lambda: clock.pending == [SECOND])
        large.task.cancel()
        await until(lambda: clock.pending == [SECOND // 2])
        clock.advance(SECOND // 2)
        await until(lambda: small.at == 0.5)
        clock.advance(SECOND)
        assert limiter.try_acquire(cost=2)


async def test_one_that_is_cancelled_in_the_turn_in_which_its_time_came_loses_nothing(limited, clock):
    async with limited("1/s") as limiter, asyncio.TaskGroup() as group:
        assert limiter.try_acquire()
        first, second = Caller(group, clock, limiter), Caller(group, clock, limiter)
        await until(lambda: clock.pending)
        clock.advance(SECOND)
        first.task.cancel()
        await until(lambda: second.at == 1)


async def test_nothing_is_left_of_those_who_gave_up(limited, clock):
    async with limited("0/s") as limiter:
        for number in range(100):
            with anyio.move_on_after(0):
                await limiter.acquire(f"client-{number}")
        async with asyncio.TaskGroup() as group:
            callers = [Caller(group, clock, limiter, "ada") for _ in range(100)]
            await turns()
            for caller in callers[1:]:
                caller.task.cancel()
            await turns()
            assert limiter.try_acquire("ada").remaining == 0
            await limited.change("1/s")
            await until(lambda: callers[0].at == 0)
            assert clock.pending == []


async def test_a_cost_above_the_burst_says_so_at_once_also_when_the_burst_shrinks_under_it(limited, clock):
    async with limited("10/s") as limiter, asyncio.TaskGroup() as group:
        with pytest.raises(TooCostly, match="cost: expected at most the burst in force, 10, got 11"):
            await limiter.acquire(cost=11)
        with pytest.raises(TooCostly):
            limiter.try_acquire(cost=11)
        assert limiter.try_acquire(cost=10)
        callers = [Caller(group, clock, limiter, cost=cost) for cost in (3, 8)]
        await until(lambda: clock.pending)
        await limited.change("5/s")
        await until(lambda: callers[1].error is not None)
        assert "the burst in force, 5, got 8" in str(callers[1].error)
        clock.advance(SECOND)
        await until(lambda: callers[0].at == 1)


async def test_a_decision_says_when_to_come_again_and_what_is_left(limited, clock):
    async with limited("2/s") as limiter:
        decisions = [limiter.try_acquire("ada") for _ in range(3)]
        assert [(bool(d), d.retry_after, d.remaining) for d in decisions] == [
            (True, 0, 1),
            (True, 0, 0),
            (False, 0.5, 0),
        ]
        clock.advance(SECOND // 2)
        assert limiter.try_acquire("ada")


@pytest.mark.parametrize("algorithm", ["token_bucket", "leaky_bucket", "sliding_window"])
async def test_changing_to_and_fro_grants_no_burst(limited, clock, algorithm):
    async with limited("4/h", algorithm=algorithm) as limiter:
        passed = 0
        for step in range(40):
            passed += sum(bool(limiter.try_acquire()) for _ in range(10))
            await limited.change(("5/h", "4/h")[step % 2])
        # The window lets its limit through at once; the buckets earn what a larger burst could hold.
        assert passed == {"token_bucket": 4, "leaky_bucket": 1, "sliding_window": 5}[algorithm]


async def test_it_shows_in_the_status_and_a_value_that_is_no_rate_keeps_the_one_before(clock):
    memory = Memory({"requests": "1/s"})
    async with open_config(dict, memory) as config, rate_limiter(config.select("requests"), clock=clock) as limiter:
        assert config.status().bindings[0].name == "rate_limiter(select(requests))"
        await memory.patch({"requests": "-1/s"})
        await until(lambda: config.status().bindings[0].failures)
        status = config.status().bindings[0]
        told = "rate: expected a rate such as 100/s, 100/10s or 5/m, a table of limit and per, or null, got '-1/s'"
        assert (status.state, status.error) == (BindingState.REFUSED, f"the new one could not be made: {told}")
        assert [bool(limiter.try_acquire()) for _ in range(2)] == [True, False]
        await memory.patch({"requests": "5/s"})
        await until(lambda: config.status().bindings[0].state is BindingState.IN_FORCE)
    assert config.status().bindings == ()


async def test_a_rate_that_the_algorithm_cannot_hold_tells_what_would_have_fitted(clock, caplog):
    memory = Memory({"requests": "1/s"})
    async with (
        open_config(dict, memory) as config,
        rate_limiter(config.select("requests"), algorithm="sliding_window", clock=clock) as limiter,
    ):
        await memory.patch({"requests": "0.5/s"})
        await until(lambda: limiter.failures)
        told = "limit: expected a whole number with sliding_window (1/10s rather than 0.1/s), got a fraction"
        assert limiter.status().error == f"the new one could not be made: {told}"
        assert told in caplog.text


async def test_a_first_value_that_is_no_rate_fails_loudly():
    value: Any = "many"
    with pytest.raises(ValueError, match="rate: expected a rate such as 100/s"):
        async with rate_limiter(Live.constant(value)):
            pass
    with pytest.raises(ValueError, match="burst: expected none with sliding_window"):
        async with rate_limiter(Live.constant(Rate(1, burst=1)), algorithm="sliding_window"):
            pass


async def test_who_still_waits_when_it_closes_is_told(limited, clock):
    async with asyncio.TaskGroup() as group:
        async with limited("0/s") as limiter:
            caller = Caller(group, clock, limiter)
            await turns()
        await until(lambda: isinstance(caller.error, Closed))
    for use in (limiter.try_acquire, lambda: rate_limiter(Live.constant("1/s")).try_acquire()):
        with pytest.raises(RuntimeError, match="expected an open limiter"):
            use()


async def test_it_moves_together_with_others(config, memory, clock):
    limiter = rate_limiter(config.select("requests"), clock=clock)
    limit: Capacity[int | None] = capacity(config.select("other"))
    async with together(limiter, limit):
        await memory.patch({"requests": "1/h", "other": 3})
        await until(lambda: limiter.value == "1/h")
        assert limit.limiter.total_tokens == 3


async def test_a_loop_without_a_limit_lets_others_run(limited):
    async with limited(None) as limiter:
        ran = asyncio.create_task(asyncio.sleep(0))
        with anyio.fail_after(5):
            while not ran.done():
                await limiter.acquire()


async def test_the_loops_own_clock_keeps_the_rate():
    async with rate_limiter(Live.constant(Rate(500, burst=1))) as limiter:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(11):
            await limiter.acquire()
        assert loop.time() - started >= 0.02


@pytest.mark.parametrize("cost", [0, -1, 1.5, True, "1"])
async def test_a_cost_is_a_whole_number_above_0(limited, cost):
    async with limited("1/s") as limiter:
        with pytest.raises(ValueError, match="cost: expected a whole number, 1 or more"):
            limiter.try_acquire(cost=cost)


def test_the_settings_are_checked():
    with pytest.raises(ValueError, match="algorithm: expected token_bucket, leaky_bucket, sliding_window, got 'gcra'"):
        rate_limiter(Live.constant("1/s"), algorithm="gcra")
    with pytest.raises(ValueError, match="max_keys: expected 1 or more, got 0"):
        rate_limiter(Live.constant("1/s"), max_keys=0)
