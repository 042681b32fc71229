"""A rule that loggers cannot follow is refused by itself: it is reported, and the others change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._bindings import log_rules
from reactive_config._bindings.log_rules import MAX_LENGTH, MAX_PARTS, RuleReader
from reactive_config._core.status import BindingState
from reactive_config.bindings import Level, LogRule, TemporaryLevel, log_levels, rebuilt, together


class App(msgspec.Struct, frozen=True):
    log: dict[str, LogRule | None] = {}
    size: int = 1


@pytest.fixture
def a():
    logger = logging.getLogger("rc_refused.a")
    yield logger
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def b():
    logger = logging.getLogger("rc_refused.b")
    yield logger
    logger.setLevel(logging.NOTSET)


async def until(condition, timeout=2):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


class Pushed:
    """A live value of a configuration that can be any object: what a function given to `select` may make."""

    def __init__(self, value: object) -> None:
        self._values = [value]
        self._memory = Memory({"at": 0})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        async with open_config(dict, self._memory) as config:
            yield config.select(lambda tree: self._values[tree["at"]])

    async def put(self, value: object) -> None:
        self._values.append(value)
        await self._memory.replace({"at": len(self._values) - 1})


def log_of(config: dict[str, Any]) -> Any:
    return config["log"]


ODD_NAMES = [
    "",
    "nul\0",
    "line\nend",
    "\ud800",
    "x" * (MAX_LENGTH + 1),
    ".".join("x" * (MAX_PARTS + 1)),
    "." * 5000,
]


@pytest.mark.parametrize("odd", ODD_NAMES, ids=lambda name: ascii(name[:12]))
async def test_an_odd_name_is_reported_and_the_others_change(a, odd, caplog):
    """It makes no logger, ends nothing, and is forgotten once it is gone."""
    known = dict(logging.root.manager.loggerDict)
    pushed = Pushed({"rc_refused.a": Level.INFO})
    async with pushed.open() as live, log_levels(live, name="logs") as levels:
        await pushed.put({odd: Level.DEBUG, "rc_refused.a": Level.DEBUG})
        await until(lambda: a.level == logging.DEBUG)
        status = levels.status()
        assert (status.state, levels.failures) == (BindingState.IN_FORCE, 1)
        assert status.error.startswith("not all rules could be followed: ")
        assert len(status.error) < 300
        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert record.getMessage().startswith("logs: not all rules could be followed: ")
        record.getMessage().encode()  # a handler can write it
        await pushed.put({"rc_refused.a": Level.ERROR})
        await until(lambda: a.level == logging.ERROR)
        assert (levels.status().error, levels.failures) == ("", 1)
    assert logging.root.manager.loggerDict.keys() == known.keys()


@pytest.mark.parametrize("rule", ["loud", 0, True, 1.5, [], {"level": "DEBUG"}, "x" * 10_000])
async def test_what_is_no_level_in_a_plain_dict_keeps_the_level_of_its_name(a, b, rule):
    memory = Memory({"log": {"rc_refused.a": "debug", "rc_refused.b": "debug"}})
    async with open_config(dict, memory) as config, log_levels(config.select(log_of)) as levels:
        await memory.patch({"log": {"rc_refused.a": rule, "rc_refused.b": "info"}})
        await until(lambda: b.level == logging.INFO)
        assert a.level == logging.DEBUG
        assert dict(levels.in_force) == {"rc_refused.a": logging.DEBUG, "rc_refused.b": logging.INFO}
        (status,) = config.status().bindings
        assert "'rc_refused.a': expected a level's name" in status.error
        assert str(rule) not in status.error
        await memory.patch({"log": {"rc_refused.a": "error"}})
        await until(lambda: a.level == logging.ERROR)
        assert levels.status().error == ""


async def test_an_empty_name_in_a_typed_configuration_is_reported_and_the_others_change(a):
    memory = Memory({"log": {"rc_refused.a": "INFO"}})
    async with open_config(App, memory) as config, log_levels(config.select("log")) as levels:
        await memory.patch({"log": {"": "debug", "rc_refused.a": "debug"}})
        await until(lambda: a.level == logging.DEBUG)
        assert "got an empty one" in levels.status().error


async def test_a_refused_name_that_goes_brings_back_what_was_before_it(a):
    memory = Memory({"log": {"rc_refused.a": "debug"}})
    async with open_config(dict, memory) as config, log_levels(config.select(log_of)) as levels:
        await memory.patch({"log": {"rc_refused.a": "loud"}})
        await until(lambda: levels.failures)
        assert a.level == logging.DEBUG
        await memory.replace({"log": {}})
        await until(lambda: a.level == logging.NOTSET)


class Raising(Mapping[str, Any]):
    """A mapping of the program's with one value that cannot be read, or none."""

    def __init__(self, names: list[str], bad: set[str], endless: bool = False) -> None:
        self.names, self.bad, self.endless = names, bad, endless

    def __getitem__(self, name):
        if name in self.bad:
            raise ZeroDivisionError("SECRET")
        return Level.DEBUG

    def __iter__(self):
        yield from self.names
        if self.endless:
            raise ZeroDivisionError("SECRET")

    def __len__(self):
        return len(self.names)


async def test_a_value_that_raises_is_refused_by_itself(a, b):
    pushed = Pushed({"rc_refused.b": Level.INFO})
    async with pushed.open() as live, log_levels(live) as levels:
        await pushed.put(Raising(["rc_refused.b", "rc_refused.a"], {"rc_refused.b"}))
        await until(lambda: a.level == logging.DEBUG)
        assert b.level == logging.INFO
        assert (
            "'rc_refused.b': expected a rule that can be followed, got ZeroDivisionError from it"
            in levels.status().error
        )
        assert "SECRET" not in levels.status().error


@pytest.mark.parametrize("value", [Raising(["rc_refused.a"], set(), endless=True), ["rc_refused.a"], 5])
async def test_what_cannot_be_gone_through_keeps_all_levels(a, value):
    pushed = Pushed({"rc_refused.a": Level.INFO})
    async with pushed.open() as live, log_levels(live) as levels:
        await pushed.put(value)
        await until(lambda: levels.failures)
        assert (a.level, levels.status().state) == (logging.INFO, BindingState.RETRYING)
        await pushed.put({"rc_refused.a": Level.ERROR})
        await until(lambda: a.level == logging.ERROR)


async def test_a_temporary_level_without_a_duration_is_refused(a):
    pushed = Pushed({"rc_refused.a": Level.INFO})
    async with pushed.open() as live, log_levels(live) as levels:
        broken = msgspec.structs.replace(msgspec.convert({"level": "DEBUG", "for": 1}, TemporaryLevel, strict=False))
        msgspec.structs.force_setattr(broken, "duration", "10m")
        await pushed.put({"rc_refused.a": broken})
        await until(lambda: levels.failures)
        assert (a.level, levels.status().state) == (logging.INFO, BindingState.IN_FORCE)


async def test_new_loggers_are_bounded_over_all_changes(monkeypatch, a):
    """The standard library keeps a logger for ever, so a binding makes a bounded number of them, placeholders too."""
    monkeypatch.setattr(log_rules, "MAX_MADE", 20)
    before = len(logging.root.manager.loggerDict)
    pushed = Pushed({"rc_refused.a": Level.INFO})
    async with pushed.open() as live, log_levels(live) as levels:
        for number in range(40):
            changes = levels.changes
            await pushed.put({f"rc_made.x{number}.y": Level.INFO})
            await until(lambda: levels.changes > changes)  # noqa: B023 - called at once
        assert len(logging.root.manager.loggerDict) - before <= 20
        assert "expected at most 20 new loggers" in levels.status().error
        await pushed.put({"rc_refused.a": Level.ERROR, "rc_made.x0.y": Level.ERROR})
        await until(lambda: a.level == logging.ERROR)
        assert levels.status().error == ""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("rc_made")]:
        del logging.root.manager.loggerDict[name]


def test_a_logger_of_the_program_is_followed_whatever_its_name():
    odd = "rc_refused_odd\0" + "x" * 300
    logger = logging.getLogger(odd)
    try:
        assert RuleReader().check(odd, "DEBUG") == (logger, "DEBUG")
    finally:
        del logging.root.manager.loggerDict[odd]


async def test_many_refused_names_are_counted_not_listed():
    pushed = Pushed({})
    async with pushed.open() as live, log_levels(live) as levels:
        await pushed.put({f"rc_refused\n{number}": Level.INFO for number in range(1000)})
        await until(lambda: levels.failures)
        assert levels.status().error.endswith("; and 997 more")
        assert len(levels.status().error) < 500


async def test_a_member_of_together_refuses_all_of_its_rules_so_the_group_stays_whole(a, b, caplog):
    """All or nothing is what the group was asked for: neither the good rules nor the other member change."""

    async def build(size):
        return size

    memory = Memory({"log": {"rc_refused.a": "INFO"}, "size": 1})
    async with open_config(App, memory) as config:
        size = rebuilt(config.select("size"), build)
        levels: Any = log_levels(config.select("log"))
        async with together(size, levels):
            await memory.patch({"log": {"": "DEBUG", "rc_refused.a": "DEBUG", "rc_refused.b": "DEBUG"}, "size": 2})
            await until(lambda: levels.failures)
            assert (size.current, a.level, b.level) == (1, logging.INFO, logging.NOTSET)
            assert levels.status().state is BindingState.REFUSED
            told = "the rule of '': expected a logger's name, or root for the root logger, got an empty one"
            assert levels.status().error == f"the new one could not be made: {told}"
            assert size.status().error == f"waits for {levels.name}: the new one could not be made: {told}"
            warnings = [r.getMessage() for r in caplog.records if told in r.getMessage()]
            assert warnings[0].startswith(f"{levels.name}: the new one could not be made: ")
            assert warnings[0].endswith(f"; so do those of {size.name}, which change together with it")
            assert not any(text.startswith(size.name) for text in warnings)
            assert size.failures == 0
            await memory.replace({"log": {"rc_refused.a": "DEBUG", "rc_refused.b": "DEBUG"}, "size": 2})
            await until(lambda: size.current == 2)
            assert (a.level, b.level) == (logging.DEBUG, logging.DEBUG)


@pytest.mark.parametrize("rules", [{"": Level.DEBUG, "rc_refused.a": Level.DEBUG}, {"rc_refused.a": "loud"}])
async def test_the_first_rules_are_followed_all_or_none(a, rules):
    with pytest.raises(ValueError, match="expected a l"):
        async with log_levels(Live.constant(rules)):
            pass
    assert a.level == logging.NOTSET


@pytest.mark.parametrize("odd", ODD_NAMES, ids=lambda name: ascii(name[:12]))
async def test_an_override_of_an_odd_name_is_the_callers_error(odd):
    level = msgspec.convert({"level": "DEBUG", "for": 60}, TemporaryLevel, strict=False)
    async with log_levels(Live.constant(None)) as levels:
        with pytest.raises(ValueError, match="logger's name"):
            levels.override(odd, level)
        assert levels.in_force == {}
