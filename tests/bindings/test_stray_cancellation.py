"""A CancelledError that nobody asked for is a failure like any other."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config import Live, Memory, open_config
from reactive_config.bindings import live_pool, rebuilt, together, workers
from reactive_config.errors import StrayCancellation
from tests.bindings.stubborn import App, Stubborn, stray, until


@pytest.mark.parametrize("where", ["build", "check", "close", "resize"])
async def test_a_stray_cancellation_is_a_failure_like_any_other(shop, where, caplog):
    bad = []

    async def build(size):
        if where == "build" and size in bad:
            await stray()
        return await shop.build((size, object()))

    async def check(thing):
        if where == "check" and thing[0] in bad:
            await stray()

    async def close(thing):
        await shop.close(thing)
        if where == "close":
            await stray()

    async def resize(thing, before, after):
        await stray()

    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        live_pool(
            config.select("size"),
            open=build,
            close=close,
            check=check,
            resize=resize if where == "resize" else None,
        ) as binding,
    ):
        bad.append(2)
        await memory.patch({"size": 2})
        if where in ("build", "check"):
            await until(lambda: binding.failures)
            assert "StrayCancellation" in binding.status().error
            assert binding.value == 1
            bad.clear()
        await until(lambda: binding.value == 2)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)
        assert config.current.size == 3
    assert asyncio.current_task().cancelling() == 0
    assert shop.open == []
    assert where in ("build", "check") or "StrayCancellation" in caplog.text


async def test_a_first_build_with_a_stray_cancellation_fails_loudly():
    async def build(size):
        await stray()

    with pytest.raises(StrayCancellation, match="build: expected a result or an error"):
        async with rebuilt(Live.constant(1), build):
            pass


async def test_a_step_that_cancels_its_own_task_cancels_no_later_step(shop, no_task_left):
    async def build(size):
        asyncio.current_task().cancel()
        return await shop.build(size)

    async def close(thing):
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        await shop.close(thing)

    async with rebuilt(Live.constant(1), build, close=close):
        pass
    assert shop.closed == [1]


async def test_members_are_closed_although_another_one_raises_a_stray_cancellation(shop):
    async def close(thing):
        await stray()

    def member(index):
        async def build(size):
            return await shop.build((index, size))

        return rebuilt(Live.constant(1), build, close=close if index == 1 else shop.close)

    async with together(*(member(index) for index in range(3))):
        pass
    assert sorted(shop.closed) == [(0, 1), (2, 1)]


@pytest.mark.parametrize("where", ["handler", "take"])
async def test_a_stray_cancellation_of_a_worker_is_raised_and_never_ends_it_silently(where):
    queue = asyncio.Queue()
    queue.put_nowait(1)

    async def take():
        await (stray() if where == "take" else asyncio.sleep(0))
        return await queue.get()

    async def handle(item):
        await stray()

    with pytest.raises(StrayCancellation, match="a worker"):
        async with workers(Live.constant(1), handle, take=take):
            await asyncio.sleep(60)
    assert asyncio.current_task().cancelling() == 0


async def test_a_take_that_swallows_its_dismissal_is_left_running_and_counted():
    stubborn = Stubborn()
    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        workers(config.select("size"), stray, take=stubborn.wait, drain=0.05) as group,
    ):
        pass
    assert (group.running, group.status().abandoned) == (0, 1)
    stubborn.gate.set()


@pytest.mark.parametrize("where", ["build", "close"])
async def test_a_group_of_cancellations_is_a_stray_cancellation_too(shop, where, caplog):
    async def fails():
        raise BaseExceptionGroup("canary", [asyncio.CancelledError(), ValueError("canary")])

    async def build(size):
        if where == "build" and size == 2:
            await fails()
        return await shop.build((size, object()))

    async def close(thing):
        await shop.close(thing)
        if where == "close":
            await fails()

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, rebuilt(config.select("size"), build, close=close) as binding:
        await memory.patch({"size": 2})
        await until(lambda: "StrayCancellation" in caplog.text)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)
    assert shop.open == []


async def test_a_failure_that_no_binding_may_hide_leaves_nothing_in_the_status(shop):
    class Ends(BaseException):
        pass

    async def close(thing):
        raise Ends

    async with open_config(App, Memory()) as config:
        members = (
            rebuilt(config.select("size"), shop.build, close=shop.close),
            rebuilt(config.select("port"), shop.build, close=close),
        )
        with pytest.raises(Ends):
            async with together(*members):
                pass
        assert config.status().bindings == ()
    assert shop.closed == [1]


async def test_a_function_that_raises_a_stray_cancellation_ends_no_configuration():
    def part(app):
        if app.size == 2:
            raise asyncio.CancelledError
        return app.size

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        lives = [config.select(part), config.select("size").map(lambda size: part(App(size)))]
        await memory.patch({"size": 2})
        assert (config.current.size, [live.current for live in lives]) == (2, [1, 1])
        assert ["CancelledError" in error for error in config.status().selectors] == [True, True]
        await memory.patch({"size": 3})
        assert [live.current for live in lives] == [3, 3]
