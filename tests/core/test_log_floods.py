"""What goes wrong at every change is told in a bounded number of lines, and the log itself may go wrong."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from reactive_config import Memory, Rejected, open_config
from reactive_config._core.runtime import observing
from reactive_config._testing.scripted import Scripted
from reactive_config.observability import Observer
from reactive_config.status import SourceState


class App(msgspec.Struct, frozen=True):
    size: int = 0


@pytest.fixture
def log(caplog):
    """All lines of the log."""
    caplog.set_level(logging.INFO, "reactive_config")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "reactive_config"]


async def changed(memory, times):
    for number in range(1, times + 1):
        await memory.patch({"size": number})
        for _ in range(3):  # for the calls
            await asyncio.sleep(0)


async def test_a_callback_that_fails_in_turns_does_not_flood_the_log(log):
    def callback(size):
        if size % 3:
            raise (ValueError, KeyError)[size % 3 - 1]

    memory = Memory()
    async with open_config(App, memory) as config:
        for _ in range(5):
            config.on_change("size", callback)
        await changed(memory, 200)
    told = [line for line in log() if "on_change(" in line]
    counts = [int(line.split()[0]) for line in log() if "more lines about callbacks were left out" in line]
    assert len(told) + sum(counts) >= 5 * 199
    assert len(told) < 200


async def test_a_change_that_fails_a_thousand_callbacks_is_told_in_a_few_lines(log):
    def callback(size):
        raise ValueError

    memory = Memory()
    async with open_config(App, memory) as config:
        for _ in range(1000):
            config.on_change("size", callback)
        await changed(memory, 1)
        assert len(config.status().callbacks) == 1000
    assert len([line for line in log() if "on_change(" in line]) == 10
    assert log()[-1] == "990 more lines about callbacks were left out; config.status() shows how they stand"


async def test_an_observer_that_always_raises_is_told_now_and_then(log, monkeypatch):
    class Broken(Observer):
        def applying(self, apply):
            raise (ValueError, KeyError)[self.calls % 2]

    def lines():
        return [line for line in log() if "an observer raised" in line]

    memory, Broken.calls = Memory(), 0
    async with open_config(App, memory) as config:
        with config.observe(Broken()):
            await changed(memory, 100)
            assert lines() == ["an observer raised ValueError; nothing else is affected"]
            Broken.calls = 1
            await changed(memory, 100)
            assert lines()[1:] == ["an observer raised KeyError; nothing else is affected"]
            monkeypatch.setattr(observing, "AGAIN", 0.0)
            await memory.patch({"size": 1000})
            assert len(lines()) == 3


class Raising(logging.Handler):
    """As a handler that loses its server, or a filter that looks for what only some records have."""

    def emit(self, record):
        raise ConnectionError("canary")


@pytest.fixture
def broken(caplog):
    caplog.set_level(logging.INFO, "reactive_config")
    handler = Raising()
    logging.getLogger("reactive_config").addHandler(handler)
    yield
    logging.getLogger("reactive_config").removeHandler(handler)


async def test_what_a_handler_of_the_log_raises_ends_nothing(broken, capsys):
    memory, source = Memory(), Scripted({})
    async with open_config(App, memory, source) as config:
        config.on_change("size", lambda size: 1 / 0)
        await memory.patch({"size": 1, "sise": 2})
        with pytest.raises(Rejected):
            await memory.patch({"size": "x"})
        await memory.patch({"size": 2})
        source.state(SourceState.STALE, "gone")
        source.state(SourceState.SYNCED)
        await asyncio.sleep(0.01)
        assert config.current == App(2)
        await source.fail("wrong password")
        await memory.patch({"size": 3})
        assert config.current == App(3)
    told = capsys.readouterr().err.splitlines()
    assert all(
        line.startswith("reactive_config: a handler or a filter of the log raised ConnectionErr") for line in told
    )
    for line in ("generation 1 from", "sise: unknown key", "held revision", "STALE: gone", "scripted: wrong password"):
        assert any(line in text for text in told), line
    assert "canary" not in "".join(told)


async def test_a_line_names_the_code_that_wrote_it(caplog):
    caplog.set_level(logging.INFO, "reactive_config")
    async with open_config(App, Memory()):
        (record,) = caplog.records
    assert (record.filename, record.funcName) == ("logbook.py", "generation")
