"""`bindings(...)`, and bindings of the program's own kind: none holds up or breaks the others."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from reactive_config import Live, Memory, open_config
from reactive_config.bindings import Binding, bindings, rebuilt, together, workers
from reactive_config.errors import StrayCancellation
from tests.bindings.stubborn import App, Stubborn, Within, stray, until


async def test_independent_bindings_are_released_side_by_side(shop):
    both = asyncio.Barrier(2)

    async def close(thing):
        await both.wait()  # passes only if the other one closes at the same time
        await shop.close(thing)

    def follow(index):
        async def build(size):
            return await shop.build((index, size))

        return rebuilt(Live.constant(1), build, close=close)

    async with bindings(follow(0), follow(1)) as (first, second):
        assert (first.current, second.current) == ((0, 1), (1, 1))
    assert sorted(shop.closed) == [(0, 1), (1, 1)]


@pytest.mark.slow
async def test_all_of_them_are_left_within_one_limit(shop):
    """Users who never finish, a closer that swallows everything, and one that is quick."""
    stubborn = Stubborn()

    async def close(thing):
        await stubborn.wait()

    hanging = rebuilt(Live.constant(1), shop.build, close=close, drain=60)
    used = rebuilt(Live.constant(2), shop.build, close=shop.close, drain=60)
    busy = workers(Live.constant(1), lambda item: stubborn.wait(), take=lambda: asyncio.sleep(0), drain=60)
    with Within(1):
        async with bindings(hanging, together(used), busy, leave_within=1):
            await used.use().__aenter__()
    assert shop.closed == [2]
    assert (used.forced, hanging.status().abandoned, busy.status().abandoned) == (1, 1, 1)
    stubborn.gate.set()


async def test_a_member_that_cannot_be_entered_leaves_the_others_closed(shop):
    async def build(size):
        raise ConnectionError("canary")

    with pytest.raises(ConnectionError):
        async with bindings(rebuilt(Live.constant(1), shop.build, close=shop.close), rebuilt(Live.constant(2), build)):
            pass
    assert shop.closed == [1]


async def test_a_crash_of_one_member_ends_the_body_and_is_raised(shop):
    async def handle(item):
        raise LookupError(item)

    with pytest.raises(LookupError):
        async with bindings(
            workers(Live.constant(1), handle, take=lambda: asyncio.sleep(0, "a")),
            rebuilt(Live.constant(1), shop.build, close=shop.close),
        ):
            await asyncio.sleep(60)
    assert shop.closed == [1]
    assert asyncio.current_task().cancelling() == 0


def test_bindings_takes_bindings_and_a_time_only():
    with pytest.raises(TypeError, match="expected bindings that were not entered, got int"):
        bindings(1)
    for bad in (0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="expected seconds above 0, got"):
            bindings(leave_within=bad)


class Own(Binding[int]):
    """Its methods do what they are told to."""

    def __init__(self, live, **does):
        super().__init__(live, deadline=0.2)
        self.does, self.calls = does, []

    async def _do(self, what):
        self.calls.append(what)
        if what in self.does:
            await self.does[what]()

    async def prepare(self, value):
        await self._do("prepare")

    def commit(self):
        self.calls.append("commit")

    async def abort(self):
        await self._do("abort")

    async def settle(self):
        await self._do("settle")

    async def release(self):
        await self._do("release")


@pytest.mark.slow
@pytest.mark.half_grid
@pytest.mark.parametrize("where", ["settle", "release"])
@pytest.mark.parametrize("how", ["swallows", "stray"])
async def test_a_binding_of_ones_own_cannot_hold_up_leaving_or_break_the_others(shop, where, how):
    stubborn = Stubborn()
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        own = Own(config.select("size"), **{where: stubborn.wait if how == "swallows" else stray})
        with Within(own.leave_within), suppress(StrayCancellation if where == "release" else ()):
            async with bindings(rebuilt(config.select("size"), shop.build, close=shop.close), own):
                await memory.patch({"size": 2})
                await until(lambda: own.value == 2)
    assert own.calls == ["prepare", "commit", "prepare", "commit", "settle", "release"]
    assert shop.open == []
    assert own.status().abandoned == (how == "swallows")
    stubborn.gate.set()


async def test_a_prepare_of_ones_own_that_swallows_its_cancellation_and_works_is_aborted():
    stubborn = Stubborn(swallows=1)

    async def slow():
        if own.calls.count("prepare") == 2:
            await stubborn.wait()

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        own = Own(config.select("size"), prepare=slow)
        own.deadline = 30
        async with own:
            await memory.patch({"size": 2})
            await until(lambda: own.calls.count("prepare") == 2)
            stubborn.gate.set()
            await memory.patch({"size": 3})
            await until(lambda: own.value == 3)
    assert own.calls in (
        ["prepare", "commit", "prepare", "abort", "prepare", "commit", "settle", "release"],
        ["prepare", "commit", "prepare", "commit", "settle", "prepare", "commit", "settle", "release"],
    )


async def test_a_loop_that_begins_tasks_at_once_changes_nothing(shop, eager_tasks):
    memory, handled = Memory({"size": 1}), []
    async with open_config(App, memory) as config:
        queue = asyncio.Queue()

        async def handle(item):
            handled.append(item)

        async with bindings(
            rebuilt(config.select("size"), shop.build, close=shop.close),
            workers(config.select("port"), handle, take=queue.get),
            Own(config.select("size")),
        ) as (binding, *_):
            await memory.patch({"size": 2})
            queue.put_nowait("a")
            await until(lambda: binding.value == 2 and handled == ["a"])
    assert shop.closed == [1, 2]


async def test_together_takes_different_bindings_that_were_not_entered(shop):
    one = rebuilt(Live.constant(1), shop.build, close=shop.close)
    with pytest.raises(TypeError, match="together: expected bindings that were not entered, got int"):
        together(3)
    with pytest.raises(ValueError, match="expected different bindings"):
        together(one, one)
    async with one:
        with pytest.raises(RuntimeError, match="got one that was entered before"):
            async with together(one):
                pass
        assert one.current == 1
    with pytest.raises(RuntimeError, match="to be entered before it is left"):
        await rebuilt(Live.constant(1), shop.build).__aexit__(None, None, None)


async def test_one_use_cannot_be_entered_inside_itself(shop):
    async with rebuilt(Live.constant(1), shop.build, close=shop.close) as binding:
        use = binding.use()
        async with use:
            with pytest.raises(RuntimeError, match="expected a use"):
                await use.__aenter__()
        async with use as thing:  # one after the other is fine
            assert thing == 1
    assert shop.closed == [1]
