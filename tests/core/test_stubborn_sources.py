"""A source that does what it likes with cancellation ends neither the configuration nor hangs its end."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from reactive_config import Memory, open_config
from reactive_config._core.delta import Replace
from reactive_config._core.runtime import runtime
from reactive_config._core.source import Source
from reactive_config.errors import SourceError
from reactive_config.observability import Observer
from reactive_config.status import SourceState


class App(msgspec.Struct, frozen=True):
    size: int = 1


class Odd(Source):
    """Sends nothing but an empty state, and then does what it is told to."""

    def __init__(self, does, last_good=None):
        self.name, self.layers, self.optional = "odd", ("odd",), True
        self.does, self._last_good = does, last_good

    async def run(self, feed):
        feed.send(Replace({}, 1))
        feed.state(SourceState.SYNCED)
        await self.does()

    async def last_good(self):
        return await self._last_good() if self._last_good else None


async def stray():
    raise asyncio.CancelledError


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(runtime, "SOURCE_PATIENCE", 0.05)
    monkeypatch.setattr(runtime, "LEAVE_WITHIN", 0.2)


async def test_one_that_swallows_everything_is_left_running_and_the_log_names_it(patience, caplog):
    ends = asyncio.Event()

    async def stubborn():
        while not ends.is_set():
            try:
                await ends.wait()
            except asyncio.CancelledError:
                pass

    memory = Memory()
    async with asyncio.timeout(5):
        async with open_config(App, memory, Odd(stubborn)):
            pass
    assert "the source odd did not end although it was cancelled for 0.2 s; it is abandoned" in caplog.text
    ends.set()


async def test_one_that_swallows_the_first_cancellation_is_cancelled_again(patience, caplog):
    seen = []

    async def swallows_one():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append(1)
        await asyncio.sleep(60)

    async with asyncio.timeout(5):
        async with open_config(App, Odd(swallows_one)):
            pass
    assert seen == [1]
    assert caplog.text == ""


async def test_a_clean_up_has_its_time(patience):
    cleaned = []

    async def cleans_up():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(1)

    async with open_config(App, Odd(cleans_up)):
        pass
    assert cleaned == [1]


async def test_a_stray_cancellation_of_a_source_is_its_failure_and_the_others_go_on(caplog):
    memory = Memory()
    with caplog.at_level(logging.ERROR, "reactive_config"):
        async with open_config(App, memory, Odd(stray)) as config:
            await memory.patch({"size": 2})
            assert config.current.size == 2
            odd = config.status().sources[1]
            assert odd.state is SourceState.FAILED
            assert (
                odd.reason
                == "the source odd: expected a result or an error, got a CancelledError that nobody had asked for"
            )
    assert "the source odd" in caplog.text
    assert asyncio.current_task().cancelling() == 0


async def test_a_bug_of_a_source_is_raised_once_and_unwrapped():
    async def bug():
        await asyncio.sleep(0)
        raise LookupError("bug")

    with pytest.raises(LookupError, match="bug"):
        async with open_config(App, Memory(), Odd(bug)):
            await asyncio.sleep(60)
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("failure", [SourceError("canary"), ValueError("canary")])
async def test_what_a_clean_up_raises_hides_neither_the_bodys_exception_nor_its_cancellation(failure, caplog):
    async def fails_at_the_end():
        try:
            await asyncio.sleep(60)
        finally:
            raise failure

    with pytest.raises(KeyError):
        async with open_config(App, Odd(fails_at_the_end)):
            raise KeyError
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit, open_config(App, Odd(fails_at_the_end)):
            limit.reschedule(0)  # not before it is open
            await asyncio.sleep(60)
    assert caplog.text.count("ERROR") == 2


async def test_a_bug_in_a_clean_up_is_raised_where_nothing_else_is():
    async def fails_at_the_end():
        try:
            await asyncio.sleep(60)
        finally:
            raise LookupError("bug")

    with pytest.raises(LookupError, match="bug"):
        async with open_config(App, Odd(fails_at_the_end)):
            pass


def test_the_end_of_asyncio_run_is_no_stray_cancellation(caplog):
    """It cancels all tasks at once: those of a configuration that nobody left among them."""

    async def main():
        left_open = open_config(App, Memory(), Odd(asyncio.Event().wait))
        await left_open.__aenter__()

    asyncio.run(main())
    assert caplog.text == ""


async def test_an_observer_that_raises_a_stray_cancellation_ends_nothing(caplog):
    class Raises(Observer):
        def applying(self, apply):
            raise asyncio.CancelledError

    memory = Memory()
    async with open_config(App, memory) as config:
        with config.observe(Raises()):
            await memory.patch({"size": 2})
            assert config.current.size == 2
    assert "an observer raised CancelledError" in caplog.text
