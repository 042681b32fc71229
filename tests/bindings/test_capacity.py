"""A concurrency limit that follows a live number: at once upwards, patiently downwards."""

from __future__ import annotations

import asyncio

import anyio
import anyio.to_thread
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import capacity, rebuilt, together


class App(msgspec.Struct, frozen=True):
    limit: int | None = 1
    port: int = 1


class Crowd:
    """Tasks that come in where the limiter lets them, and leave when told."""

    def __init__(self, group, limiter):
        self.limiter = limiter
        self.inside, self.entered, self.most = [], 0, 0
        self.group = group

    def come(self, count):
        for _ in range(count):
            self.group.create_task(self._visit())

    async def _visit(self):
        async with self.limiter:
            leave = asyncio.Event()
            self.inside.append(leave)
            self.entered += 1
            self.most = max(self.most, len(self.inside))
            await leave.wait()
            self.inside.remove(leave)

    def send_home(self, count):
        for leave in self.inside[:count]:
            leave.set()


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


async def test_more_tokens_go_at_once_to_those_who_wait():
    memory = Memory({"limit": 2})
    async with (
        open_config(App, memory) as config,
        capacity(config.select("limit")) as limit,
        asyncio.TaskGroup() as group,
    ):
        crowd = Crowd(group, limit.limiter)
        crowd.come(5)
        await until(lambda: crowd.entered == 2)
        assert limit.limiter.statistics().tasks_waiting == 3
        await memory.patch({"limit": 4})
        await until(lambda: crowd.entered == 4)
        assert limit.limiter.statistics().tasks_waiting == 1
        await memory.patch({"limit": 5})
        await until(lambda: crowd.entered == 5)
        crowd.send_home(5)


async def test_with_fewer_tokens_holders_finish_and_nobody_comes_in_before_enough_are_back():
    memory = Memory({"limit": 3})
    async with (
        open_config(App, memory) as config,
        capacity(config.select("limit")) as limit,
        asyncio.TaskGroup() as group,
    ):
        crowd = Crowd(group, limit.limiter)
        crowd.come(4)
        await until(lambda: crowd.entered == 3)
        await memory.patch({"limit": 1})
        await until(lambda: limit.value == 1)
        crowd.send_home(2)
        await until(lambda: len(crowd.inside) == 1)
        assert crowd.entered == 3
        crowd.send_home(1)
        await until(lambda: crowd.entered == 4)
        crowd.send_home(1)


async def test_growing_again_while_too_many_hold_a_token_lets_no_more_in_than_the_limit():
    memory = Memory({"limit": 4})
    async with (
        open_config(App, memory) as config,
        capacity(config.select("limit")) as limit,
        asyncio.TaskGroup() as group,
    ):
        crowd = Crowd(group, limit.limiter)
        crowd.come(6)
        await until(lambda: crowd.entered == 4)
        for size in (1, 3):
            await memory.patch({"limit": size})
            await until(lambda size=size: limit.value == size)
        assert (crowd.entered, crowd.most) == (4, 4)
        crowd.send_home(2)
        await until(lambda: crowd.entered == 5)
        assert len(crowd.inside) == 3
        crowd.send_home(3)
        await until(lambda: crowd.entered == 6)
        crowd.send_home(1)


async def test_none_is_no_limit_and_zero_lets_nobody_in_until_it_grows():
    memory = Memory({"limit": None})
    async with (
        open_config(App, memory) as config,
        capacity(config.select("limit")) as limit,
        asyncio.TaskGroup() as group,
    ):
        crowd = Crowd(group, limit.limiter)
        crowd.come(50)
        await until(lambda: crowd.entered == 50)
        crowd.send_home(50)
        await until(lambda: not crowd.inside)
        await memory.patch({"limit": 0})
        await until(lambda: limit.value == 0)
        crowd.come(1)
        await until(lambda: limit.limiter.statistics().tasks_waiting == 1)
        assert not crowd.inside
        await memory.patch({"limit": 1})
        await until(lambda: crowd.inside)
        crowd.send_home(1)


async def test_a_number_that_is_none_keeps_the_limit_and_shows_in_the_status():
    memory = Memory({"limit": 2})
    async with open_config(App, memory) as config, capacity(config.select("limit")) as limit:
        await memory.patch({"limit": -1})
        await until(lambda: limit.failures)
        status = config.status().bindings[0]
        assert (status.name, status.state) == ("capacity(select(limit))", BindingState.REFUSED)
        assert limit.limiter.total_tokens == 2
        await memory.patch({"limit": 3})
        await until(lambda: config.status().bindings[0].state is BindingState.IN_FORCE)
        assert limit.limiter.total_tokens == 3


@pytest.mark.parametrize("bad", [-1, 1.5, True, "3"])
async def test_a_first_number_that_is_none_fails_loudly(bad):
    with pytest.raises(ValueError, match="expected a whole number"):
        async with capacity(Live.constant(bad)):
            pass


async def test_a_limiter_that_was_given_is_steered_and_has_its_number_back_at_the_end():
    threads = anyio.to_thread.current_default_thread_limiter()
    before = threads.total_tokens
    async with capacity(Live.constant(3), limiter=threads) as limit:
        assert limit.limiter is threads
        assert threads.total_tokens == 3
        assert await anyio.to_thread.run_sync(lambda: 7) == 7
    assert threads.total_tokens == before


async def test_it_changes_together_with_others_or_not_at_all():
    memory = Memory({"limit": 1, "port": 1})
    broken = {2}

    async def build(port):
        if port in broken:
            raise ConnectionError
        return port

    async with open_config(App, memory) as config:
        limit, thing = capacity(config.select("limit")), rebuilt(config.select("port"), build)
        async with together(limit, thing):
            await memory.patch({"limit": 2, "port": 2})
            await until(lambda: thing.failures)
            assert limit.limiter.total_tokens == 1
            broken.clear()
            await until(lambda: limit.limiter.total_tokens == 2)
            assert thing.current == 2


async def test_the_limiter_is_not_there_before_the_context():
    with pytest.raises(RuntimeError, match="expected an open binding"):
        _ = capacity(Live.constant(1)).limiter
