"""Resizing in place: what it is allowed to do, and what happens when it is cut off."""

from __future__ import annotations

import asyncio

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import rebuilt, together
from reactive_config.bindings.pools import live_pool


class App(msgspec.Struct, frozen=True):
    size: int = 1
    port: int = 1


class Pool:
    """Has a size, and a moment in a resize at which it has no right one."""

    def __init__(self, size):
        self.size = size
        self.open = True


class Works:
    """Opens, resizes and closes pools; does wrong, or waits, for the sizes that it is told."""

    def __init__(self):
        self.pools, self.resizes = [], []
        self.bad_opens, self.bad_resizes, self.refused, self.slow = set(), set(), set(), set()
        self.gate = asyncio.Event()

    async def open(self, size):
        await asyncio.sleep(0)
        if size in self.bad_opens:
            raise ConnectionError("canary")
        self.pools.append(Pool(size))
        return self.pools[-1]

    async def resize(self, pool, before, after):
        assert pool.open
        assert pool.size == before, "told another size than the pool has"
        self.resizes.append((before, after))
        if after in self.refused:
            return False
        pool.size = None
        await asyncio.sleep(0)
        if after in self.bad_resizes:
            raise ConnectionError("canary")
        if after in self.slow:
            await self.gate.wait()
        pool.size = after
        return True

    async def close(self, pool):
        assert pool.open, "closed twice"
        pool.open = False

    def follow(self, live, **settings):
        return live_pool(live, open=self.open, close=self.close, resize=self.resize, **settings)


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
async def works():
    works = Works()
    yield works
    assert not [pool for pool in works.pools if pool.open]


async def test_a_pool_that_can_be_resized_is_not_rebuilt(works):
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size")) as binding:
        async with binding.use() as pool:
            await memory.patch({"size": 2})
            await until(lambda: binding.value == 2)
            assert (pool.size, binding.current) == (2, pool)
        await until(lambda: config.status().bindings[0].state is BindingState.IN_FORCE)
        assert config.status().bindings[0].changes == 2
    assert len(works.pools) == 1


async def test_a_resize_that_says_no_leads_to_a_rebuild_and_later_ones_are_asked_again(works):
    works.refused.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size")) as binding:
        for size in (2, 3):
            await memory.patch({"size": size})
            await until(lambda size=size: binding.value == size)
        assert [pool.size for pool in works.pools] == [1, 3]
    assert works.resizes == [(1, 2), (2, 3)]


async def test_a_resize_that_raises_leads_to_a_rebuild(works, caplog):
    works.bad_resizes.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size")) as binding:
        await memory.patch({"size": 2})
        await until(lambda: binding.value == 2)
        assert binding.current.size == 2
        await memory.patch({"size": 3})  # the rebuilt one may be resized again
        await until(lambda: binding.value == 3)
    assert len(works.pools) == 2
    assert "resizing raised ConnectionError" in caplog.text
    assert "canary" not in caplog.text


async def test_a_pool_whose_resize_failed_is_replaced_even_for_the_value_in_force(works):
    works.bad_resizes.add(2)
    works.bad_opens.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size")) as binding:
        await memory.patch({"size": 2})
        await until(lambda: binding.failures)
        assert binding.value == 1
        await memory.patch({"size": 1})
        await until(lambda: len(works.pools) == 2 and binding.current is works.pools[1])
        assert (binding.value, binding.current.size) == (1, 1)
    assert works.resizes == [(1, 2)]


@pytest.mark.parametrize("newer", [3, 1], ids=["another value", "the value in force"])
async def test_a_newer_value_cuts_a_resize_off_and_the_pool_is_replaced(works, newer):
    works.slow.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size")) as binding:
        await memory.patch({"size": 2})
        await until(lambda: works.resizes == [(1, 2)])
        await memory.patch({"size": newer})
        await until(lambda: len(works.pools) == 2 and binding.current is works.pools[1])
        assert (binding.value, binding.current.size) == (newer, newer)
        await until(lambda: not works.pools[0].open)
    assert works.resizes == [(1, 2)]


async def test_a_value_that_comes_back_just_when_a_resize_is_done_is_resized_back(works):
    """The resize has happened, so what comes next starts from there: the pool never stays at what nobody asked for."""
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        live = config.select("size")
        newer = []

        async def resize(pool, before, after):
            if not newer:  # the newer value comes in the same turn in which the resize ends
                newer.append(asyncio.create_task(memory.patch({"size": 1})))
                await live.wait_changed()
            pool.size = after
            works.resizes.append((before, after))
            return True

        async with live_pool(live, open=works.open, close=works.close, resize=resize) as binding:
            await memory.patch({"size": 2})
            await until(lambda: works.resizes == [(1, 2), (2, 1)])
            await until(lambda: binding.status().state is BindingState.IN_FORCE)
            assert (binding.value, binding.current.size) == (1, 1)
            await newer[0]
    assert len(works.pools) == 1


async def test_a_resize_that_hangs_is_ended_by_the_deadline_and_the_pool_replaced(works):
    works.slow.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size"), deadline=0.05) as binding:
        await memory.patch({"size": 2})
        await until(lambda: binding.value == 2)
        assert (len(works.pools), binding.failures, binding.current.size) == (2, 1, 2)


async def test_leaving_in_the_middle_of_a_resize_closes_the_pool(works):
    works.slow.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, works.follow(config.select("size")):
        await memory.patch({"size": 2})
        await until(lambda: works.resizes)


async def test_a_member_of_a_group_is_never_resized(works):
    """It could not be taken back if another member failed."""
    others = Works()
    others.bad_opens.add(2)
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        sizes = works.follow(config.select("size"))
        ports = rebuilt(config.select("port"), others.open, close=others.close)
        async with together(sizes, ports):
            await memory.patch({"size": 2, "port": 2})
            await until(lambda: ports.failures)
            assert (sizes.value, sizes.current.size) == (1, 1)
            others.bad_opens.clear()
            await until(lambda: sizes.value == 2)
    assert works.resizes == []


async def test_a_group_of_one_is_resized(works):
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        sizes = works.follow(config.select("size"))
        async with together(sizes):
            await memory.patch({"size": 2})
            await until(lambda: sizes.value == 2)
    assert works.resizes == [(1, 2)]


async def test_a_storm_of_resizes_ends_on_the_last_and_tells_the_truth_all_along(works):
    memory = Memory({"size": 0})
    works.bad_resizes |= {n for n in range(1000) if n % 7 == 0}
    works.refused |= {n for n in range(1000) if n % 5 == 0}
    async with open_config(App, memory) as config, works.follow(config.select("size")) as binding:
        for size in range(1, 1001):
            await memory.patch({"size": size})
            if size % 10 == 0:
                await until(lambda size=size: binding.value == size)
                assert binding.current.size == size
        await until(lambda: [pool.size for pool in works.pools if pool.open] == [1000])


async def test_the_first_open_fails_loudly(works):
    works.bad_opens.add(1)
    with pytest.raises(ConnectionError):
        async with works.follow(Live.constant(1)):
            pass
