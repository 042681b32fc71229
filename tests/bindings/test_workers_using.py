"""Workers that use the thing of a binding move to the new one, and lose no item by it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._bindings import insistent_scope
from reactive_config.bindings import bindings, rebuilt, workers
from tests.bindings.stubborn import Stubborn, until


class App(msgspec.Struct, frozen=True):
    workers: int = 2
    broker: int = 1


class Closed(Exception):
    pass


class Client:
    """A client of a broker: a queue of its own, which fails once it is closed."""

    def __init__(self, number):
        self.number, self.queue, self.closed, self.taking = number, asyncio.Queue(), False, 0

    async def take(self):
        self.taking += 1
        try:
            item = await self.queue.get()
        finally:
            self.taking -= 1
        return item


class Broker:
    """Builds clients; knows all of them, and what was handled with which."""

    def __init__(self):
        self.clients, self.handled, self.gate = {}, [], asyncio.Event()
        self.gate.set()

    async def build(self, number):
        client = self.clients.setdefault(number, Client(number))
        client.closed = False
        return client

    async def close(self, client):
        client.closed = True

    async def handle(self, item, client):
        assert not client.closed
        await self.gate.wait()
        self.handled.append((item, client.number))


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def opened(broker):
    """`async with opened(memory) as (binding, group)`."""

    class Opened:
        def __init__(self, memory, take=Client.take, drain=60.0):
            self.memory, self.take, self.drain = memory, take, drain
            self.stack = None

        async def __aenter__(self):
            self.stack = AsyncExitStack()
            config = await self.stack.enter_async_context(open_config(App, self.memory))
            it = await self.stack.enter_async_context(
                rebuilt(config.select("broker"), broker.build, close=broker.close, drain=self.drain)
            )
            group = await self.stack.enter_async_context(
                workers(config.select("workers"), broker.handle, take=self.take, using=it)
            )
            return it, group

        async def __aexit__(self, *error):
            return await self.stack.__aexit__(*error)

    return Opened


async def test_those_who_wait_move_at_once_and_the_old_thing_closes_long_before_the_drain(broker, opened, no_task_left):
    memory = Memory()
    async with opened(memory) as (it, group):
        await until(lambda: broker.clients[1].taking == 2)
        await memory.patch({"broker": 2})
        await until(lambda: 2 in broker.clients and broker.clients[2].taking == 2)
        await until(lambda: broker.clients[1].closed)
        assert (it.forced, group.running, group.forced) == (0, 2, 0)
        broker.clients[2].queue.put_nowait("a")
        await until(lambda: broker.handled == [("a", 2)])


async def test_a_busy_one_finishes_its_item_with_the_client_that_it_came_from(broker, opened, no_task_left):
    memory = Memory()
    broker.gate.clear()
    async with opened(memory) as (it, _):
        await until(lambda: broker.clients[1].taking == 2)
        broker.clients[1].queue.put_nowait("old")
        await until(lambda: broker.clients[1].taking == 1)
        await memory.patch({"broker": 2})
        await until(lambda: 2 in broker.clients and broker.clients[2].taking == 1)
        assert not broker.clients[1].closed
        broker.gate.set()
        await until(lambda: broker.clients[2].taking == 2)
        assert broker.handled == [("old", 1)]
        await until(lambda: broker.clients[1].closed)
        assert it.forced == 0


@pytest.mark.parametrize("error", [anyio.EndOfStream, StopAsyncIteration, Closed, ExceptionGroup("x", [Closed()])])
async def test_whatever_the_old_client_says_of_its_end_means_again(broker, opened, error, caplog):
    """A consumer that is closed often ends its iteration, which would end the group."""
    caplog.set_level("INFO", "reactive_config")
    memory = Memory()

    async def take(client):
        try:
            return await client.take()
        except asyncio.CancelledError:
            if client.number == 1:
                raise error from None
            raise

    async with opened(memory, take) as (_, group):
        await until(lambda: broker.clients[1].taking == 2)
        await memory.patch({"broker": 2})
        await until(lambda: 2 in broker.clients and broker.clients[2].taking == 2)
        assert group.running == 2
        broker.clients[2].queue.put_nowait("a")
        await until(lambda: broker.handled == [("a", 2)])
    assert caplog.text.count("as its thing was replaced") == 2


async def test_the_same_of_a_client_that_was_not_replaced_is_an_end_or_a_crash(broker, opened):
    async def end(client):
        raise anyio.EndOfStream

    async with opened(Memory(), end) as (_, group):
        await asyncio.wait_for(group.wait_ended(), 5)

    async def crash(client):
        raise Closed

    with pytest.raises(Closed):
        async with opened(Memory({"workers": 1}), crash):
            await asyncio.sleep(60)


async def test_no_item_is_lost_or_handled_twice_in_a_storm_of_rebuilds(broker, opened, no_task_left):
    memory, put = Memory({"workers": 5}), 0
    async with opened(memory) as (it, _):
        for number in range(2, 300):
            broker.clients[it.value].queue.put_nowait(put)
            put += 1
            await memory.patch({"broker": 1 + number % 3, "workers": 1 + number % 5})
            for _ in range(number % 30):  # enough for a move, or for a part of one
                await asyncio.sleep(0)
        for number in list(broker.clients):
            await memory.patch({"broker": number})
            await until(lambda: broker.clients[number].queue.empty())  # noqa: B023 - called at once
        await until(lambda: len(broker.handled) >= put)
        assert sorted(item for item, _ in broker.handled) == list(range(put))
        assert it.forced == 0
        assert it.changes > 20


async def test_a_take_that_swallows_one_cancellation_moves_all_the_same(broker, opened, no_task_left):
    memory, stubborn = Memory({"workers": 1}), Stubborn(swallows=1)

    async def take(client):
        if client.number == 1:
            await stubborn.wait()
        return await client.take()

    async with opened(memory, take) as (it, _):
        await until(lambda: stubborn.waits)
        await memory.patch({"broker": 2})
        await until(lambda: 2 in broker.clients and broker.clients[2].taking == 1)
        assert (stubborn.seen, it.forced) == (2, 0)


async def test_a_take_that_swallows_everything_is_left_running_and_another_worker_takes_its_place(
    broker, opened, monkeypatch, caplog
):
    monkeypatch.setattr(insistent_scope.InsistentScope.cancel, "__defaults__", (0.1,))
    memory, stubborn = Memory({"workers": 1}), Stubborn()

    async def take(client):
        if client.number == 1:
            await stubborn.wait()
        return await client.take()

    async with opened(memory, take, drain=0.2) as (_, group):
        await until(lambda: stubborn.waits)
        await memory.patch({"broker": 2})
        await until(lambda: 2 in broker.clients and broker.clients[2].taking == 1)
        assert group.abandoned == 1
        assert "a worker did not end although it was cancelled" in caplog.text
        broker.clients[2].queue.put_nowait("a")
        await until(lambda: broker.handled == [("a", 2)])
        stubborn.gate.set()


async def test_an_item_that_comes_in_the_turn_of_the_commit_is_handled_with_its_client(broker, opened):
    memory = Memory({"workers": 1})
    for _ in range(20):
        broker.handled.clear()
        broker.clients.clear()
        async with opened(memory) as (it, _):
            await until(lambda: broker.clients[it.value].taking == 1)
            old, lease = it.current, it.use()
            async with lease:
                await memory.patch({"broker": it.value + 1})
                await lease.wait_replaced()
                old.queue.put_nowait("x")  # it is being cancelled in this very turn
            await until(lambda: it.current.taking == 1)
            left = [old.queue.get_nowait() for _ in range(old.queue.qsize())]
            assert len(left) + len(broker.handled) == 1


async def test_leaving_the_binding_first_is_an_end(broker, no_task_left):
    memory = Memory()
    async with open_config(App, memory) as config:
        it = rebuilt(config.select("broker"), broker.build, close=broker.close)
        async with it, workers(config.select("workers"), broker.handle, take=Client.take, using=it) as group:
            await until(lambda: broker.clients[1].taking == 2)
            it.begin_leaving()
            await asyncio.wait_for(group.wait_ended(), 5)
        assert it.forced == 0


async def test_leaving_both_side_by_side_cuts_nothing(broker, no_task_left):
    memory = Memory()
    async with open_config(App, memory) as config:
        it = rebuilt(config.select("broker"), broker.build, close=broker.close)
        group = workers(config.select("workers"), broker.handle, take=Client.take, using=it)
        broker.gate.clear()
        async with bindings(it, group, leave_within=20):
            await until(lambda: broker.clients[1].taking == 2)
            broker.clients[1].queue.put_nowait("a")
            await until(lambda: broker.clients[1].taking == 1)
            asyncio.get_running_loop().call_later(0.05, broker.gate.set)
        assert broker.handled == [("a", 1)]
        assert (it.forced, group.forced) == (0, 0)


async def test_wrong_use_says_what_to_write(broker):
    with pytest.raises(TypeError, match=r"using: expected what rebuilt\(...\) or a pool's function gave, got Client"):
        workers(Live.constant(1), broker.handle, take=Client.take, using=Client(1))
    unopened = rebuilt(Live.constant(1), broker.build)
    with pytest.raises(RuntimeError, match="expected an open binding"):
        async with workers(Live.constant(1), broker.handle, take=Client.take, using=unopened):
            pass
