"""What one turn of the writer has no time for is tried in the next ones, and others run in between."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from reactive_config import Rejected, open_config
from reactive_config._core.acceptance import groups
from reactive_config._core.acceptance.trial import Trial
from reactive_config._core.delta import Entry, Patch
from reactive_config.testing import Scripted


class App(msgspec.Struct, frozen=True):
    keys: dict[str, int] = {}

    def __post_init__(self) -> None:
        if any(value < 0 for value in self.keys.values()):
            raise ValueError("negative")


def units(count, bad):
    """As many transactions of one key each, from revision 2, as one delta."""
    entries = {f"k{n}": Entry(("keys", f"k{n}"), -1 if n in bad else n, n, n) for n in range(2, count + 2)}
    return Patch(entries, {}, count + 1)


async def test_others_run_while_many_units_are_tried(monkeypatch):
    monkeypatch.setattr(groups, "DECODES", 4)
    source = Scripted({})
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with open_config(App, source) as config:
        task = asyncio.create_task(count_turns())
        sending = asyncio.create_task(source.send(units(64, bad={5, 20, 40, 65})))
        seen = []
        async for snapshot in config:
            seen.append(len(snapshot.value.keys))
            if len(snapshot.value.keys) == 60:
                break
        with pytest.raises(Rejected):
            await sending
        task.cancel()
        assert [held.unit for held in config.status().sources[0].held] == [f"revision {n}" for n in (5, 20, 40, 65)]
        assert turns > 5
        assert len(seen) > 2
        assert seen == sorted(seen)


async def test_whoever_waits_for_a_revision_waits_for_its_verdict(monkeypatch):
    monkeypatch.setattr(groups, "DECODES", 2)
    source = Scripted({})
    async with open_config(App, source) as config:
        sending = asyncio.create_task(source.send(units(16, bad={3, 9, 16})))
        good = asyncio.create_task(config.wait_revision(source, 17))
        bad = asyncio.create_task(config.wait_revision(source, 16))
        await good
        assert config.current.keys["k17"] == 17
        with pytest.raises(Rejected):
            await bad
        await sending


async def test_a_fix_that_comes_in_between_does_not_wait(monkeypatch):
    monkeypatch.setattr(groups, "DECODES", 2)
    source, other = Scripted({}), Scripted({}, name="other")
    async with open_config(App, source, other) as config:
        sending = asyncio.create_task(source.send(units(256, bad=set(range(2, 200, 3)))))
        while not config._runtime.acceptance.unsettled:
            await asyncio.sleep(0)
        await other.set({"keys": {"fix": 1}})
        assert config.current.keys["fix"] == 1
        assert not sending.done()
        await sending


class Leaf(msgspec.Struct, frozen=True):
    n: int = 0


class Leaves(msgspec.Struct, frozen=True):
    d: dict[str, Leaf] = {}


class Clock:
    """Time that passes only while entries are applied: 1 ms for each."""

    def __init__(self):
        self.now = 0.0

    def thread_time(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    real = Trial.apply

    def apply(trial, units):
        units = list(units)
        clock.now += len(units) / 1000
        real(trial, units)

    monkeypatch.setattr(Trial, "apply", apply)
    monkeypatch.setattr(groups, "time", clock)
    return clock


def turns(config, clock):
    """Attempt until nothing is left; returns how long each took."""
    took = []
    while not took or config.acceptance.unsettled:
        before = clock.now
        config.acceptance.attempt()
        took.append(clock.now - before)
    return took


def test_trying_many_held_units_again_takes_many_short_turns(accepting, clock):
    """Something first comes into the table in which all of them stand: it may be what they need."""
    config = accepting(Leaves)
    for number in range(1000):
        config.send({f"d.k{number}.n": "bad"})
    config.attempt()
    assert len(config.held) == 1000
    config.send({"d.new.n": 1})
    took = turns(config, clock)
    assert config.value.d == {"new": Leaf(1)}
    assert len(config.held) == 1000
    assert sum(took) > 0.5  # they are tried again
    assert max(took) < 0.12


def test_units_that_came_have_a_turn_of_their_own_if_trying_them_with_held_ones_took_long(accepting, clock):
    config = accepting(App)
    for number in range(60):
        config.attempt({f"keys.h{number}": -1})
    for number in range(40):
        config.send({f"keys.k{number}": number})
    took = turns(config, clock)
    assert config.value.keys == {f"k{number}": number for number in range(40)}
    assert len(config.held) == 60
    assert len(took) > 1
    assert took[0] < 0.12  # 100 entries, and not once more 40 of them
