"""Waiting for a change: who is woken, what is left of those who gave up, and what each of them holds."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tracemalloc

import anyio
import msgspec
import pytest

from reactive_config import Memory, WrongProcess, open_config

CROWD = 2_000


class App(msgspec.Struct, frozen=True):
    n: int = 0


class Untouched(dict):
    def __setitem__(self, key, value):
        raise AssertionError("changed by another thread")


async def next_of(iterator):
    with anyio.fail_after(5):
        return await anext(iterator)


async def test_those_who_wait_are_woken_in_the_order_of_coming():
    memory = Memory({})
    woken = []

    async def wait(number, live):
        await live.wait_changed()
        woken.append(number)

    async with open_config(App, memory) as config:
        tasks = [asyncio.ensure_future(wait(number, config.select("n"))) for number in range(CROWD)]
        await asyncio.sleep(0)
        await memory.patch({"n": 1})
        await asyncio.gather(*tasks)
    assert woken == list(range(CROWD))


async def test_a_storm_of_cancellations_takes_no_wake_from_anybody_and_leaves_nothing():
    """Some are cancelled while they wait, some in the turn of the change, some once they are woken."""
    memory = Memory({})
    async with open_config(App, memory) as config:
        live = config.select("n")
        tasks = [asyncio.ensure_future(live.wait_changed()) for _ in range(CROWD)]
        await asyncio.sleep(0)
        for task in tasks[::4]:
            task.cancel()
        await asyncio.wait(tasks[::4])
        assert len(live._waiters) == CROWD - len(tasks[::4])
        for task in tasks[1::4]:
            task.cancel()
        changing = asyncio.ensure_future(memory.patch({"n": 1}))
        while live.current != 1:
            await asyncio.sleep(0)
        assert all(task.cancel() for task in tasks[2::4])
        await changing
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks[::4] + tasks[1::4] + tasks[2::4])
        assert [task.result() for task in tasks[3::4]] == [1] * len(tasks[3::4])
        assert not live._waiters
        assert live not in config._runtime.hub.waited


async def test_a_cancellation_in_the_writers_own_turn_takes_no_wake_from_the_others():
    memory = Memory({})
    async with open_config(App, memory) as config:
        live = config.select("n")
        cancelled, other = (asyncio.ensure_future(live.wait_changed()) for _ in range(2))
        await asyncio.sleep(0)
        cancels = config.select(lambda c: cancelled.cancel() if c.n else None)
        await memory.patch({"n": 1})
        assert cancels.current is True
        assert await other == 1
        assert (await asyncio.wait([cancelled]))[0].pop().cancelled()


async def test_a_change_that_came_with_the_cancellation_is_given_the_next_time():
    """Woken and cancelled before its turn came: the value was not seen, so it is still to come."""
    memory = Memory({})
    async with open_config(App, memory) as config:
        live = config.select("n")
        values = aiter(live)
        assert await next_of(values) == 0
        waiting = asyncio.ensure_future(anext(values))
        await asyncio.sleep(0)
        changing = asyncio.ensure_future(memory.patch({"n": 1}))
        while live.current != 1:
            assert not waiting.done()
            await asyncio.sleep(0)
        assert waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await next_of(values) == 1
        await changing


async def test_waiting_with_a_timeout_again_and_again_leaves_nothing():
    async with open_config(App, Memory({})) as config:
        live = config.select("n")
        for _ in range(100):
            with anyio.move_on_after(0):
                await live.wait_changed()
        assert not live._waiters
        assert live not in config._runtime.hub.waited


def test_another_loop_cannot_wait_whether_it_runs_in_this_thread_or_in_another():
    loop = asyncio.new_event_loop()
    context = open_config(App, Memory({}))
    config = loop.run_until_complete(context.__aenter__())
    live = loop.run_until_complete(selected(config))
    values = aiter(live)
    loop.run_until_complete(next_of(values))

    async def elsewhere():
        for waits in (live.wait_changed, values.__anext__):
            with pytest.raises(WrongProcess, match="another one"):
                await waits()

    async def in_a_thread():
        await asyncio.to_thread(asyncio.run, elsewhere())

    asyncio.run(elsewhere())
    assert not live._waiters
    live._waiters = Untouched()  # the writer may be walking through them
    asyncio.run(in_a_thread())
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()


def test_a_forked_child_cannot_wait_for_what_its_parent_selected():
    program = """
import asyncio, os, sys
from reactive_config import Memory, WrongProcess, open_config

async def main():
    async with open_config(dict, Memory({"n": 1})) as config:
        live = config.select("n")
        values = aiter(live)
        await anext(values)
        child = os.fork()
        if child == 0:
            told = 0
            for waits in (live.wait_changed, values.__anext__):
                try:
                    await waits()
                except WrongProcess as error:
                    told += "forked child" in str(error)
            os._exit(40 + told)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 42, done.stderr


async def selected(config):
    return config.select("n")


@pytest.mark.slow
async def test_a_waiting_subscriber_holds_little_more_than_a_task_that_waits_for_a_future():
    """Bytes each, beside those of the task: what the iterator, one coroutine and a place in line take."""
    if asyncio.get_running_loop().get_debug():
        pytest.skip("a loop in debug mode keeps the place where each future was made")
    async with open_config(App, Memory({})) as config:
        loop = asyncio.get_running_loop()

        async def follow():
            async for _ in config:
                pass

        async def wait():
            while True:
                await loop.create_future()

        bare, ours = await held_by_each(wait), await held_by_each(follow)
    assert ours - bare <= 450, f"{ours} bytes each, a task with a future {bare}"


async def held_by_each(body):
    gc.collect()
    tracemalloc.start()
    tasks = [asyncio.ensure_future(body()) for _ in range(CROWD)]
    await asyncio.sleep(0)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] / CROWD
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return round(held)
