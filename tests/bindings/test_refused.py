"""A value that a binding can never follow: it is tried once, logged once and shown until another value comes."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from reactive_config import InvalidValue, Memory, open_config
from reactive_config._bindings import follower
from reactive_config._core.status import BindingState
from reactive_config.bindings import capacity, rate_limiter, rebuilt, together
from tests.bindings.stubborn import until


class App(msgspec.Struct, frozen=True):
    rate: str = "1/s"
    size: int = 1
    limit: int = 1


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    """Whoever tries again, does so within a few turns of the loop."""
    monkeypatch.setattr(follower, "FIRST_PAUSE", 0)
    monkeypatch.setattr(follower, "LONGEST_PAUSE", 0)


async def turns():
    for _ in range(100):
        await asyncio.sleep(0)


async def test_what_can_never_fit_is_tried_and_logged_once(caplog):
    memory = Memory()
    async with open_config(App, memory) as config, rate_limiter(config.select("rate")) as limiter:
        await memory.patch({"rate": "nonsense"})
        await until(lambda: limiter.failures)
        await turns()
        assert limiter.failures == len(caplog.records) == 1
        assert limiter.status().state is BindingState.REFUSED
        assert "expected" in limiter.status().error
        await memory.patch({"rate": "2/s"})
        await until(lambda: limiter.value == "2/s")
        assert (limiter.status().state, limiter.status().error) == (BindingState.IN_FORCE, "")


async def test_it_is_tried_again_with_another_value_and_forgotten_with_the_one_before(caplog):
    memory = Memory()
    async with open_config(App, memory) as config, capacity(config.select("limit")) as limit:
        for bad in (-1, -2):
            await memory.patch({"limit": bad})
            await until(lambda: limit.failures == -bad)  # noqa: B023 - called at once
        assert len(caplog.records) == 2
        await memory.patch({"limit": 1})
        await until(lambda: limit.status().state is BindingState.IN_FORCE)
        assert (limit.failures, limit.status().error) == (2, "")


async def test_a_builder_that_raises_unfit_is_not_called_again_for_the_same_value():
    tried = []

    async def build(size):
        tried.append(size)
        if size > 1:
            raise InvalidValue("at most 1", at="size")
        return size

    memory = Memory()
    async with open_config(App, memory) as config, rebuilt(config.select("size"), build) as binding:
        await memory.patch({"size": 2})
        await until(lambda: binding.failures)
        await turns()
        assert tried == [1, 2]
        assert binding.status().error == "the new one could not be made: size: expected at most 1"


async def test_any_other_error_is_tried_again():
    async def build(size):
        if size > 1:
            raise ConnectionError
        return size

    memory = Memory()
    async with open_config(App, memory) as config, rebuilt(config.select("size"), build) as binding:
        await memory.patch({"size": 2})
        await until(lambda: binding.failures > 2)


async def test_members_that_change_together_wait_for_another_value_of_any_of_them(caplog):
    async def build(size):
        return size

    memory = Memory()
    async with open_config(App, memory) as config:
        size, limit = rebuilt(config.select("size"), build), capacity(config.select("limit"))
        async with together(size, limit):
            await memory.patch({"size": 2, "limit": -1})
            await until(lambda: limit.failures)
            await turns()
            assert (limit.failures, size.current, len(caplog.records)) == (1, 1, 1)
            assert size.status().state is limit.status().state is BindingState.REFUSED
            await memory.patch({"limit": 3})
            await until(lambda: size.current == 2)


async def test_leaving_does_not_wait_for_another_value(caplog):
    caplog.set_level(logging.WARNING)
    memory = Memory()
    async with asyncio.timeout(5), open_config(App, memory) as config, capacity(config.select("limit")) as limit:
        await memory.patch({"limit": -1})
        await until(lambda: limit.failures)
