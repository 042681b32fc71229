"""Ages are measured by the monotonic clock: a wall clock that is set back or forward changes none of them."""

from __future__ import annotations

import datetime as dt
import time
from datetime import UTC, timedelta

import msgspec
import pytest

from reactive_config import Live, Memory, Rejected, open_config
from reactive_config._core import status as status_module
from reactive_config.bindings import switch, timer
from reactive_config.status import BindingState, SourceState
from reactive_config.testing import Scripted


class App(msgspec.Struct, frozen=True):
    size: int = 1
    every: timedelta = timedelta(hours=1)


class Clocks:
    """Both clocks of the status, moved by hand."""

    def __init__(self):
        self.wall, self.monotonic_now = dt.datetime(2026, 1, 1, tzinfo=UTC), time.monotonic()

    def pass_(self, seconds, *, wall=None):
        self.monotonic_now += seconds
        self.wall += timedelta(seconds=seconds if wall is None else wall)

    def now(self, _):
        return self.wall

    def monotonic(self):
        return self.monotonic_now


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(status_module, "datetime", clocks)
    monkeypatch.setattr(status_module, "time", clocks)
    return clocks


@pytest.mark.parametrize("jump", [-86400, 86400])
async def test_a_wall_clock_that_is_set_changes_no_age_of_a_source(clocks, jump):
    source = Scripted({"size": 1})
    async with open_config(App, source) as config:
        clocks.pass_(1)
        source.state(SourceState.STALE, "no route")
        since = clocks.wall
        clocks.pass_(30, wall=jump)
        status = config.status().sources[0]
        assert (status.state, status.since, status.age) == (SourceState.STALE, since, 30)
        clocks.pass_(12)
        assert config.status().sources[0].age == 42


@pytest.mark.parametrize("jump", [-86400, 86400])
async def test_a_wall_clock_that_is_set_changes_neither_age_nor_order_of_what_is_held(clocks, jump):
    source = Scripted({"size": 1})
    async with open_config(dict[str, int], source) as config:
        for name in ("first", "second"):
            with pytest.raises(Rejected):
                await source.set({"size": 1, "first": "x", "second": 1 if name == "first" else "x"})
            clocks.pass_(10, wall=jump)
        held = config.status().sources[0].held
        assert [unit.age for unit in held] == sorted((unit.age for unit in held), reverse=True)
        assert held[0].age == 10 * len(held)


@pytest.mark.parametrize("jump", [-86400, 86400])
async def test_a_wall_clock_that_is_set_changes_no_age_of_a_binding(clocks, jump):
    async with open_config(App, Memory()) as config:
        ticks = timer(config.select("every"))
        flag = switch(Live.constant(True))
        clocks.pass_(5, wall=jump)
        for status in (ticks.status(), flag.status()):
            assert (status.state, status.age) == (BindingState.IN_FORCE, 5)
