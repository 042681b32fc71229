"""What the log says of bindings that cannot take a change, and of those that follow again (P13)."""

from __future__ import annotations

import asyncio
import logging
import re

import msgspec
import pytest

from reactive_config import InvalidValue, Memory, open_config
from reactive_config._bindings import follower
from reactive_config.bindings import capacity, rebuilt, timer, together
from reactive_config.bindings.pools import live_pool
from reactive_config.status import BindingState
from tests.bindings.stubborn import until


class App(msgspec.Struct, frozen=True):
    size: int = 1
    limit: int = 1
    every: float = 1.0


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    """Whoever tries again, does so within a few turns of the loop."""
    monkeypatch.setattr(follower, "FIRST_PAUSE", 0)
    monkeypatch.setattr(follower, "LONGEST_PAUSE", 0)


@pytest.fixture
def log(caplog):
    """Takes what was logged of bindings since it was asked last."""
    caplog.set_level(logging.INFO, "reactive_config")

    def take():
        found = [(r.levelname, r.getMessage()) for r in caplog.records if not r.getMessage().startswith("generation")]
        caplog.clear()
        return found

    return take


class Building:
    """Builds anything but what it is told to refuse."""

    def __init__(self):
        self.bad, self.error = set(), ConnectionError("canary")

    async def build(self, size):
        if size in self.bad:
            raise self.error
        return size


AGAIN = "; it is tried again in 0ms, later every 0.0s at most"
TAKEN_BACK = r"pool: the value was taken back, and the one in use fits it, after \d+\.\ds of trouble"
FOLLOWS = r"pool: the newest value is in use, after \d+\.\ds of trouble"


async def test_a_build_that_fails_again_and_again_is_told_once_and_so_is_its_end(log):
    memory, building = Memory(), Building()
    building.bad.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), building.build, name="pool") as pool,
    ):
        await memory.patch({"size": 2})
        await until(lambda: pool.failures >= 5)
        fails = f"pool: the new one could not be made: ConnectionError; the old one stays in use{AGAIN}"
        assert log() == [("WARNING", fails)]
        building.error = TimeoutError()
        await until(lambda: pool.failures >= 10)
        assert log() == [("WARNING", fails.replace("ConnectionError", "TimeoutError"))]
        building.bad.clear()
        await until(lambda: pool.value == 2)
        ((level, text),) = log()
    assert level == "INFO"
    assert re.fullmatch(FOLLOWS, text)


async def test_another_value_that_fails_is_another_failure(log):
    memory, building = Memory(), Building()
    building.bad |= {2, 3}
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), building.build, name="pool") as pool,
    ):
        for size in (2, 3):
            seen = pool.failures
            await memory.patch({"size": size})
            await until(lambda seen=seen: pool.failures > seen + 3)
        assert [level for level, _ in log()] == ["WARNING", "WARNING"]


async def test_the_value_in_use_that_comes_back_ends_the_trouble(log):
    memory, building = Memory(), Building()
    building.bad.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), building.build, name="pool") as pool,
    ):
        await memory.patch({"size": 2})
        await until(lambda: pool.failures)
        await memory.patch({"size": 1})
        await until(lambda: not pool.status().error)
        first, last = log()
    assert first[0] == "WARNING"
    assert re.fullmatch(TAKEN_BACK, last[1])


async def test_a_value_that_is_refused_and_one_that_fits(log):
    memory = Memory()
    async with open_config(App, memory) as config, capacity(config.select("limit"), name="pool") as limit:
        await memory.patch({"limit": -1})
        await until(lambda: limit.failures)
        await memory.patch({"limit": 2})
        await until(lambda: limit.value == 2)
        first, last = log()
    assert first[1].startswith("pool: the new one could not be made: ")
    assert re.fullmatch(FOLLOWS, last[1])


async def test_members_that_change_together_are_told_once(log):
    memory, building = Memory(), Building()
    building.bad.add(2)
    building.error = InvalidValue("at most 1", at="size")
    async with open_config(App, memory) as config:
        pool = rebuilt(config.select("size"), building.build, name="pool")
        async with together(pool, capacity(config.select("limit"), name="limit")):
            await memory.patch({"size": 2, "limit": 2})
            await until(lambda: pool.failures)
            ((_, text),) = log()
            assert text.endswith("the old one stays in use; so do those of limit, which change together with it")
            await memory.patch({"size": 3})
            await until(lambda: pool.value == 3)
            ((_, text),) = log()
            assert re.fullmatch(FOLLOWS, text)


async def test_a_timer_that_follows_again_says_so(log):
    memory = Memory({"every": 0.01})
    async with open_config(App, memory) as config:
        ticks = timer(config.select("every"), name="pool")
        await anext(ticks)
        await memory.patch({"every": -1.0})
        while not ticks.status().failures:
            await anext(ticks)
        ((level, text),) = log()
        assert level == "WARNING"
        assert text.endswith("; the one before stays in force")
        await memory.patch({"every": 0.02})
        while ticks.status().error:
            await anext(ticks)
        ((_, text),) = log()
    assert re.fullmatch(FOLLOWS, text)


async def test_a_swap_is_told_and_a_number_in_force_is_not(log):
    memory, building = Memory(), Building()
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), building.build, name="pool") as pool,
        capacity(config.select("limit")) as limit,
    ):
        assert log() == []
        await memory.patch({"size": 2, "limit": 2})
        await until(lambda: (pool.value, limit.value) == (2, 2))
    assert log() == [("INFO", "pool: the new one is in use")]


async def test_a_pool_that_is_resized_says_that(log):
    memory, building = Memory(), Building()

    async def resize(pool, before, after):
        return True

    async with (
        open_config(App, memory) as config,
        live_pool(config.select("size"), open=building.build, close=None, resize=resize, name="pool") as pool,
    ):
        await memory.patch({"size": 2})
        await until(lambda: pool.changes == 2)
    assert log() == [("INFO", "pool: resized as the new value says")]


async def test_a_build_that_takes_long_is_told_once_and_its_begin_is_in_the_status(log, monkeypatch):
    monkeypatch.setattr(follower, "FIRST_WORD", 0.01)
    memory, go_on = Memory(), asyncio.Event()

    async def build(size):
        await go_on.wait()
        return size

    async with open_config(App, memory) as config:
        pool = rebuilt(config.select("size"), build, name="pool")
        opening = asyncio.create_task(pool.__aenter__())
        lines = []
        await until(lambda: lines.extend(log()) or lines)
        go_on.set()
        await opening
        go_on.clear()
        await memory.patch({"size": 2})
        await until(lambda: lines.extend(log()) or len(lines) > 1)
        assert pool.status().state is BindingState.PREPARING
        assert pool.status().age > 0
        go_on.set()
        await until(lambda: pool.value == 2)
        await pool.__aexit__(None, None, None)
    assert lines == [
        ("WARNING", "pool: the first one is still being made (0.0s of 30s)"),
        ("WARNING", "pool: the new one is still being made (0.0s of 30s); the old one stays in use"),
    ]
    assert log() == [("INFO", "pool: the new one is in use")]


async def test_the_status_tells_when_it_is_tried_again(log, monkeypatch):
    monkeypatch.setattr(follower, "FIRST_PAUSE", 1e4)
    monkeypatch.setattr(follower, "LONGEST_PAUSE", 1e4)
    memory, building = Memory(), Building()
    building.bad.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), building.build, name="pool") as pool,
    ):
        assert pool.status().next_try is None
        await memory.patch({"size": 2})
        await until(lambda: pool.failures)
        assert pool.status().next_try > pool.status().since
        await memory.patch({"size": 1})
        await until(lambda: not pool.status().error)
        assert pool.status().next_try is None
