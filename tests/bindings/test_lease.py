"""A lease learns that its thing is being replaced, at the commit of the newer one and when leaving begins."""

from __future__ import annotations

import asyncio

import pytest

from reactive_config import InvalidValue, Memory, open_config
from reactive_config.bindings import Lease, bindings, live_pool, rebuilt, together
from tests.bindings.stubborn import App, until


async def test_it_is_told_at_the_commit_and_the_new_thing_is_there(shop, no_task_left):
    memory, seen = Memory(), []
    async with open_config(App, memory) as config, rebuilt(config.select("size"), shop.build, close=shop.close) as it:
        lease = it.use()
        assert isinstance(lease, Lease)

        async def consume():
            async with lease as thing:
                assert not lease.replaced
                await lease.wait_replaced()
                seen.append((thing, lease.replaced, it.current, list(shop.open)))

        async with asyncio.TaskGroup() as group:
            group.create_task(consume())
            await asyncio.sleep(0)
            await memory.patch({"size": 2})
        assert seen == [(1, True, 2, [1, 2])]  # the old one is open still
        assert lease.replaced  # also after the block
        await lease.wait_replaced()
        async with lease as thing:  # it may be taken anew
            assert (thing, lease.replaced) == (2, False)


async def test_a_build_that_fails_or_is_refused_tells_nobody(shop):
    memory, tried = Memory(), []

    async def build(size):
        tried.append(size)
        if size == 2:
            raise InvalidValue("not two")
        if size == 3:
            raise OSError
        return await shop.build(size)

    async with open_config(App, memory) as config, rebuilt(config.select("size"), build, close=shop.close) as it:
        lease = it.use()
        async with lease:
            for size in (2, 3):
                await memory.patch({"size": size})
                await until(lambda: it.status().error)
                assert not lease.replaced
            await memory.patch({"size": 1})
            await until(lambda: not it.status().error)
            assert not lease.replaced
            assert set(tried) == {1, 2, 3}


async def test_a_pool_that_is_resized_in_place_is_not_replaced(shop):
    memory, resized = Memory(), []

    async def resize(thing, old, new):
        resized.append((old, new))
        return True

    async with (
        open_config(App, memory) as config,
        live_pool(config.select("size"), open=shop.build, close=shop.close, resize=resize) as pool,
    ):
        lease = pool.use()
        async with lease:
            await memory.patch({"size": 2})
            await until(lambda: pool.value == 2)
            assert resized == [(1, 2)]
            assert not lease.replaced


@pytest.mark.parametrize("how", ["leaving", "bindings", "together"])
async def test_it_is_told_when_leaving_begins(how, shop, no_task_left):
    memory, told = Memory(), []

    async def consume(it):
        lease = it.use()
        async with lease as thing:
            await lease.wait_replaced()
            assert shop.open == [thing]
            told.append(thing)

    async with open_config(App, memory) as config:
        it = rebuilt(config.select("size"), shop.build, close=shop.close)
        around = {"leaving": lambda x: x, "bindings": bindings, "together": together}[how](it)
        async with around:
            consuming = asyncio.create_task(consume(it))
            await asyncio.sleep(0)
        await consuming
        assert (told, shop.open, it.forced) == ([1], [], 0)


async def test_members_of_together_are_told_only_if_all_of_them_change(shop):
    memory = Memory()

    async def fails(port):
        if port == 2:
            raise OSError
        return port

    async with open_config(App, memory) as config:
        size, port = rebuilt(config.select("size"), shop.build, close=shop.close), rebuilt(config.select("port"), fails)
        async with together(size, port):
            lease = size.use()
            async with lease:
                await memory.patch({"size": 2, "port": 2})
                await until(lambda: port.status().error)
                assert not lease.replaced
                await memory.patch({"port": 3})
                await asyncio.wait_for(lease.wait_replaced(), 5)


async def test_many_wait_and_one_who_is_cancelled_disturbs_nobody(shop):
    memory = Memory()
    async with open_config(App, memory) as config, rebuilt(config.select("size"), shop.build, close=shop.close) as it:

        async def consume():
            lease = it.use()
            async with lease:
                await lease.wait_replaced()

        waiting = [asyncio.create_task(consume()) for _ in range(100)]
        await asyncio.sleep(0)
        waiting[50].cancel()
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) <= 1
        await memory.patch({"size": 2})
        await asyncio.wait(waiting, timeout=5)
        assert [task.cancelled() for task in waiting].count(True) == 1
        assert all(task.done() for task in waiting)
        assert it.forced == 0


async def test_a_storm_of_rebuilds_closes_nothing_under_users_who_listen(shop, no_task_left):
    memory, seen = Memory(), set()
    async with open_config(App, memory) as config:
        it = rebuilt(config.select("size"), shop.build, close=shop.close, drain=60)
        async with it:

            async def consume():
                while it.current != 500:
                    lease = it.use()
                    async with lease as thing:
                        seen.add(thing)
                        await lease.wait_replaced()
                        assert thing in shop.open

            consumers = [asyncio.create_task(consume()) for _ in range(10)]
            for size in range(2, 501):
                await memory.patch({"size": size})
                for _ in range(size % 30):  # enough for a rebuild, or for a part of one
                    await asyncio.sleep(0)
            await until(lambda: it.value == 500)
            await asyncio.wait_for(asyncio.gather(*consumers), 20)
        assert it.forced == 0
        assert it.changes > 10
        assert shop.open == []


async def test_a_lease_that_was_never_entered_says_what_to_write(shop):
    async with open_config(App, Memory()) as config, rebuilt(config.select("size"), shop.build, close=shop.close) as it:
        lease = it.use()
        with pytest.raises(RuntimeError, match="`async with lease as thing`"):
            _ = lease.replaced
        with pytest.raises(RuntimeError, match="`async with lease as thing`"):
            await lease.wait_replaced()


async def test_nothing_is_called_after_the_block_that_waited_for_it(shop):
    async with open_config(App, Memory()) as config, rebuilt(config.select("size"), shop.build, close=shop.close) as it:
        calls, lease = [], it.use()
        async with lease:
            with lease.when_replaced(lambda: calls.append("inside")):
                with lease.when_replaced(lambda: calls.append("left")):
                    it.begin_leaving()
                await asyncio.sleep(0)
        assert calls == ["inside"]
