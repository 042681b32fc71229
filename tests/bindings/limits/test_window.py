"""The sliding window against a model that forgets nothing too early."""

from __future__ import annotations

import random
from collections import deque
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._bindings.limits.window import SLOTS, SlidingWindow
from reactive_config.bindings.limits import Rate, TooCostly

US = 1000
SECOND = 1_000_000_000


def microseconds(most):
    return st.integers(1, most).map(lambda n: timedelta(microseconds=n))


def steps(rates, waits, costs):
    return st.lists(st.one_of(st.tuples(waits, rates), st.tuples(waits, costs)), max_size=80)


FINE = st.builds(Rate, st.integers(0, 8), microseconds(9))
COARSE = st.builds(Rate, st.integers(0, 3000), st.sampled_from([1, 60, 3600]).map(lambda s: timedelta(seconds=s)))


class Model:
    """All that ever passed, and how far back it counts."""

    def __init__(self, rate):
        self.passed = []
        self.longer = self.until = 0
        self.forgotten = -1
        self.limit, self.per = int(rate.limit), rate.window

    def reach(self, now):
        return max(self.per, self.longer if now < self.until else 0)

    def change(self, rate, now):
        reach = self.reach(now)
        self.forgotten = max(self.forgotten, now - reach)
        self.longer, self.until = reach, now + reach
        self.limit, self.per = int(rate.limit), rate.window

    def used(self, now):
        edge = max(now - self.per, self.forgotten)
        return sum(cost for at, cost in self.passed if at > edge)


@settings(max_examples=400, deadline=None)
@given(FINE, steps(FINE, st.integers(0, 12).map(lambda n: n * US // 2), st.integers(1, 4)))
@pytest.mark.slow
def test_it_decides_like_the_list_of_all_that_passed(first, trace):
    # Windows this short have no entries that stand for more than one moment within 90 ns: the log is exact.
    now, window, model = 0, SlidingWindow(first, 0), Model(first)
    log = window.fresh(now)
    for wait, step in trace:
        now += wait
        if isinstance(step, Rate):
            window.change(step, now)
            model.change(step, now)
            continue
        expected = model.used(now) + step <= model.limit
        assert (window.take(log, step, now) is not None) == expected
        if expected:
            model.passed.append((now, step))
        assert window.remaining(log, now) == max(0, model.limit - model.used(now))
        if window.is_fresh(log, now):
            log = window.fresh(now)  # nobody may notice


@settings(max_examples=400, deadline=None)
@given(COARSE, steps(COARSE, st.integers(0, 4000 * SECOND) | st.integers(0, SECOND), st.integers(1, 900)))
@pytest.mark.slow
def test_whatever_it_merges_it_never_lets_through_more(first, trace):
    now, window, model = 0, SlidingWindow(first, 0), Model(first)
    log = window.fresh(now)
    for wait, step in trace:
        now += wait
        if isinstance(step, Rate):
            window.change(step, now)
            model.change(step, now)
        elif window.take(log, step, now) is not None:
            model.passed.append((now, step))
            assert model.used(now) <= model.limit


@pytest.mark.parametrize("limit", [101, 150, 500, 2000])
def test_at_one_rate_no_window_holds_more_and_what_passed_comes_back_one_percent_late_at_most(limit):
    now, window, rng = 0, SlidingWindow(Rate(limit), 0), random.Random(limit)
    log, passed, refused = window.fresh(now), deque(), 0
    for _ in range(20_000):
        now += rng.randrange(SECOND // 50)
        while passed and passed[0][0] <= now - SECOND - SECOND // SLOTS:
            passed.popleft()
        cost = rng.randint(1, limit // 20)
        in_window = sum(c for at, c in passed if at > now - SECOND)
        nearly = sum(c for _, c in passed)
        if window.take(log, cost, now) is not None:
            assert in_window + cost <= limit
            passed.append((now, cost))
        else:
            assert nearly + cost > limit
            refused += 1
    assert refused > 1000


@settings(max_examples=400, deadline=None)
@given(FINE, steps(FINE, st.integers(0, 12).map(lambda n: n * US // 2), st.integers(1, 4)), st.integers(1, 8))
@pytest.mark.slow
def test_the_time_it_names_is_the_first_at_which_it_lets_through(first, trace, cost):
    now, window = 0, SlidingWindow(first, 0)
    log = window.fresh(now)
    for wait, step in trace:
        now += wait
        window.change(step, now) if isinstance(step, Rate) else window.take(log, step, now)
    try:
        window.check(cost)
    except TooCostly:
        return
    at = window.when(log, cost, now)
    if at is None:
        assert window.remaining(log, now) == 0
        return
    assert at == now or window.take(window.copy(log), cost, at - 1) is None
    assert window.take(log, cost, at) is not None


def test_a_window_that_shrinks_and_grows_again_remembers():
    hour, window = Rate(5000, timedelta(hours=1)), SlidingWindow(Rate(5000, timedelta(hours=1)), 0)
    log = window.fresh(0)
    assert window.take(log, 5000, 0)
    window.change(Rate(100), 10 * SECOND)
    assert window.remaining(log, 20 * SECOND) == 100
    assert window.take(log, 100, 20 * SECOND)
    window.change(hour, 30 * SECOND)
    assert window.remaining(log, 40 * SECOND) == 0
    assert window.remaining(log, 3600 * SECOND) == 4900


def entries(log):
    return len(log.window) + len(log.past)


def test_a_keys_memory_is_bounded_however_much_passes_and_however_often_the_window_changes():
    window, now, most = SlidingWindow(Rate(10**9, timedelta(hours=1)), 0), 0, 0
    log = window.fresh(0)
    for step in range(60_000):
        now += SECOND
        window.take(log, 1, now)
        if step % 500 == 499:
            window.change(Rate(10**9, timedelta(seconds=(3600, 1, 60)[step // 500 % 3])), now)
        most = max(most, entries(log))
    assert most <= 4 * SLOTS


def test_a_keys_memory_is_bounded_however_much_beyond_its_limit_is_counted():
    window, now = SlidingWindow(Rate(10, timedelta(hours=1)), 0), 0
    log = window.fresh(0)
    for _ in range(30_000):
        now += SECOND
        window.count(log, 1, now)
    assert entries(log) <= 10 + 4 * SLOTS
    assert window.take(log, 1, now + 3590 * SECOND) is None


@pytest.mark.parametrize("unfit", [Rate(0.5), Rate(10, burst=3)])
def test_a_rate_that_it_cannot_hold_is_refused_and_the_one_before_stays(unfit):
    with pytest.raises(ValueError, match=r"expected .* with sliding_window"):
        SlidingWindow(unfit, 0)
    window = SlidingWindow(Rate(3), 0)
    with pytest.raises(ValueError, match=r"expected .* with sliding_window"):
        window.change(unfit, 0)
    assert window.remaining(window.fresh(0), 0) == 3


def test_a_cost_above_the_limit_is_refused_at_once():
    with pytest.raises(TooCostly, match="cost: expected at most the limit in force, 3, got 4"):
        SlidingWindow(Rate(3), 0).check(4)
