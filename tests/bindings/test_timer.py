"""Ticks at a live interval: what a loop over a timer is promised, on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import gc
import random
from datetime import timedelta
from typing import Any

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import ManualClock, timer

SECOND = 1_000_000_000


class App(msgspec.Struct, frozen=True):
    every: timedelta | None = timedelta(seconds=10)
    other: int = 0


class Listener:
    """A task that loops over a timer and keeps its ticks, with the second at which each came."""

    def __init__(self, group, ticks, clock):
        self.clock = clock
        self.got = []
        self.task = group.create_task(self._listen(ticks))

    async def _listen(self, ticks):
        async for tick in ticks:
            self.got.append((self.clock.now() / SECOND, tick))

    @property
    def came(self):
        return [at for at, _ in self.got]


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


def due(clock):
    """The seconds at which somebody is to be woken."""
    return [when / SECOND for when in clock.pending]


@pytest.fixture
def clock():
    return ManualClock(start=0)


@pytest.fixture
async def config(clock):
    memory = Memory({"every": 10})
    async with open_config(App, memory) as config:
        config.patch = memory.patch
        yield config


async def move(clock, seconds):
    clock.advance(int(seconds * SECOND))
    await asyncio.sleep(0)


async def test_the_first_tick_comes_after_one_interval_and_the_rest_on_its_grid(config, clock):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("every"), clock=clock), clock)
        await until(lambda: due(clock) == [10])
        assert heard.got == []
        for late in (0, 3, 9.5, 0):  # however late each one comes, the next one's place does not move
            place = due(clock)[0]
            await move(clock, place + late - clock.now() / SECOND)
            await until(lambda place=place: due(clock) == [place + 10])
        heard.task.cancel()
    assert [(t.count, t.scheduled / SECOND, t.missed) for _, t in heard.got] == [
        (1, 10, 0), (2, 20, 0), (3, 30, 0), (4, 40, 0),
    ]  # fmt: skip
    assert heard.came == [10, 23, 39.5, 40]


async def test_a_longer_interval_counts_from_the_last_tick(config, clock):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("every"), clock=clock), clock)
        await until(lambda: due(clock) == [10])
        await move(clock, 7)
        await config.patch({"every": 60})
        await until(lambda: due(clock) == [60])
        heard.task.cancel()


async def test_a_shorter_interval_ticks_now_where_its_time_is_past_and_its_grid_begins_there(config, clock):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("every"), clock=clock), clock)
        await until(lambda: due(clock) == [10])
        await move(clock, 9)
        await config.patch({"every": 4})
        await until(lambda: due(clock) == [13])
        assert [(at, t.scheduled / SECOND, t.missed) for at, t in heard.got] == [(9, 9, 0)]
        heard.task.cancel()


@pytest.mark.parametrize("pause", [0, None])
async def test_a_pause_waits_and_what_it_took_counts_when_it_goes_on(config, clock, pause):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("every"), clock=clock), clock)
        await until(lambda: due(clock) == [10])
        await config.patch({"every": pause})
        await until(lambda: due(clock) == [])
        await move(clock, 1000)
        await config.patch({"every": 1005})
        await until(lambda: due(clock) == [1005])
        await config.patch({"every": 100})
        await until(lambda: due(clock) == [1100])
        assert heard.came == [1000]
        heard.task.cancel()


async def test_what_does_not_change_the_interval_does_not_wake_it(config, clock):
    async with asyncio.TaskGroup() as group:
        live = config.select(lambda c: c.every)
        heard = Listener(group, timer(live, clock=clock), clock)
        await until(lambda: due(clock) == [10])
        await move(clock, 5)
        await config.patch({"other": 1, "every": "10s"})
        assert due(clock) == [10]
        assert config.status().bindings[0].changes == 1
        heard.task.cancel()


@pytest.mark.parametrize(
    ("missed", "expected", "then"),
    [
        ("skip", [(10, 0), (60, 4)], 70),
        ("burst", [(10, 0), (20, 0), (30, 0), (40, 0), (50, 0), (60, 0)], 70),
        ("delay", [(10, 0), (65, 4)], 75),
    ],
)
async def test_a_body_that_takes_longer_than_the_interval(clock, missed, expected, then):
    ticks = timer(Live.constant(10), missed=missed, clock=clock)
    got = []

    async def listen():
        async for tick in ticks:
            got.append((tick.scheduled / SECOND, tick.missed))
            if tick.count == 1:
                clock.advance(55 * SECOND)  # the body's work: from 10 to 65

    async with asyncio.TaskGroup() as group:
        task = group.create_task(listen())
        await until(lambda: due(clock) == [10])
        clock.advance(10 * SECOND)
        await until(lambda: due(clock) == [then])
        assert got == expected
        task.cancel()


async def test_delay_keeps_an_interval_between_ticks_also_where_none_was_missed(clock):
    ticks = timer(Live.constant(10), missed="delay", clock=clock)
    clock_moves = asyncio.create_task(anext(ticks))
    await until(lambda: due(clock) == [10])
    clock.advance(10 * SECOND)
    await clock_moves
    clock.advance(13 * SECOND)
    assert (await anext(ticks)).scheduled == 23 * SECOND
    clock_moves = asyncio.create_task(anext(ticks))
    await until(lambda: due(clock) == [33])
    clock.advance(10 * SECOND + 4_000_000)  # as late as a timer may be
    assert (await clock_moves).scheduled == 33 * SECOND


async def test_a_change_while_the_body_runs_is_seen_before_a_tick_that_was_owed(config, clock):
    ticks = timer(config.select("every"), clock=clock)
    clock.advance(0)
    first = asyncio.create_task(anext(ticks))
    await until(lambda: due(clock) == [10])
    clock.advance(10 * SECOND)
    await first
    await config.patch({"every": 0})
    clock.advance(100 * SECOND)
    second = asyncio.create_task(anext(ticks))
    await until(lambda: config.status().bindings[0].changes == 2)
    assert not second.done()
    await config.patch({"every": 150})
    await until(lambda: due(clock) == [160])
    second.cancel()
    await asyncio.wait([second])


async def test_jitter_moves_the_moment_of_a_tick_but_never_the_grid(clock):
    ticks = timer(Live.constant(10), jitter=3, clock=clock, rng=random.Random(4))
    rng, came = random.Random(4), []
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, ticks, clock)
        for number in range(1, 50):
            moment = number * 10 * SECOND + int(rng.random() * 3 * SECOND)
            await until(lambda moment=moment: clock.pending == [moment])
            clock.advance(moment - clock.now())
            came.append(moment)
            await until(lambda number=number: len(heard.got) == number)
        heard.task.cancel()
    assert [t.scheduled for _, t in heard.got] == [n * 10 * SECOND for n in range(1, 50)]
    assert 0 < max(moment % (10 * SECOND) for moment in came) < 3 * SECOND


async def test_jitter_is_at_most_one_interval(clock):
    ticks = timer(Live.constant(1), jitter=timedelta(hours=1), clock=clock)
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, ticks, clock)
        await until(lambda: clock.pending)
        assert 1 <= due(clock)[0] < 2
        heard.task.cancel()


async def test_a_storm_of_changes_does_not_keep_a_jittered_tick_from_coming(config, clock):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("every"), jitter=10, clock=clock), clock)
        await until(lambda: clock.pending)
        for step in range(30):
            seen = config.status().bindings[0].changes
            await config.patch({"every": 9 + step % 2})
            await until(lambda seen=seen: config.status().bindings[0].changes > seen)
            await move(clock, 1)
        assert heard.came
        heard.task.cancel()


async def test_it_ends_with_the_configuration_at_once_also_where_a_tick_is_due(clock):
    memory = Memory({"every": 10})
    async with asyncio.TaskGroup() as group:
        async with open_config(App, memory) as config:
            ticks = timer(config.select("every"), clock=clock)
            heard = Listener(group, ticks, clock)
            late = timer(config.select("every"), clock=clock)
            first = group.create_task(anext(late))
            await until(lambda: due(clock) == [10, 10])
            clock.advance(10 * SECOND)
            await first
            clock.advance(30 * SECOND)
        with pytest.raises(StopAsyncIteration):
            await anext(late)
    assert heard.task.done()
    assert clock.pending == []
    assert late.status().state is BindingState.CLOSED


async def test_cancelling_leaves_no_task_and_no_alarm(config, clock):
    before = asyncio.all_tasks()
    with anyio.move_on_after(0.01):
        async for _ in timer(config.select("every"), clock=clock):
            raise AssertionError("nobody moved the clock")
    assert asyncio.all_tasks() == before
    assert clock.pending == []


async def test_it_shows_in_the_status_as_long_as_somebody_loops(config, clock):
    async def once():
        async for _ in timer(config.select("every"), clock=clock, name="refresh"):
            break

    task = asyncio.create_task(once())
    await until(lambda: config.status().bindings)
    shown = config.status().bindings[0]
    assert (shown.name, shown.state, shown.changes) == ("refresh", BindingState.IN_FORCE, 1)
    clock.advance(10 * SECOND)
    await task
    gc.collect()
    assert config.status().bindings == ()


async def test_a_value_that_is_no_interval_keeps_the_one_before_is_logged_and_shows_in_the_status(
    config, clock, caplog
):
    async with asyncio.TaskGroup() as group:
        heard = Listener(group, timer(config.select("every"), clock=clock), clock)
        await until(lambda: due(clock) == [10])
        await config.patch({"every": -5})
        await until(lambda: config.status().bindings[0].failures == 1)
        status = config.status().bindings[0]
        assert (status.state, status.error) == (
            BindingState.REFUSED,
            "timer: expected a duration, 0 or more, a cron rule, or None, got -5s",
        )
        assert due(clock) == [10]
        assert [r.getMessage() for r in caplog.records] == [
            f"{status.name}: {status.error}; the one before stays in force"
        ]
        await config.patch({"every": 5})
        await until(lambda: due(clock) == [5])
        assert config.status().bindings[0].state is BindingState.IN_FORCE
        heard.task.cancel()


async def test_the_loops_own_clock_ticks_on_a_grid_and_never_early():
    loop_clock_ticks = timer(Live.constant(0.002))
    before = None
    with anyio.fail_after(5):
        async for tick in loop_clock_ticks:
            assert before is None or (tick.scheduled - before) == 2_000_000 * (tick.missed + 1)
            before = tick.scheduled
            if tick.count == 20:
                break


async def test_a_burst_lets_other_tasks_run(clock):
    ticks, turns = timer(Live.constant(1), missed="burst", clock=clock), 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    first = asyncio.create_task(anext(ticks))
    await until(lambda: clock.pending)
    clock.advance(1000 * SECOND)
    await first
    other = asyncio.create_task(count())
    for _ in range(100):
        await anext(ticks)
    other.cancel()
    assert turns >= 100


@pytest.mark.parametrize("bad", [-1, timedelta(seconds=-1), float("nan"), float("inf"), True, "10s"])
def test_a_first_value_that_is_no_interval_fails_loudly(bad):
    live: Live[Any] = Live.constant(bad)
    with pytest.raises(ValueError, match="expected a duration"):
        timer(live)


def test_the_settings_are_checked():
    with pytest.raises(ValueError, match="expected skip, burst or delay"):
        timer(Live.constant(1), missed="wait")
    with pytest.raises(ValueError, match="expected a duration"):
        timer(Live.constant(1), jitter=-1)
