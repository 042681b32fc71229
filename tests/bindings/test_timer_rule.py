"""The timer's rule for intervals, against models that are obviously right."""

from __future__ import annotations

import asyncio
import random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config._bindings.schedule import SLACK, Grid, TickManner
from reactive_config._core.runtime.cells import Hub
from reactive_config._core.runtime.live import make_live, store, wake
from reactive_config.bindings import ManualClock, timer

INTERVALS = st.integers(0, 12)
CHANGES = st.lists(st.tuples(st.integers(0, 30), INTERVALS), max_size=60)


def model(first, changes):
    """Every nanosecond: if an interval or more has passed since the last tick, tick.

    Args:
        first: The interval at the start.
        changes: Nanoseconds to let pass, and the interval that is in force from then on.

    Returns:
        The ticks' times, and the time that has passed.
    """
    now = last = 0
    interval, ticks = first, []

    def look():
        nonlocal last
        if interval and now - last >= interval:
            ticks.append(now)
            last = now

    for wait, new in changes:
        for _ in range(wait):
            now += 1
            look()
        interval = new
        look()
    return ticks, now


def scheduled(first, changes, missed="skip"):
    """The same of the real thing, for somebody who is always there in time."""
    schedule, now, ticks = Grid(0, first, TickManner(missed)), 0, []

    def take_all():
        while schedule.fires is not None and schedule.fires <= now + wait:
            tick = schedule.take(schedule.fires)
            assert tick.missed == 0
            ticks.append(tick.scheduled)

    for wait, new in changes:
        take_all()
        now += wait
        schedule.change(new, now)
        wait = 0
        take_all()
    return ticks, now


@given(INTERVALS, CHANGES, st.sampled_from(["skip", "burst", "delay"]))
def test_an_interval_that_changes_keeps_its_rule(first, changes, missed):
    assert scheduled(first, changes, missed) == model(first, changes)


def test_an_interval_that_changes_10_000_times_keeps_its_rule_exactly():
    rng = random.Random(9)
    changes = [(rng.randrange(30), rng.randrange(20)) for _ in range(10_000)]
    ticks, now = scheduled(7, changes)
    assert (ticks, now) == model(7, changes)
    assert len(ticks) > 10_000


class Follower:
    """A task that loops over a real timer on a live value that the test sets."""

    def __init__(self, first):
        self.hub = Hub(asyncio.get_running_loop())
        self.live = make_live(first, self.hub)
        self.clock = ManualClock()
        self.timer = timer(self.live, clock=self.clock)
        self.ticks = []

    async def run(self):
        async for tick in self.timer:
            assert self.clock.now() == tick.scheduled
            assert tick.count == len(self.ticks) + 1
            self.ticks.append(tick.scheduled)

    def set(self, interval):
        store(self.live, interval)
        wake(self.live)

    def close(self):
        self.hub.closed = True
        wake(self.live)

    async def caught_up(self, ticks, fires):
        """Until it waits for what a schedule says, and nothing else."""
        expected = [] if fires is None else [fires]
        with anyio.fail_after(5):
            while len(self.ticks) != ticks or self.clock.pending != expected:
                await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.half_grid
async def test_a_timer_whose_interval_changes_10_000_times_ticks_exactly_by_its_rule():
    """In seconds; the clock is moved to each tick and each change, as time would."""
    rng, second = random.Random(5), 1_000_000_000
    changes = [(rng.randrange(12), rng.randrange(8)) for _ in range(10_000)]
    expected = Grid(0, 3 * second, TickManner())
    follower = Follower(3)
    async with asyncio.TaskGroup() as group:
        group.create_task(follower.run())
        await follower.caught_up(0, expected.fires)
        now = 0
        for wait, interval in changes:
            now += wait * second
            while expected.fires is not None and expected.fires <= now:
                follower.clock.advance(expected.fires - follower.clock.now())
                expected.take(expected.fires)
                await follower.caught_up(expected.count, expected.fires)
            follower.clock.advance(now - follower.clock.now())
            follower.set(interval)
            expected.change(interval * second, now)
            if expected.fires == now:
                expected.take(now)
            await follower.caught_up(expected.count, expected.fires)
        follower.close()
    ticks, _ = model(3, changes)
    assert follower.ticks == [tick * second for tick in ticks]


@given(st.integers(1, 50), st.lists(st.integers(0, 300), min_size=1, max_size=30), st.sampled_from(["skip", "burst"]))
def test_ticks_that_were_missed_are_all_on_the_grid_and_all_accounted_for(interval, busy, missed):
    """The grid is written out, place by place; each place that passed was ticked or counted as missed, once."""
    schedule, now = Grid(0, interval, TickManner(missed)), 0
    places = 0
    for work in busy:
        now = max(now + work, schedule.fires)
        grid = list(range(interval, now + 1, interval))
        tick = schedule.take(now)
        places += 1 + tick.missed
        assert tick.scheduled == grid[places - 1]
        if missed == "skip":
            assert places == len(grid)
        else:
            assert tick.missed == 0


@given(st.integers(1, 50), st.lists(st.integers(0, 300), min_size=1, max_size=30))
def test_delay_never_ticks_twice_within_an_interval_after_a_late_one(interval, busy):
    unit = 2 * SLACK
    schedule, now, last = Grid(0, interval * unit, TickManner("delay")), 0, 0
    for work in busy:
        due = last + interval * unit
        now = max(now + work * unit, due)
        tick = schedule.take(now)
        assert tick.scheduled == now
        assert tick.missed == len(range(due + interval * unit, now + 1, interval * unit))
        last = now


@given(st.integers(1, 50), st.integers(0, 60), st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_jitter_delays_a_tick_by_its_share_of_it_and_leaves_the_grid(interval, jitter, shares):
    draws = iter([*shares, 0.0])
    schedule = Grid(0, interval, TickManner("skip", jitter, lambda: next(draws)))
    for number, share in enumerate(shares, 1):
        assert schedule.fires == number * interval + int(share * min(jitter, interval))
        tick = schedule.take(schedule.fires)
        assert (tick.scheduled, tick.missed) == (number * interval, 0)
