"""What the binding promises of loggers: their levels follow, come back, and nothing else of them is touched."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, Rejected, open_config
from reactive_config._bindings.clocks import ManualClock
from reactive_config._core.status import BindingState
from reactive_config.bindings import Level, LogRule, TemporaryLevel, log_levels, rebuilt, together


class App(msgspec.Struct, frozen=True):
    log: dict[str, LogRule | None] = {}
    size: int = 1


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def a():
    logger = logging.getLogger("rc_test.a")
    logger.setLevel(logging.ERROR)
    yield logger
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def b():
    logger = logging.getLogger("rc_test.b")
    yield logger
    logger.setLevel(logging.NOTSET)


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


async def change(memory, levels, tree):
    """Replace what the configuration says about loggers, and wait for the binding."""
    before = levels.changes
    await memory.replace({"log": tree})
    await until(lambda: levels.changes > before)


async def test_levels_follow_and_a_removed_name_and_the_end_bring_back_what_was(a, b):
    memory = Memory({"log": {"rc_test.a": "DEBUG"}})
    async with open_config(App, memory) as config:
        async with log_levels(config.select("log")) as levels:
            assert (a.level, b.level) == (logging.DEBUG, logging.NOTSET)
            await change(memory, levels, {"rc_test.a": "info", "rc_test.b": 15})
            assert (a.level, b.level) == (logging.INFO, 15)
            assert levels.in_force == {"rc_test.a": 20, "rc_test.b": 15}
            await change(memory, levels, {"rc_test.b": 15})
            assert (a.level, b.level) == (logging.ERROR, 15)
            await change(memory, levels, {"rc_test.b": None})
            assert b.level == logging.NOTSET
            await change(memory, levels, {"rc_test.a": "CRITICAL", "rc_test.b": "DEBUG"})
        assert (a.level, b.level) == (logging.ERROR, logging.NOTSET)
        assert levels.in_force == {}


async def test_root_names_the_root_logger():
    root = logging.getLogger()
    before = root.level
    async with log_levels(Live.constant({"root": Level.CRITICAL})):
        assert root.level == logging.CRITICAL
    assert root.level == before


async def test_no_binding_is_left_in_the_status_and_none_before_it_is_entered(a):
    async with open_config(App, Memory({"log": {"rc_test.a": "DEBUG"}})) as config:
        async with log_levels(config.select("log"), name="logs"):
            (status,) = config.status().bindings
            assert (status.name, status.state, status.changes) == ("logs", BindingState.IN_FORCE, 1)
        assert config.status().bindings == ()


@pytest.mark.parametrize(
    "rule",
    ["loud", "", 0, True, 1.5, [], {"level": "DEBUG"}, {"level": "loud", "for": 1}, {"level": "DEBUG", "for": "-1s"},
     {"level": "DEBUG", "for": 0}, {"level": "DEBUG", "for": "1m", "until": "2030-01-01"}],
)  # fmt: skip
async def test_what_is_no_level_is_refused_when_it_is_decoded(a, rule):
    memory = Memory({"log": {"rc_test.a": "INFO"}})
    async with open_config(App, memory) as config, log_levels(config.select("log")) as levels:
        with pytest.raises(Rejected, match=r"log\.\"rc_test\.a\""):
            await memory.patch({"log": {"rc_test.a": rule}})
        assert a.level == logging.INFO
        assert levels.failures == 0


@pytest.mark.parametrize(
    ("text", "number"), [("DEBUG", 10), ("Warn", 30), ("fatal", 50), ("error", 40), ("Info", 20), ("WARNING", 30)]
)
def test_a_level_is_known_in_any_case_and_by_its_other_name(text, number):
    assert msgspec.convert(text, LogRule).number == number


@pytest.mark.parametrize("rules", [{"": "DEBUG"}, {"x": "loud"}, {"x": 0}, {"x": True}, {"x": 1.0}])
async def test_the_first_rules_fail_loudly_where_no_type_refused_them(rules):
    with pytest.raises((ValueError, TypeError)):
        async with log_levels(Live.constant(rules)):
            pass


async def test_no_mapping_at_all_is_no_rule():
    async with log_levels(Live.constant(None)) as levels:
        assert levels.in_force == {}


async def test_a_temporary_level_ends_by_itself_and_brings_back_what_was(a, clock):
    memory = Memory({"log": {"rc_test.a": {"level": "DEBUG", "for": "10m"}}})
    async with open_config(App, memory) as config, log_levels(config.select("log"), clock=clock) as levels:
        clock.advance(timedelta(seconds=599))
        assert (a.level, dict(levels.in_force)) == (logging.DEBUG, {"rc_test.a": logging.DEBUG})
        clock.advance(timedelta(seconds=1))
        assert (a.level, dict(levels.in_force)) == (logging.ERROR, {})


async def test_a_temporary_level_ends_on_the_lasting_one_before_it(a, clock):
    memory = Memory({"log": {"rc_test.a": "INFO"}})
    async with open_config(App, memory) as config:
        async with log_levels(config.select("log"), clock=clock) as levels:
            await change(memory, levels, {"rc_test.a": {"level": "DEBUG", "for": 60}})
            assert a.level == logging.DEBUG
            clock.advance(timedelta(seconds=60))
            assert (a.level, dict(levels.in_force)) == (logging.INFO, {"rc_test.a": logging.INFO})
        assert a.level == logging.ERROR


async def test_other_names_do_not_prolong_a_temporary_level_nor_bring_it_back(a, b, clock):
    rule = {"level": "DEBUG", "for": 60}
    memory = Memory({"log": {"rc_test.a": rule}})
    async with open_config(App, memory) as config, log_levels(config.select("log"), clock=clock) as levels:
        clock.advance(timedelta(seconds=59))
        await change(memory, levels, {"rc_test.a": rule, "rc_test.b": "INFO"})
        clock.advance(timedelta(seconds=1))
        assert a.level == logging.ERROR
        await change(memory, levels, {"rc_test.a": rule, "rc_test.b": "DEBUG"})
        assert a.level == logging.ERROR


async def test_a_changed_or_removed_temporary_level_does_not_end_later(a, clock):
    memory = Memory({"log": {"rc_test.a": {"level": "DEBUG", "for": 60}}})
    async with open_config(App, memory) as config, log_levels(config.select("log"), clock=clock) as levels:
        await change(memory, levels, {"rc_test.a": {"level": "DEBUG", "for": 120}})
        clock.advance(timedelta(seconds=60))
        assert a.level == logging.DEBUG
        await change(memory, levels, {"rc_test.a": "WARNING"})
        clock.advance(timedelta(seconds=120))
        assert a.level == logging.WARNING
        await change(memory, levels, {})
        assert a.level == logging.ERROR


async def test_leaving_forgets_what_is_due(a, clock):
    async with log_levels(
        Live.constant({"rc_test.a": msgspec.convert({"level": "DEBUG", "for": 60}, TemporaryLevel, strict=False)}),
        clock=clock,
    ):
        assert a.level == logging.DEBUG
        assert len(clock.pending) == 1
    assert clock.pending == []


async def test_a_temporary_level_is_timed_by_the_loop_unless_told_otherwise(a):
    memory = Memory({"log": {"rc_test.a": {"level": "DEBUG", "for": "20ms"}}})
    async with open_config(App, memory) as config, log_levels(config.select("log")):
        assert a.level == logging.DEBUG
        await until(lambda: a.level == logging.ERROR)


async def test_what_somebody_else_set_is_overwritten_by_a_new_rule_and_comes_back_after_it(a):
    memory = Memory({"log": {"rc_test.a": "DEBUG"}})
    async with open_config(App, memory) as config:
        async with log_levels(config.select("log")) as levels:
            a.setLevel(logging.WARNING)
            await change(memory, levels, {"rc_test.a": "INFO"})
            assert a.level == logging.INFO
        assert a.level == logging.WARNING


@pytest.mark.parametrize("how", ["removed", "left", "ended"])
async def test_what_somebody_else_set_last_is_not_undone(a, clock, how):
    memory = Memory({"log": {"rc_test.a": "INFO"}})
    async with open_config(App, memory) as config:
        async with log_levels(config.select("log"), clock=clock) as levels:
            await change(memory, levels, {"rc_test.a": {"level": "DEBUG", "for": 60}})
            a.setLevel(logging.CRITICAL)
            if how == "removed":
                await change(memory, levels, {})
            elif how == "ended":
                clock.advance(timedelta(seconds=60))
            assert a.level == logging.CRITICAL
        assert a.level == logging.CRITICAL


async def test_what_somebody_else_set_after_the_end_is_not_undone_even_if_it_is_the_same(a, clock):
    memory = Memory({"log": {"rc_test.a": {"level": "DEBUG", "for": 60}}})
    async with open_config(App, memory) as config:
        async with log_levels(config.select("log"), clock=clock):
            a.setLevel(logging.CRITICAL)
            clock.advance(timedelta(seconds=60))
            a.setLevel(logging.DEBUG)
        assert a.level == logging.DEBUG


async def test_other_changes_of_the_configuration_leave_a_level_that_somebody_else_set(a, b):
    memory = Memory({"log": {"rc_test.a": "INFO"}})
    async with open_config(App, memory) as config, log_levels(config.select("log")) as levels:
        a.setLevel(logging.CRITICAL)
        await change(memory, levels, {"rc_test.a": "INFO", "rc_test.b": "INFO"})
        assert (a.level, b.level) == (logging.CRITICAL, logging.INFO)


async def test_handlers_filters_and_flags_are_never_touched(a):
    handler = logging.NullHandler(logging.WARNING)
    a.addHandler(handler)
    a.propagate, a.disabled = False, True
    try:
        async with log_levels(Live.constant({"rc_test.a": Level.DEBUG})):
            assert (a.handlers, handler.level, a.filters) == ([handler], logging.WARNING, [])
            assert (a.propagate, a.disabled) == (False, True)
    finally:
        a.removeHandler(handler)
        a.propagate, a.disabled = True, False


async def test_a_disabled_call_takes_the_same_way_as_without_a_binding(a, monkeypatch):
    """It ends at the logger's own cache: no record, no filter, nothing of ours."""
    monkeypatch.setattr(a, "makeRecord", None)
    async with log_levels(Live.constant({"rc_test.a": Level.INFO})):
        assert type(a) is logging.Logger
        assert "isEnabledFor" not in vars(a)
        assert a._cache == {}
        a.debug("not seen")
        assert a._cache == {logging.DEBUG: False}
        a.debug("not seen")


async def test_a_level_that_stays_does_not_clear_the_caches_of_all_loggers(a, b):
    memory = Memory({"log": {"rc_test.a": "DEBUG"}})
    async with open_config(App, memory) as config, log_levels(config.select("log")) as levels:
        a.isEnabledFor(logging.INFO)
        await change(memory, levels, {"rc_test.a": 10})
        assert a._cache == {logging.INFO: True}


async def test_levels_change_with_the_other_members_or_not_at_all(a):
    bad = {2}

    async def build(size):
        if size in bad:
            raise ConnectionError
        return size

    memory = Memory({"log": {"rc_test.a": "INFO"}, "size": 1})
    async with open_config(App, memory) as config:
        pool = rebuilt(config.select("size"), build)
        levels: Any = log_levels(config.select("log"))
        async with together(levels, pool):
            await memory.patch({"log": {"rc_test.a": "DEBUG"}, "size": 2})
            await until(lambda: pool.failures)
            assert a.level == logging.INFO
            bad.clear()
            await until(lambda: pool.value == 2)
            assert a.level == logging.DEBUG
        assert a.level == logging.ERROR


@pytest.mark.parametrize(
    ("name", "level"), [("x", 20), ("x.y", 10), ("x.y.z", 10), ("xy", 40), ("", 40), ("other.x", 40)]
)
async def test_a_threshold_is_that_of_the_nearest_ancestor(name, level):
    before = logging.getLogger().level
    rules = {"root": Level.ERROR, "x": Level.INFO, "x.y": Level.DEBUG}
    async with log_levels(Live.constant(rules)) as levels:
        assert levels.threshold(name) == level
    assert levels.threshold(name) == 0
    assert logging.getLogger().level == before
    assert logging.getLogger("x").level == logging.getLogger("x.y").level == logging.NOTSET
