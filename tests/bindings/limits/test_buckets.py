"""Token bucket and leaky bucket against a model that is obviously right."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._bindings.limits.bucket import Bucket
from reactive_config.bindings.limits import Rate, TooCostly

SECOND = 1_000_000_000

LIMITS = st.one_of(
    st.integers(0, 20), st.floats(0, 50, allow_nan=False), st.sampled_from([1e15, 1e-9, 1e-300, 0.1, 1 / 3])
)
PERS = st.sampled_from([timedelta(microseconds=1), timedelta(seconds=1), timedelta(seconds=7), timedelta(days=365)])
RATES = st.builds(Rate, LIMITS, PERS, st.one_of(st.none(), st.integers(1, 12)))
WAITS = st.one_of(st.integers(0, 3), st.integers(0, 5 * SECOND), st.just(10**18))
STEPS = st.lists(
    st.one_of(st.tuples(WAITS, RATES), st.tuples(WAITS, st.sampled_from("abc"), st.integers(1, 8))), max_size=60
)


class Model:
    """One bucket as the books have it: exact, and told of every moment."""

    def __init__(self, rate, leaky):
        self.leaky = leaky
        self.burst = 1
        self.change(rate)
        self.level = Fraction(self.burst)

    def change(self, rate):
        if rate.burst is not None:
            self.burst = rate.burst
        elif rate.limit:
            self.burst = 1 if self.leaky else max(1, int(rate.limit))
        self.speed = Fraction(str(rate.limit)) / (rate.per // timedelta(microseconds=1) * 1000)
        self.level = min(getattr(self, "level", 0), Fraction(self.burst))

    def wait(self, span):
        self.level = min(self.level + span * self.speed, Fraction(self.burst))

    def take(self, cost):
        if not self.speed or self.level < (min(cost, self.burst) if self.leaky else cost):
            return False
        self.level -= cost
        return True


def drive(first, steps, leaky):
    """Yields every request: its time, key, cost, whether the bucket and the model allow it, and what is in force."""
    now, bucket = 0, Bucket(first, 0, leaky=leaky)
    states, models = {}, {key: Model(first, leaky) for key in "abc"}
    for wait, *step in steps:
        now += wait
        for model in models.values():
            model.wait(wait)
        if len(step) == 1:
            bucket.change(step[0], now)
            for model in models.values():
                model.change(step[0])
        else:
            key, cost = step
            before = states.get(key, bucket.fresh(now))
            after = bucket.take(before, cost, now)
            states[key] = before if after is None else after
            if bucket.is_fresh(states[key], now):
                del states[key]  # nobody may notice
            yield now, key, cost, after is not None, models[key].take(cost), bucket, states, models


@settings(max_examples=400, deadline=None)
@given(RATES, STEPS, st.booleans())
@pytest.mark.slow
def test_it_decides_like_a_bucket_that_is_told_of_every_moment(first, steps, leaky):
    for now, key, _, allowed, expected, bucket, states, models in drive(first, steps, leaky):
        assert allowed == expected
        model, state = models[key], states.get(key, bucket.fresh(now))
        assert bucket.remaining(state, now) == (max(0, int(model.level)) if model.speed else 0)


@settings(max_examples=400, deadline=None)
@given(RATES, STEPS, st.booleans())
@pytest.mark.slow
def test_between_two_moments_it_never_lets_through_more_than_the_burst_and_what_the_rates_earn(first, steps, leaky):
    history = [(0, first)]  # rates, and when each began
    now = 0
    for wait, *step in steps:
        now += wait
        history += [(now, step[0])] if len(step) == 1 else []

    def earned(start, end):
        total = Fraction(0)
        for (since, rate), (until, _) in zip(history, [*history[1:], (end, None)], strict=True):
            span = max(0, min(until, end) - max(since, start))
            total += span * Fraction(str(rate.limit)) / (rate.per // timedelta(microseconds=1) * 1000)
        return total

    passed = []
    for at, key, cost, allowed, _, _, _, models in drive(first, steps, leaky):
        if allowed:
            passed.append((at, key, cost, models[key].burst))
    for index, (start, key, _, burst) in enumerate(passed):
        total = largest = 0
        for end, other, cost, _ in passed[index:]:
            if other == key:
                total, largest = total + cost, max(largest, cost)
                on_credit = largest - 1 if leaky else 0
                assert total <= burst + on_credit + earned(start, end)


@settings(max_examples=400, deadline=None)
@given(RATES, STEPS, st.booleans(), st.integers(1, 12))
@pytest.mark.slow
def test_the_time_it_names_is_the_first_at_which_it_lets_through(first, steps, leaky, cost):
    bucket = Bucket(first, 0, leaky=leaky)
    state, now = bucket.fresh(0), 0
    for wait, *step in steps:
        now += wait
        if len(step) == 1:
            bucket.change(step[0], now)
        else:
            after = bucket.take(state, step[1], now)
            state = state if after is None else after
    try:
        bucket.check(cost)
    except TooCostly:
        return
    at = bucket.when(state, cost, now)
    if at is None:
        assert bucket.take(state, cost, now + 10**30) is None
    else:
        assert bucket.take(state, cost, at) is not None
        assert at == now or bucket.take(state, cost, at - 1) is None


@pytest.mark.slow
def test_a_storm_of_changes_loses_no_token_and_grants_none():
    bucket, pers = Bucket(Rate(1), 0), [6, 7, 11]
    state, now, earned = bucket.take(bucket.fresh(0), 1, 0), 0, Fraction(0)
    for step in range(90_000):  # 90 s at a sixth, a seventh and an eleventh of a token a second by turns
        bucket.change(Rate(1, timedelta(seconds=pers[step % 3]), burst=100), now)
        now += SECOND // 1000
        earned += Fraction(1, 1000 * pers[step % 3])
    assert bucket.remaining(state, now) == int(earned) == 12
    missing = (13 - earned) * 11 * SECOND  # at the last rate
    assert 0 <= bucket.when(state, 13, now) - now - missing <= 1


def test_a_pause_earns_nothing_and_loses_nothing():
    bucket = Bucket(Rate(10), 0)
    state = bucket.take(bucket.fresh(0), 4, 0)
    bucket.change(Rate(0), 0)
    assert bucket.take(state, 1, 100 * SECOND) is None
    assert bucket.when(state, 1, 100 * SECOND) is None
    bucket.change(Rate(10), 100 * SECOND)
    assert bucket.remaining(state, 100 * SECOND) == 6


def test_a_larger_burst_is_earned_not_granted_also_to_those_who_never_came():
    bucket = Bucket(Rate(1, burst=2), 0)
    bucket.change(Rate(1, burst=50), 10 * SECOND)
    assert bucket.remaining(bucket.fresh(10 * SECOND), 10 * SECOND) == 2
    assert bucket.remaining(bucket.fresh(20 * SECOND), 20 * SECOND) == 12


def test_the_leaky_bucket_is_even_and_a_large_cost_is_paid_off_before_the_next():
    bucket, now, at = Bucket(Rate(10), 0, leaky=True), 0, []
    state = bucket.fresh(now)
    for cost in (1, 1, 5, 1, 1):
        now = bucket.when(state, cost, now)
        state = bucket.take(state, cost, now)
        at.append(now / SECOND)
    assert at == [0, 0.1, 0.2, 0.7, 0.8]


def test_a_cost_above_the_burst_is_refused_at_once_but_not_where_it_can_be_paid_off():
    with pytest.raises(TooCostly, match="cost: expected at most the burst in force, 10, got 11"):
        Bucket(Rate(10), 0).check(11)
    Bucket(Rate(10), 0, leaky=True).check(11)
    Bucket(Rate(0), 0).check(11)  # a pause may end with a larger one
