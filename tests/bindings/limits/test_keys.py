"""Many keys: bounded in memory, and no gain for whoever floods the limiter with them."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._bindings.limits.bucket import Bucket
from reactive_config._bindings.limits.keyed_states import KeyedStates
from reactive_config._bindings.limits.window import SlidingWindow
from reactive_config.bindings.limits import Rate

SECOND = 1_000_000_000


def test_keys_share_nothing():
    keys = KeyedStates(Bucket(Rate(2), 0), most=10)
    assert [keys.take("ada", 1, 0) for _ in range(3)] == [True, True, False]
    assert keys.take("grace", 2, 0)


def come(keys, first, count):
    """Newcomers, a thousand a second, each in use for one second."""
    for number in range(first, first + count):
        assert keys.take(f"client-{number}", 1, number * SECOND // 1000)


@pytest.mark.parametrize("newcomers", [30_000, pytest.param(1_000_000, marks=pytest.mark.storm)])
@pytest.mark.parametrize("rule", [Bucket, SlidingWindow])
def test_however_many_keys_come_they_take_the_places_of_those_in_use(rule, newcomers):
    keys = KeyedStates(rule(Rate(1), 0), most=20_000)
    come(keys, 0, newcomers)
    assert len(keys) <= 2001  # each that comes looks at two


@pytest.mark.parametrize("rule", [Bucket, SlidingWindow])
@pytest.mark.slow
def test_memory_does_not_grow_with_the_keys_that_ever_came(rule):
    keys = KeyedStates(rule(Rate(1), 0), most=20_000)
    tracemalloc.start()
    try:
        come(keys, 0, 5_000)
        before = tracemalloc.get_traced_memory()[0]
        come(keys, 5_000, 20_000)
        assert tracemalloc.get_traced_memory()[0] < 1.2 * before
    finally:
        tracemalloc.stop()


def test_when_all_places_are_in_use_newcomers_share_one_and_the_others_keep_theirs():
    keys = KeyedStates(Bucket(Rate(10, timedelta(hours=1)), 0), most=3)
    for key in ("ada", "grace", "edsger"):
        assert keys.take(key, 10, 0)
    assert sum(keys.take(f"flood-{n}", 1, SECOND) for n in range(1000)) == 10
    assert len(keys) == 3
    assert not keys.take("ada", 1, SECOND)


def test_flooding_with_keys_brings_nobody_a_fresh_start():
    keys = KeyedStates(Bucket(Rate(10, timedelta(hours=1)), 0), most=100)
    assert keys.take("hostile", 10, 0)
    for number in range(10_000):
        keys.take(f"flood-{number}", 1, SECOND)
    assert not keys.take("hostile", 1, 2 * SECOND)
    # Nor does a place that becomes free while the shared one is in use.
    keys = KeyedStates(Bucket(Rate(1), 0), most=1)
    keys.rule.change(Rate(1, burst=1), 0)
    assert keys.take("ada", 1, 0)
    assert keys.take("hostile", 1, SECOND - 1)  # by the shared state
    assert not keys.take("hostile", 1, SECOND + 1)  # by its own, now that ada's is free


def test_a_pinned_key_keeps_its_place():
    keys = KeyedStates(Bucket(Rate(1), 0), most=1, pinned={"ada"})
    assert keys.take("ada", 1, 0)
    assert keys.take("grace", 1, 10 * SECOND)
    assert not keys.take("edsger", 1, 10 * SECOND)


REQUESTS = st.lists(
    st.tuples(st.integers(0, SECOND), st.sampled_from("abcdef"), st.integers(1, 3), st.integers(0, 20)), max_size=150
)


@settings(max_examples=300, deadline=None)
@given(REQUESTS, st.sampled_from([Bucket, SlidingWindow]), st.integers(1, 4))
@pytest.mark.slow
def test_no_key_ever_gets_more_than_with_a_state_of_its_own_from_the_start(requests, rule, most):
    """The bound of the rule holds for each key, whichever way it was counted meanwhile."""
    now, keys = 0, KeyedStates(rule(Rate(3), 0), most)
    passed = []
    for wait, key, cost, limit in requests:
        now += wait
        if limit >= 17:
            keys.rule.change(Rate(3), now)  # the same again: nobody may notice
        if keys.take(key, cost, now):
            passed.append((now, key, cost))
    for index, (start, key, _) in enumerate(passed):
        total = 0
        for end, other, cost in passed[index:]:
            if other == key:
                total += cost
                allowed = 3 + 3 * (end - start) / SECOND if rule is Bucket else 3
                assert total <= allowed or (rule is SlidingWindow and end - start >= SECOND)


@settings(max_examples=300, deadline=None)
@given(REQUESTS, st.sampled_from([Bucket, SlidingWindow]))
@pytest.mark.slow
def test_dropping_keys_changes_no_answer(requests, rule):
    now, keys, alone = (
        0,
        KeyedStates(rule(Rate(3), 0), most=6),
        {k: KeyedStates(rule(Rate(3), 0), most=1) for k in "abcdef"},
    )
    for wait, key, cost, limit in requests:
        now += wait
        if limit >= 17:
            for each in (keys, *alone.values()):
                each.rule.change(Rate(limit - 14), now)
        assert keys.take(key, cost, now) == alone[key].take(key, cost, now)


@pytest.mark.parametrize("rule", [Bucket, SlidingWindow])
def test_what_is_only_counted_is_taken_from_the_key_also_beyond_its_limit(rule):
    keys = KeyedStates(rule(Rate(10, timedelta(hours=1)), 0), most=1)
    for _ in range(9):
        keys.count("ada", 1, 0)
    assert keys.take("ada", 1, 0)
    assert not keys.take("ada", 1, 0)
    for number in range(30):
        keys.count(f"flood-{number}", 1, 0)  # by the shared state
    assert not keys.take("newcomer", 1, 0)
    assert keys.when("newcomer", 1, 0) >= 3600 * SECOND
