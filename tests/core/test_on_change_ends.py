"""Callbacks that are cancelled, that cannot be, and that are there when the context ends."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.runtime.live import listen, unlisten
from tests.core.calling import App, Stubborn, turns, until


async def test_after_cancel_it_is_not_called_even_if_the_change_came_before():
    memory, seen = Memory(), []
    async with open_config(App, memory) as config:
        handle = config.on_change("size", seen.append)
        stream = config.select("size")
        async with asyncio.TaskGroup() as group:

            async def cancel_in_the_turn_of_the_change():
                await stream.wait_changed()
                handle.cancel()

            group.create_task(cancel_in_the_turn_of_the_change())
            await asyncio.sleep(0)
            await memory.patch({"size": 1})
        handle.cancel()
        handle.cancel()
        await memory.patch({"size": 2})
        await turns()
        assert len(seen) <= 1  # in the turn of the change it may have been first
        assert 2 not in seen
    handle.cancel()


async def test_one_that_another_cancels_in_the_turn_of_the_change_is_not_called(caplog, no_task_left):
    memory, seen = Memory(), []
    async with open_config(App, memory) as config:
        config.on_change("size", lambda value: handle.cancel())
        handle = config.on_change("size", seen.append)
        await memory.patch({"size": 1})
        await turns()
    assert (seen, caplog.text) == ([], "")


async def test_a_cancelled_one_leaves_nothing_behind():
    async with open_config(App, Memory()) as config:
        size = config.select("size")
        handles = [config.on_change("size", print) for _ in range(10)]
        assert len(size._listeners) == 10
        for handle in handles:
            handle.cancel()
        assert (len(size._listeners), len(config._runtime.callbacks._all)) == (0, 0)


async def test_cancel_ends_a_call_under_way(no_task_left):
    memory, gate, ended = Memory(), asyncio.Event(), []

    async def callback(value):
        try:
            await gate.wait()
        finally:
            ended.append(value)

    async with open_config(App, memory) as config:
        handle = config.on_change("size", callback)
        await memory.patch({"size": 1})
        await turns()
        handle.cancel()
        handle.cancel()
        await until(lambda: ended == [1])
        assert config.status().callbacks == ()


async def test_a_call_that_swallows_one_cancellation_is_cancelled_again(patience, caplog, no_task_left):
    memory, stubborn = Memory(), Stubborn(swallows=1)
    async with open_config(App, memory) as config:
        handle = config.on_change("size", stubborn)
        await memory.patch({"size": 1})
        await until(lambda: stubborn.values == [1])
        handle.cancel()
        await until(lambda: stubborn.left < 0)
        await turns()
        assert config.status().callbacks == ()
    assert caplog.text == ""


@pytest.mark.parametrize("by", ["cancel", "leaving"])
async def test_a_call_that_swallows_everything_is_left_running_and_told(by, patience, caplog):
    memory, stubborn = Memory(), Stubborn()
    async with asyncio.timeout(10), open_config(App, memory) as config:
        handle = config.on_change("size", stubborn)
        await memory.patch({"size": 1})
        await until(lambda: stubborn.values == [1])
        if by == "cancel":
            handle.cancel()
            await until(lambda: config.status().callbacks)
    assert caplog.text.count("a call did not end although it was cancelled for 0.1 s; it is abandoned") == 1
    (trouble,) = config.status().callbacks
    assert trouble.endswith("a call that swallowed every cancellation goes on")
    stubborn.gate.set()
    await until(lambda: config.status().callbacks == ())


async def test_registering_and_cancelling_inside_of_callbacks(no_task_left):
    memory, seen = Memory(), []
    async with open_config(App, memory) as config:

        async def once(value):
            first.cancel()
            await asyncio.sleep(0)  # it goes on to its end, though it has ended itself
            seen.append(("once", value))
            config.on_change("size", again)

        def again(value):
            seen.append(("again", value))
            other.cancel()

        first = config.on_change("size", once)
        other = config.on_change("other", lambda value: seen.append(("other", value)))
        await memory.patch({"size": 1, "other": 1})
        await until(lambda: ("once", 1) in seen)
        await memory.patch({"size": 2})
        await until(lambda: ("again", 2) in seen)
        await memory.patch({"size": 3, "other": 3})
        await until(lambda: ("again", 3) in seen)
        await turns()
        assert seen == [("other", 1), ("once", 1), ("again", 2), ("again", 3)]


async def test_one_that_has_cancelled_itself_is_ended_by_a_second_time_and_by_leaving(no_task_left):
    memory, gate, ended = Memory(), asyncio.Event(), []
    async with open_config(App, memory) as config:

        async def callback(value):
            handles[value - 1].cancel()
            try:
                await gate.wait()
            finally:
                ended.append(value)

        handles = [config.on_change(lambda app: app.size or None, callback)]
        await memory.patch({"size": 1})
        await turns()
        handles[0].cancel()
        await until(lambda: ended == [1])
        handles.append(config.on_change("size", callback))
        await memory.patch({"size": 2})
        await turns()
    assert ended == [1, 2]


@pytest.mark.parametrize("turn", range(12))
async def test_leaving_at_any_moment_leaves_nothing(turn, caplog, no_task_left):
    memory, gate = Memory(), asyncio.Event()

    async def waits(value):
        await gate.wait()

    async with open_config(App, memory) as config:
        handles = [config.on_change("size", callback) for callback in (waits, lambda value: None, waits)]
        config.on_change("size", lambda value: handles[2].cancel())
        patching = asyncio.ensure_future(memory.patch({"size": 1}))
        await turns(turn)
        patching.cancel()
    await asyncio.gather(patching, return_exceptions=True)
    assert caplog.text == ""
    for handle in handles:
        handle.cancel()


async def test_a_body_that_is_cancelled_while_callbacks_end_leaves_in_time(patience, no_task_left):
    memory, stubborn = Memory(), Stubborn(swallows=1)

    async def body():
        async with open_config(App, memory) as config:
            config.on_change("size", stubborn)
            await memory.patch({"size": 1})
            await until(lambda: stubborn.values)

    leaving = asyncio.create_task(body())
    await until(lambda: stubborn.seen)
    leaving.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([leaving])
    assert leaving.cancelled()


def test_the_end_of_asyncio_run_says_nothing_and_begins_no_call(caplog):
    async def main():
        memory, gate = Memory(), asyncio.Event()
        config = await open_config(App, memory).__aenter__()

        async def callback(value):
            seen.append(value)
            await gate.wait()

        for _ in range(10):  # some of them end before the writer does
            config.on_change("size", callback)
        for size in (1, 2):
            await memory.patch({"size": size})
            await turns()
        kept.append(config)

    kept, seen = [], []
    asyncio.run(main())
    assert (seen, caplog.text) == ([1] * 10, "")
    kept.clear()
    gc.collect()
    assert caplog.text == ""


async def test_leaving_inside_of_a_callback_ends_in_bounded_time(patience):
    memory, left = Memory(), []
    opened = open_config(App, memory)
    config = await opened.__aenter__()

    async def leave(value):
        await opened.__aexit__(None, None, None)
        left.append(value)

    config.on_change("size", leave)
    await memory.patch({"size": 1})
    async with asyncio.timeout(10):
        while not config._runtime.hub.closed:
            await asyncio.sleep(0.01)
    await turns()


# -- what it holds ------------------------------------------------------------------------------------------------


async def test_a_kept_handle_keeps_nothing_of_the_configuration_after_the_context():
    memory, handles = Memory(), []

    async def body():
        async with open_config(App, memory) as config:
            handles.append(config.on_change("size", lambda value: config.current))
            handles.append(config.on_change(lambda app: app.other, print))
            handles.append(config.on_change("size", broken))
            await memory.patch({"size": 1})
            await turns()
            return weakref.ref(config), weakref.ref(config._stream)

    def broken(value):
        raise ValueError

    gone = await body()
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    assert "cancelled" in repr(handles[0])


async def test_a_cancelled_one_frees_its_selector():
    async with open_config(App, Memory()) as config:
        handle = config.on_change(lambda app: app.size, print)
        assert len(config._runtime.by_function) == 1
        handle.cancel()
        gc.collect()
        assert len(config._runtime.by_function) == 0


async def test_many_at_one_part_are_cancelled_without_asking_each_of_all_others():
    asked = 0

    class Listens:
        def __call__(self, live): ...

        def __hash__(self):
            return id(self)

        def __eq__(self, other):
            nonlocal asked
            asked += 1
            return self is other

    live = Live.constant(1)
    listeners = [Listens() for _ in range(300)]
    for listener in listeners:
        listen(live, listener)
    assert len(live._listeners) == 300
    for listener in reversed(listeners):
        unlisten(live, listener)
    assert live._listeners == ()
    assert asked < 300
