"""Leaving ends in bounded time, whatever the program's code does with cancellation."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
from contextlib import suppress

import anyio
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import bindings, live_pool, rebuilt, workers
from tests.bindings.stubborn import App, Stubborn, Within, until

# -- a closer, a builder, a check, a resize that swallow ------------------------------------------------------------


async def test_a_closer_that_swallows_one_cancellation_is_cancelled_again(no_task_left):
    stubborn = Stubborn(swallows=1)

    async def build(size):
        return size

    async def close(thing):
        await stubborn.wait()

    binding = rebuilt(Live.constant(1), build, close=close, drain=0, deadline=0.05)
    with Within(binding.leave_within):
        async with binding:
            pass
    assert stubborn.seen == 2
    assert binding.status().abandoned == 0


async def test_the_usual_way_to_end_a_task_swallows_ours_and_hangs_nothing(shop, no_task_left):
    """`task.cancel(); with suppress(CancelledError): await task`, where the task takes its time to end."""
    stubborn = Stubborn(swallows=3)

    async def close(thing):
        task = asyncio.create_task(stubborn.wait())
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await shop.close(thing)

    binding = rebuilt(Live.constant(1), shop.build, close=close, drain=0, deadline=0.05)
    with Within(binding.leave_within):
        async with binding:
            pass
    assert shop.closed == [1]


async def test_a_closer_that_swallows_everything_is_left_running_and_the_log_and_the_status_tell_so(caplog):
    stubborn = Stubborn()

    async def build(size):
        return size

    async def close(thing):
        await stubborn.wait()

    async with open_config(App, Memory()) as config:
        binding = rebuilt(config.select("size"), build, close=close, drain=0, deadline=0.05, name="pool")
        with caplog.at_level(logging.WARNING, "reactive_config"), Within(binding.leave_within):
            async with binding:
                pass
        (status,) = config.status().bindings
        assert (status.name, status.state, status.abandoned) == ("pool", BindingState.CLOSED, 1)
        assert "pool: close did not end although it was cancelled for" in caplog.text
        stubborn.gate.set()
        await until(lambda: config.status().bindings == ())
    assert stubborn.seen > 3


@pytest.mark.half_grid
@pytest.mark.slow
async def test_a_build_that_swallows_everything_keeps_no_newer_value_from_coming_into_force(shop):
    stubborn = Stubborn()

    async def build(size):
        if size == 2:
            await stubborn.wait()
        return await shop.build(size)

    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), build, close=shop.close, deadline=30) as binding,
    ):
        await memory.patch({"size": 2})
        await until(lambda: binding.status().state is BindingState.PREPARING)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)  # after the two seconds for which the build was cancelled
        assert binding.status().abandoned == 1
        stubborn.gate.set()  # it ends at last: what it made is closed, never used
        await until(lambda: shop.closed == [1, 2])
    assert shop.open == []


@pytest.mark.half_grid
@pytest.mark.slow
async def test_while_too_many_builds_are_left_running_nothing_newer_is_built(shop, monkeypatch):
    monkeypatch.setattr(sys.modules[rebuilt.__module__], "MOST_LEFT_RUNNING", 1)
    stubborn = Stubborn()

    async def build(size):
        if size == 2:
            await stubborn.wait()
        return await shop.build(size)

    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), build, close=shop.close) as binding,
    ):
        await memory.patch({"size": 2})
        await until(lambda: binding.status().state is BindingState.PREPARING)
        await memory.patch({"size": 3})
        await until(lambda: "TooManyLeftRunning" in binding.status().error)
        assert (binding.value, binding.status().abandoned) == (1, 1)
        stubborn.gate.set()
        await until(lambda: binding.value == 3)
    assert shop.open == []


@pytest.mark.half_grid
@pytest.mark.slow
@pytest.mark.parametrize("where", ["check", "resize"])
@pytest.mark.parametrize("moment", ["entering", "following", "leaving"])
async def test_a_check_or_a_resize_that_swallows_everything_holds_up_nothing_and_its_thing_is_closed(
    shop, where, moment, caplog
):
    stubborn = Stubborn()
    calls = []

    async def check(thing):
        calls.append(thing)
        if where == "check" and len(calls) == (1 if moment == "entering" else 2):
            await stubborn.wait()

    async def resize(thing, before, after):
        await stubborn.wait()
        return True

    async def build(size):
        return await shop.build((size, object()))

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        binding = live_pool(
            config.select("size"),
            open=build,
            close=shop.close,
            check=check,
            resize=resize if where == "resize" else None,
            drain=0,
            deadline=0.1,
        )
        if moment == "entering":
            if where == "resize":
                return
            with pytest.raises(TimeoutError), Within(binding.leave_within):
                await binding.__aenter__()
        else:
            await binding.__aenter__()
            await memory.patch({"size": 2})
            await until(lambda: stubborn.waits)
            if moment == "following":
                await until(lambda: binding.status().abandoned and binding.value == 2)
            with Within(binding.leave_within):
                await binding.__aexit__(None, None, None)
        assert binding.status().abandoned == 1
        assert f"{where} did not end" in caplog.text
        stubborn.gate.set()
        await until(lambda: config.status().bindings == ())
    assert shop.open == []
    assert "Exception in callback" not in caplog.text


@pytest.mark.half_grid
@pytest.mark.slow
@pytest.mark.parametrize("where", ["build", "check", "close", "resize"])
async def test_leaving_in_any_turn_of_a_driver_that_swallows_one_cancellation(shop, where, no_task_left):
    """As redis-py does while it connects, and psycopg_pool after opening."""

    async def driver():
        for _ in range(4):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                await asyncio.sleep(60)  # swallowed; and then it waits on

    async def build(size):
        await (driver() if where == "build" else asyncio.sleep(0))
        return await shop.build((size, object()))

    async def check(thing):
        await (driver() if where == "check" else asyncio.sleep(0))

    async def close(thing):
        await (driver() if where == "close" else asyncio.sleep(0))
        await shop.close(thing)

    async def resize(thing, before, after):
        await driver()
        return False

    for moment in range(25):
        memory = Memory({"size": 1})
        async with open_config(App, memory) as config:
            binding = live_pool(
                config.select("size"),
                open=build,
                close=close,
                check=check,
                resize=resize if where == "resize" else None,
                drain=0,
                deadline=0.2,
            )
            await binding.__aenter__()
            await memory.patch({"size": 2})
            for _ in range(moment):
                await asyncio.sleep(0)
            with Within(binding.leave_within):
                await binding.__aexit__(None, None, None)
            assert binding.status().abandoned == 0
        assert shop.open == []


async def test_a_second_cancellation_while_leaving_changes_nothing(shop, no_task_left):
    stubborn = Stubborn(swallows=2)

    async def close(thing):
        await stubborn.wait()

    entered = asyncio.Event()
    binding = rebuilt(Live.constant(1), shop.build, close=close, drain=0, deadline=0.3)

    async def body():
        async with binding:
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(body())
    await entered.wait()
    with Within(binding.leave_within):
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
    assert task.cancelled()


async def test_entering_that_is_cancelled_closes_what_came_about_all_the_same(shop, no_task_left):
    stubborn = Stubborn(swallows=1)

    async def build(size):
        await stubborn.wait()
        return await shop.build(size)

    task = asyncio.create_task(rebuilt(Live.constant(1), build, close=shop.close).__aenter__())
    await asyncio.sleep(0.01)
    stubborn.gate.set()  # it swallows the cancellation, and then it builds
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert shop.open == []


@pytest.mark.slow
def test_asyncio_run_ends_although_a_task_was_left_running():
    program = """
        import asyncio
        from reactive_config import Live
        from reactive_config.bindings import rebuilt

        async def build(size):
            return size

        async def close(thing):
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass

        async def main():
            async with rebuilt(Live.constant(1), build, close=close, drain=0, deadline=0.1):
                pass

        asyncio.run(main())
        print("ended")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.returncode) == ("ended\n", 0)


# -- leaving while something else is under way ----------------------------------------------------------------------


async def test_leaving_while_the_old_thing_closes_lets_it_close_once_and_undisturbed(shop):
    gate = asyncio.Event()
    events = []

    async def close(thing):
        events.append(("begins", thing))
        try:
            await gate.wait()
        except asyncio.CancelledError:
            events.append(("cancelled", thing))
            raise
        await shop.close(thing)

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        binding = await rebuilt(config.select("size"), shop.build, close=close).__aenter__()
        await memory.patch({"size": 2})
        await until(lambda: events)
        leaving = asyncio.create_task(binding.__aexit__(None, None, None))
        await until(lambda: len(events) == 2)  # the newer one begins to close beside it
        gate.set()
        await leaving
    assert events == [("begins", 1), ("begins", 2)]
    assert shop.open == []


async def test_a_deadline_that_passes_shortly_before_the_limit_of_leaving_does_not_exceed_it(shop):
    stubborn = Stubborn()

    async def close(thing):
        await stubborn.wait()

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        binding = rebuilt(config.select("size"), shop.build, close=close, drain=0, deadline=0.3)
        leaving = bindings(binding, leave_within=0.5)
        await leaving.__aenter__()
        await memory.patch({"size": 2})
        await until(lambda: stubborn.waits)
        with Within(0.5):
            await leaving.__aexit__(None, None, None)
    assert binding.status().abandoned == 2
    stubborn.gate.set()


async def test_the_old_thing_and_the_one_in_use_drain_side_by_side(shop):
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        binding = await rebuilt(config.select("size"), shop.build, close=shop.close, drain=60).__aenter__()
        first, second = binding.use(), binding.use()
        await first.__aenter__()
        await memory.patch({"size": 2})
        await until(lambda: binding.value == 2)
        await second.__aenter__()
        leaving = asyncio.create_task(binding.__aexit__(None, None, None))
        await asyncio.sleep(0)
        await second.__aexit__(None, None, None)
        await until(lambda: shop.closed == [2])  # while the old one is still in use
        await first.__aexit__(None, None, None)
        await leaving
    assert shop.closed == [2, 1]


async def test_a_thing_that_was_prepared_in_the_turn_of_leaving_is_not_leaked(shop, no_task_left):
    async def build(size):
        for _ in range(3):
            await asyncio.sleep(0)
        return await shop.build((size, object()))

    async def check(thing):
        await asyncio.sleep(0)

    async def close(thing):
        for _ in range(3):
            await asyncio.sleep(0)
        await shop.close(thing)

    for newer in (False, True):
        for moment in range(20):
            memory = Memory({"size": 1})
            async with open_config(App, memory) as config:
                binding = await rebuilt(config.select("size"), build, close=close, check=check).__aenter__()
                await memory.patch({"size": 2})
                for _ in range(moment):
                    await asyncio.sleep(0)
                if newer:
                    await memory.patch({"size": 3})
                await binding.__aexit__(None, None, None)
            assert shop.open == []


async def test_what_build_enters_close_can_leave_also_while_two_things_are_open():
    """A task group, entered in one call and left in another: each thing has a task of its own."""
    ended = []

    async def build(size):
        group = anyio.create_task_group()
        await group.__aenter__()
        group.start_soon(anyio.sleep, 60)
        return size, group

    async def close(thing):
        size, group = thing
        group.cancel_scope.cancel()
        await group.__aexit__(None, None, None)
        ended.append(size)

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, rebuilt(config.select("size"), build, close=close) as binding:
        for size in (2, 3):
            await memory.patch({"size": size})
            await until(lambda size=size: binding.value == size)
        await until(lambda: ended == [1, 2])
    assert ended == [1, 2, 3]


def test_the_end_of_asyncio_run_is_no_crash_of_a_worker(caplog):
    async def main():
        left_open = workers(Live.constant(2), lambda item: asyncio.sleep(60), take=lambda: asyncio.sleep(0))
        await left_open.__aenter__()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert caplog.text == ""


async def test_waiting_in_a_cancelled_scope_of_anyio_turns_no_loop(shop):
    turns = 0

    async def close(thing):
        nonlocal turns
        before = loop.steps
        await asyncio.sleep(0.2)
        turns = loop.steps - before

    loop = asyncio.get_running_loop()
    call_soon, loop_class = loop.call_soon, type(loop)
    if loop_class.__module__.startswith("uvloop"):
        pytest.skip("uvloop's methods cannot be counted")
    loop.steps = 0

    def counted(*args, **kwargs):
        loop.steps += 1
        return call_soon(*args, **kwargs)

    loop.call_soon = counted
    try:
        with anyio.CancelScope() as scope:
            async with rebuilt(Live.constant(1), shop.build, close=close):
                scope.cancel()
                await asyncio.sleep(60)
    finally:
        del loop.call_soon
    assert turns < 100
