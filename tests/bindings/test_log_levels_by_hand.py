"""What an operator sets by hand beside the configuration: the newest word counts, and it goes back by itself."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config import ConfigError, Live, Memory, open_config
from reactive_config._bindings.named_level import NamedLevel
from reactive_config.bindings import Level, LogRule, ManualClock, TemporaryLevel, log_levels

DEBUG_1M = TemporaryLevel(Level.DEBUG, timedelta(minutes=1))
MINUTE = timedelta(minutes=1)


class App(msgspec.Struct, frozen=True):
    log: dict[str, LogRule] = {}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def a():
    logger = logging.getLogger("rc_hand.a")
    logger.setLevel(logging.ERROR)
    yield logger
    logger.setLevel(logging.NOTSET)


async def change(memory, levels, tree):
    before = levels.changes
    await memory.replace({"log": tree})
    with anyio.fail_after(5):
        while levels.changes == before:
            await asyncio.sleep(0)


async def test_an_override_without_a_rule_goes_back_to_what_was(a, clock):
    async with log_levels(Live.constant({}), clock=clock) as levels:
        levels.override("rc_hand.a", DEBUG_1M)
        assert (a.level, dict(levels.in_force)) == (logging.DEBUG, {"rc_hand.a": logging.DEBUG})
        clock.advance(timedelta(seconds=59))
        assert (a.level, levels.remaining("rc_hand.a")) == (logging.DEBUG, timedelta(seconds=1))
        clock.advance(timedelta(seconds=1))
        assert (a.level, dict(levels.in_force), levels.remaining("rc_hand.a")) == (logging.ERROR, {}, None)


async def test_an_override_ends_on_what_the_configuration_says_then(a, clock):
    memory = Memory({"log": {"rc_hand.a": {"level": "WARNING", "for": "10m"}}})
    async with open_config(App, memory) as config, log_levels(config.select("log"), clock=clock) as levels:
        levels.override("rc_hand.a", DEBUG_1M)
        clock.advance(MINUTE)
        assert (a.level, levels.remaining("rc_hand.a")) == (logging.WARNING, 9 * MINUTE)
        levels.override("rc_hand.a", TemporaryLevel(Level.DEBUG, timedelta(minutes=30)))
        clock.advance(9 * MINUTE)  # the configuration's own time ends under the override
        assert (a.level, levels.remaining("rc_hand.a")) == (logging.DEBUG, 21 * MINUTE)
        clock.advance(21 * MINUTE)
        assert a.level == logging.ERROR


async def test_other_names_leave_an_override_and_its_own_rule_ends_it(a, clock):
    memory = Memory({"log": {"rc_hand.a": "INFO"}})
    async with open_config(App, memory) as config:
        async with log_levels(config.select("log"), clock=clock) as levels:
            levels.override("rc_hand.a", DEBUG_1M)
            levels.override("rc_hand.free", DEBUG_1M)
            await change(memory, levels, {"rc_hand.a": "INFO", "rc_hand.b": "INFO"})
            assert (a.level, levels.in_force["rc_hand.free"]) == (logging.DEBUG, logging.DEBUG)
            await change(memory, levels, {"rc_hand.a": "CRITICAL"})
            assert (a.level, levels.remaining("rc_hand.a")) == (logging.CRITICAL, None)
            levels.override("rc_hand.a", DEBUG_1M)
            await change(memory, levels, {"rc_hand.b": "INFO"})
            assert (a.level, dict(levels.in_force)) == (logging.ERROR, {"rc_hand.free": 10, "rc_hand.b": 20})
            levels.override("rc_hand.a", DEBUG_1M)
        assert (a.level, logging.getLogger("rc_hand.free").level, clock.pending) == (logging.ERROR, 0, [])


async def test_a_second_override_takes_the_place_of_the_first(a, clock):
    async with log_levels(Live.constant({"rc_hand.a": Level.INFO}), clock=clock) as levels:
        levels.override("rc_hand.a", DEBUG_1M)
        levels.override("rc_hand.a", TemporaryLevel(5, timedelta(seconds=10)))
        assert (a.level, len(clock.pending)) == (5, 1)
        clock.advance(timedelta(seconds=10))
        assert a.level == logging.INFO


async def test_what_somebody_else_set_over_an_override_is_not_undone(a, clock):
    async with log_levels(Live.constant({"rc_hand.a": Level.INFO}), clock=clock) as levels:
        levels.override("rc_hand.a", DEBUG_1M)
        a.setLevel(logging.CRITICAL)
        clock.advance(MINUTE)
        assert a.level == logging.CRITICAL
    assert a.level == logging.CRITICAL


async def test_a_closed_binding_an_empty_name_and_what_is_no_level_are_refused(a, clock):
    levels = log_levels(Live.constant({}), clock=clock)
    with pytest.raises(RuntimeError, match="expected an open binding"):
        levels.override("rc_hand.a", DEBUG_1M)
    async with levels:
        with pytest.raises(ValueError, match="empty"):
            levels.override("", DEBUG_1M)
        with pytest.raises(ValueError, match="1 or more"):
            levels.override("rc_hand.a", TemporaryLevel(0, MINUTE))
        assert (a.level, clock.pending) == (logging.ERROR, [])
    with pytest.raises(RuntimeError, match="expected an open binding"):
        levels.override("rc_hand.a", DEBUG_1M)


def test_a_temporary_level_is_read_as_a_configuration_would_be():
    assert TemporaryLevel.read({"level": "debug", "for": "10m"}) == TemporaryLevel(Level.DEBUG, 10 * MINUTE)


@pytest.mark.parametrize(
    ("tree", "text"),
    [({"level": "loud", "for": 1}, "level: expected one of 'DEBUG'"), ({"level": "INFO"}, "for: expected a duration"),
     ({"level": "INFO", "for": "soon"}, "for: expected a duration"), ([], "expected .*got list"), (None, "got null"),
     ({"level": "INFO", "for": "-1s"}, "expected"), ({"level": "INFO", "for": 1, "until": 2}, "expected")],
)  # fmt: skip
def test_what_is_no_temporary_level_is_refused_by_path(tree, text):
    with pytest.raises(ConfigError, match=text):
        TemporaryLevel.read(tree)


RULES = [None, Level.INFO, Level.CRITICAL, TemporaryLevel(Level.WARNING, timedelta(minutes=3))]
STEPS = st.one_of(
    st.tuples(st.just("rule"), st.sampled_from(RULES)),
    st.tuples(st.just("override"), st.integers(1, 5)),
    st.tuples(st.just("pass"), st.integers(1, 4)),
)


@given(st.lists(STEPS, max_size=12))
def test_the_level_is_what_the_rules_of_the_docs_say(steps):
    """Against a model that computes the level anew from the history."""
    logger, clock = logging.getLogger("rc_hand.model"), ManualClock()
    logger.setLevel(logging.ERROR)
    named = NamedLevel(logger, clock, lambda: None)
    now, rule, lasting, rule_since, override_until = 0, None, None, 0, 0
    for step, value in steps:
        if step == "pass":
            now += value
            clock.advance(value * MINUTE)
        elif step == "override":
            override_until = now + value
            named.override(TemporaryLevel(Level.DEBUG, value * MINUTE))
        else:
            if value != rule:
                override_until, rule_since, rule = 0, now, value
                lasting = lasting if isinstance(value, TemporaryLevel) else value
            named.follow(value)
        expected = lasting or Level.ERROR
        if isinstance(rule, TemporaryLevel) and now < rule_since + 3:
            expected = Level.WARNING
        if now < override_until:
            expected = Level.DEBUG
        assert logger.level == expected.number
        assert named.idle == (rule is None and now >= override_until)
