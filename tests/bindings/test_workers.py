"""A group of tasks that follows a live number: no item is lost, no item is cut short, no crash is swallowed."""

from __future__ import annotations

import asyncio
import re

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._bindings.insistent_scope import InsistentScope
from reactive_config._core.status import BindingState
from reactive_config.bindings import together, workers
from tests.bindings.stubborn import Stubborn


class App(msgspec.Struct, frozen=True):
    workers: int = 1


class Job:
    """Handles items when it is let; knows what it started, finished and never finished."""

    def __init__(self):
        self.started, self.finished, self.cut = [], [], []
        self.gates = {}

    async def handle(self, item):
        self.started.append(item)
        gate = self.gates.setdefault(item, asyncio.Event())
        try:
            await gate.wait()
        except asyncio.CancelledError:
            self.cut.append(item)
            raise
        self.finished.append(item)

    def let(self, *items):
        for item in items:
            self.gates.setdefault(item, asyncio.Event()).set()


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def job():
    return Job()


def filled(*items):
    queue = asyncio.Queue()
    for item in items:
        queue.put_nowait(item)
    return queue


async def test_a_bigger_number_starts_workers_at_once(job):
    memory, queue = Memory({"workers": 1}), filled(*range(5))
    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), job.handle, take=queue.get) as group,
    ):
        await until(lambda: job.started == [0])
        await memory.patch({"workers": 4})
        await until(lambda: job.started == [0, 1, 2, 3])
        assert group.running == 4
        job.let(*range(5))
        await until(lambda: len(job.finished) == 5)


async def test_a_smaller_number_ends_idle_workers_at_once_and_busy_ones_after_their_item(job):
    memory, queue = Memory({"workers": 3}), filled("a", "b")
    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), job.handle, take=queue.get) as group,
    ):
        await until(lambda: job.started == ["a", "b"])
        await memory.patch({"workers": 1})
        await until(lambda: group.running == 2)
        queue.put_nowait("c")
        job.let("a")
        await until(lambda: group.running == 1)
        assert job.started == ["a", "b"]
        job.let("b")
        await until(lambda: job.started == ["a", "b", "c"])
        job.let("c")
        await until(lambda: len(job.finished) == 3)
        assert job.cut == []


@pytest.mark.parametrize("size", [0, 1, 3])
async def test_busy_ones_that_finish_in_one_turn_end_no_more_than_are_too_many(job, size):
    memory, queue = Memory({"workers": 4}), filled(1, 2, 3, 4)
    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), job.handle, take=queue.get) as group,
    ):
        await until(lambda: job.started == [1, 2, 3, 4])
        await memory.patch({"workers": size})
        job.let(1, 2, 3, 4)
        await until(lambda: job.finished == [1, 2, 3, 4] and group.running <= size)
        await asyncio.sleep(0.01)
        assert group.running == size


async def test_growing_again_keeps_workers_that_were_still_finishing(job):
    memory, queue = Memory({"workers": 2}), filled("a", "b")
    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), job.handle, take=queue.get) as group,
    ):
        await until(lambda: len(job.started) == 2)
        for number in (1, 2):
            await memory.patch({"workers": number})
            await until(lambda number=number: group.value == number)
        assert group.running == 2
        job.let("a", "b", "c", "d")
        for item in ("c", "d"):
            queue.put_nowait(item)
        await until(lambda: len(job.finished) == 4)
        assert group.running == 2


async def test_zero_pauses(job):
    memory, queue = Memory({"workers": 1}), asyncio.Queue()
    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), job.handle, take=queue.get) as group,
    ):
        await memory.patch({"workers": 0})
        await until(lambda: group.running == 0)
        queue.put_nowait("a")
        await memory.patch({"workers": 1})
        await until(lambda: job.started == ["a"])
        job.let("a")
        await until(lambda: job.finished == ["a"])


@pytest.mark.parametrize("kind", ["queue", "stream"])
async def test_no_item_is_lost_or_handled_twice_while_the_number_flaps(kind):
    """Also not where a worker is dismissed in the very turn in which it gets its item."""
    memory, done, most = Memory({"workers": 3}), [], 0
    if kind == "queue":
        queue = asyncio.Queue()
        put, take = queue.put_nowait, queue.get
    else:
        send, receive = anyio.create_memory_object_stream(1000)
        put, take = send.send_nowait, receive.receive

    async def handle(item):
        await asyncio.sleep(0)
        done.append(item)

    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), handle, take=take) as group,
    ):
        for item in range(600):
            put(item)
            if item % 3 == 0:
                await memory.patch({"workers": item % 4})
            most = max(most, group.running)
        await memory.patch({"workers": 2})
        await until(lambda: len(done) == 600)
        await until(lambda: group.running == 2)
    assert sorted(done) == list(range(600))
    assert most <= 6
    if kind == "stream":
        send.close()
        receive.close()


async def test_a_crash_of_the_handler_ends_the_body_and_is_raised_unwrapped():
    queue, reached = filled("a"), False

    async def handle(item):
        raise LookupError(item)

    with pytest.raises(LookupError, match="a"):
        async with workers(Live.constant(2), handle, take=queue.get):
            await asyncio.Event().wait()
            reached = True
    assert not reached
    assert asyncio.current_task().cancelling() == 0


async def test_a_crash_cancels_the_other_workers_and_a_bigger_number_after_it_starts_nobody(job):
    memory, queue, patched = Memory({"workers": 2}), filled("a", "bad"), []

    async def handle(item):
        if item == "bad":
            await until(lambda: job.started == ["a"])
            raise LookupError(item)
        try:
            await job.handle(item)
        finally:  # a clean-up that takes its time
            await memory.patch({"workers": 9})
            await until(lambda: group.value == 9)
            patched.append(group.running)

    async with open_config(App, memory) as config:
        with pytest.raises(LookupError, match="bad"):
            async with workers(config.select("workers"), handle, take=queue.get) as group:
                await asyncio.Event().wait()
        assert (job.cut, patched) == (["a"], [1])
        assert config.status().bindings == ()


async def test_a_crash_while_leaving_is_raised_too(job):
    queue = filled("a")

    async def handle(item):
        await job.handle(item)
        raise LookupError(item)

    with pytest.raises(LookupError):
        async with workers(Live.constant(1), handle, take=queue.get):
            await until(lambda: job.started == ["a"])
            asyncio.get_running_loop().call_soon(job.let, "a")
    assert asyncio.current_task().cancelling() == 0


async def test_an_exception_of_the_body_leaves_unwrapped_after_items_under_way_are_finished(job):
    queue = filled("a")
    with pytest.raises(KeyError):
        async with workers(Live.constant(1), job.handle, take=queue.get):
            await until(lambda: job.started == ["a"])
            job.let("a")
            raise KeyError
    assert job.finished == ["a"]


async def test_leaving_waits_for_items_under_way_no_longer_than_the_drain_and_counts_those_cut(job):
    queue = filled("a")
    async with workers(Live.constant(3), job.handle, take=queue.get, drain=0.01) as group:
        await until(lambda: job.started == ["a"])
    assert job.cut == ["a"]
    assert (group.running, group.forced) == (0, 1)


async def test_leaving_idle_workers_takes_no_time(job):
    with anyio.fail_after(2):
        async with workers(Live.constant(100), job.handle, take=asyncio.Queue().get, drain=60) as group:
            await until(lambda: group.running == 100)
    assert (group.running, group.forced) == (0, 0)


async def test_an_end_of_the_items_is_no_crash_and_can_be_waited_for(job):
    send, receive = anyio.create_memory_object_stream(10)
    with send, receive:
        async with workers(Live.constant(2), job.handle, take=receive.receive) as group:
            for item in range(4):
                await send.send(item)
            send.close()
            job.let(*range(4))
            await group.wait_ended()
            assert sorted(job.finished) == [0, 1, 2, 3]
            assert group.running == 0


async def test_a_number_that_is_none_keeps_the_group_and_shows_in_the_status(job):
    memory, queue = Memory({"workers": 2}), asyncio.Queue()
    async with (
        open_config(App, memory) as config,
        workers(config.select("workers"), job.handle, take=queue.get) as group,
    ):
        await memory.patch({"workers": -1})
        await until(lambda: group.failures)
        status = config.status().bindings[0]
        assert (status.name, status.state) == ("workers(select(workers))", BindingState.REFUSED)
        assert group.running == 2


async def test_a_first_number_that_is_none_fails_loudly_and_leaves_no_task(job):
    before = asyncio.all_tasks()
    with pytest.raises(ValueError, match="expected a whole number"):
        async with workers(Live.constant(-1), job.handle, take=asyncio.Queue().get):
            pass
    assert asyncio.all_tasks() == before


async def test_together_refuses_it(job):
    with pytest.raises(TypeError, match="an `async with` of its own"):
        async with together(workers(Live.constant(1), job.handle, take=asyncio.Queue().get)):
            pass


def test_the_drain_is_checked(job):
    with pytest.raises(ValueError, match="expected seconds"):
        workers(Live.constant(1), job.handle, take=job.handle, drain=-1)


async def test_a_dismissed_worker_that_cannot_be_ended_is_no_crash(monkeypatch, caplog):
    monkeypatch.setattr(InsistentScope.cancel, "__defaults__", (0.1,))
    memory, stubborn, handled = Memory({"workers": 1}), Stubborn(), []

    async def take():
        await stubborn.wait()
        raise anyio.EndOfStream

    async def handle(item):
        handled.append(item)

    async with open_config(App, memory) as config, workers(config.select("workers"), handle, take=take) as group:
        await until(lambda: stubborn.waits)
        await memory.patch({"workers": 0})
        await until(lambda: group.abandoned == 1)
        await until(lambda: group.running == 0)
        (seconds,) = re.findall(r"a worker did not end although it was cancelled for (\S+) s", caplog.text)
        assert 0.1 <= float(seconds) < 60
        await memory.patch({"workers": 2})
        await until(lambda: group.running == 2)
        stubborn.gate.set()
        await group.wait_ended()
