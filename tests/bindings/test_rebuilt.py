"""Make before break: what users of a rebuilt thing are promised, with things that tell on misuse."""

from __future__ import annotations

import asyncio
import logging
import math

import anyio
import msgspec
import pytest

from reactive_config import Closed, Live, Memory, Secret, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings import rebuilt, together


class App(msgspec.Struct, frozen=True):
    size: int = 1
    port: int = 1
    token: Secret[str] = Secret("canary")


class Thing:
    """Knows its size, and whether somebody uses it after its end."""

    def __init__(self, size):
        self.size = size
        self.open = True

    def work(self):
        assert self.open, "used after it was closed"
        return self.size


class Workshop:
    """Builds and closes things; fails for the sizes it is told to, and waits where it is told to."""

    def __init__(self):
        self.built, self.closed, self.cancelled = [], [], []
        self.bad, self.slow = set(), set()
        self.gate = asyncio.Event()

    async def build(self, size):
        await asyncio.sleep(0)
        if size in self.bad:
            raise ConnectionError("canary: the password is in here")
        if size in self.slow:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append(size)
                raise
        thing = Thing(size)
        self.built.append(thing)
        return thing

    async def close(self, thing):
        assert thing.open, "closed twice"
        thing.open = False
        self.closed.append(thing.size)

    @property
    def alive(self):
        return [thing.size for thing in self.built if thing.open]


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def shop():
    return Workshop()


async def test_a_new_value_builds_swaps_and_closes_in_that_order(shop):
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        async with rebuilt(config.select("size"), shop.build, close=shop.close) as binding:
            assert (binding.value, binding.current.size) == (1, 1)
            await memory.patch({"size": 2})
            await until(lambda: shop.closed == [1])
            assert (binding.value, binding.current.size) == (2, 2)
            assert config.status().bindings[0].changes == 2
        assert shop.alive == []
        assert config.status().bindings == ()


async def test_users_of_the_old_one_finish_before_it_closes(shop):
    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        async with binding.use() as old:
            await memory.patch({"size": 2})
            await until(lambda: binding.value == 2)
            async with binding.use() as new:
                assert (old.work(), new.work()) == (1, 2)
            assert config.status().bindings[0].state is BindingState.DRAINING
            assert shop.closed == []
        await until(lambda: shop.closed == [1])


async def test_the_drain_closes_the_old_one_under_its_users_and_counts_it(shop, caplog):
    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close, drain=0.01) as binding,
    ):
        async with binding.use():
            await memory.patch({"size": 2})
            await until(lambda: shop.closed == [1])
        assert config.status().bindings[0].forced == 1
        assert "closed under 1 user, who took longer than the drain" in caplog.text


async def test_the_first_build_fails_loudly(shop):
    shop.bad.add(1)
    with pytest.raises(ConnectionError, match="canary"):
        async with rebuilt(Live.constant(1), shop.build):
            pass


async def test_a_failed_build_keeps_the_old_one_says_so_and_is_tried_until_it_works(shop, caplog):
    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        shop.bad.add(2)
        with caplog.at_level(logging.WARNING, "reactive_config"):
            await memory.patch({"size": 2})
            await until(lambda: binding.failures >= 2)
        status = config.status().bindings[0]
        assert (status.state, status.error) == (
            BindingState.RETRYING,
            "the new one could not be made: ConnectionError",
        )
        assert "canary" not in caplog.text + repr(config.status())
        assert binding.current.work() == 1
        shop.bad.clear()
        await until(lambda: binding.value == 2)
        assert config.status().bindings[0].error == ""


async def test_a_newer_value_supersedes_one_that_fails(shop):
    memory = Memory({"size": 1})
    shop.bad.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        await memory.patch({"size": 2})
        await until(lambda: binding.failures)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)
    assert [t.size for t in shop.built] == [1, 3]


async def test_a_newer_value_cancels_a_build_under_way(shop):
    memory = Memory({"size": 1})
    shop.slow.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        await memory.patch({"size": 2})
        await until(lambda: binding.status().state is BindingState.PREPARING)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)
    assert shop.cancelled == [2]
    assert shop.alive == []


async def test_a_build_that_hangs_is_ended_by_the_deadline(shop):
    memory = Memory({"size": 1})
    shop.slow.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close, deadline=0.01) as binding,
    ):
        await memory.patch({"size": 2})
        await until(lambda: binding.failures)
        assert "TimeoutError" in config.status().bindings[0].error
        assert binding.current.work() == 1


async def test_a_thing_that_does_not_pass_its_check_is_closed_and_never_used(shop):
    async def check(thing):
        if thing.size == 2:
            raise ValueError("no answer")

    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close, check=check) as binding,
    ):
        await memory.patch({"size": 2})
        await until(lambda: binding.failures)
        assert shop.closed[0] == 2
        assert binding.current.work() == 1


async def test_a_close_that_fails_hurts_nobody(shop, caplog):
    async def close(thing):
        await shop.close(thing)
        raise OSError("canary")

    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=close) as binding,
    ):
        for size in (2, 3):
            await memory.patch({"size": size})
            await until(lambda size=size: binding.value == size)
    assert "raised OSError" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.slow
@pytest.mark.half_grid
async def test_a_thousand_rebuilds_under_64_users_fail_no_use(shop):
    memory = Memory({"size": 0})
    uses = 0

    async def user(binding, stop):
        nonlocal uses
        while not stop.is_set():
            async with binding.use() as thing:
                thing.work()
                await asyncio.sleep(0)
                thing.work()
            uses += 1

    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(64):
                group.create_task(user(binding, stop))
            for size in range(1, 1001):
                await memory.patch({"size": size})
                await until(lambda size=size: binding.value == size)
                assert len(shop.alive) <= 2
            stop.set()
    assert len(shop.built) == 1001
    assert shop.alive == []
    assert uses > 1000


async def test_a_storm_ends_on_the_last_with_few_rebuilds(shop):
    async def build(size):
        for _ in range(20):  # turns of the loop, more than a change takes
            await asyncio.sleep(0)
        return await shop.build(size)

    memory = Memory({"size": 0})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), build, close=shop.close) as binding,
    ):
        for size in range(1, 1001):
            await memory.patch({"size": size})
        await until(lambda: binding.value == 1000)
        await until(lambda: shop.alive == [1000])
    assert len(shop.built) < 10


async def test_a_thing_that_waits_for_nothing_is_in_use_and_the_old_one_closed_a_few_turns_after_the_change():
    """A binding is one task, and each of its things another one, which ends with the thing."""
    closed = []

    async def build(size):
        return size

    async def close(size):
        closed.append(size)

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        tasks = len(asyncio.all_tasks())
        async with rebuilt(config.select("size"), build, close=close) as binding:
            for size in (2, 3):
                await memory.patch({"size": size})
                for _ in range(8):
                    await asyncio.sleep(0)
                assert (binding.value, binding.current) == (size, size)
                assert closed[-1] == size - 1
                await until(lambda: len(asyncio.all_tasks()) == tasks + 2)
        assert len(asyncio.all_tasks()) == tasks


async def test_a_change_during_the_first_build_is_followed(shop):
    memory = Memory({"size": 1})
    shop.slow.add(1)
    async with open_config(App, memory) as config:
        binding = rebuilt(config.select("size"), shop.build, close=shop.close)
        entering = asyncio.ensure_future(binding.__aenter__())
        await asyncio.sleep(0)
        await memory.patch({"size": 2})
        shop.gate.set()
        await entering
        await until(lambda: binding.value == 2)
        await until(lambda: shop.alive == [2])
        await binding.__aexit__(None, None, None)
    assert shop.alive == []


async def test_a_thing_done_in_the_turn_of_a_newer_value_is_closed_and_never_used(shop):
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        live = config.select("size")

        async def build(size):
            if size == 2:
                await live.wait_changed()  # woken in the very turn of the newer value
            thing = Thing(size)
            shop.built.append(thing)
            return thing

        async with rebuilt(live, build, close=shop.close) as binding:
            await memory.patch({"size": 2})
            await memory.patch({"size": 3})
            await until(lambda: binding.value == 3)
            await until(lambda: shop.alive == [3])
        assert binding.changes == 2
    assert [thing.size for thing in shop.built] == [1, 2, 3]


async def test_the_end_of_the_configuration_cancels_no_build(shop):
    memory = Memory({"size": 1})
    shop.slow.add(2)
    context = open_config(App, memory)
    config = await context.__aenter__()
    live = config.select("size")
    following = asyncio.ensure_future(live.wait_changed())
    async with rebuilt(live, shop.build, close=shop.close) as binding:
        await memory.patch({"size": 2})
        assert await following == 2
        following = asyncio.ensure_future(live.wait_changed())
        await asyncio.sleep(0)
        await context.__aexit__(None, None, None)
        await asyncio.wait([following])
        shop.gate.set()
        await until(lambda: binding.value == 2)
    assert isinstance(following.exception(), Closed)
    assert shop.cancelled == []


@pytest.mark.parametrize("newer_first", [True, False])
async def test_leaving_in_the_turn_of_a_newer_value_ends(shop, newer_first):
    """Both cancel the build under way; neither swallows the other."""
    memory = Memory({"size": 1})
    shop.slow.update({2, 3})
    async with open_config(App, memory) as config:
        binding = await rebuilt(config.select("size"), shop.build, close=shop.close).__aenter__()
        await memory.patch({"size": 2})
        await until(lambda: binding.status().state is BindingState.PREPARING)
        steps = [memory.patch({"size": 3}), binding.__aexit__(None, None, None)]
        with anyio.fail_after(5):
            await asyncio.gather(*(steps if newer_first else reversed(steps)))
    assert shop.alive == []


async def test_a_binding_that_is_left_is_told_of_nothing_more(shop):
    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        live = config.select("size")
        async with together(*(rebuilt(live, shop.build, close=shop.close) for _ in range(2))):
            await memory.patch({"size": 2})
            await until(lambda: shop.alive == [2, 2])
        assert live._listeners == ()
        await memory.patch({"size": 3})
    assert shop.alive == []
    assert [thing.size for thing in shop.built] == [1, 1, 2, 2]


async def test_a_value_that_comes_back_before_it_was_built_changes_nothing(shop):
    memory = Memory({"size": 1})
    shop.slow.add(2)
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        first = binding.current
        await memory.patch({"size": 2})
        await until(lambda: binding.status().state is BindingState.PREPARING)
        await memory.patch({"size": 1})
        await until(lambda: binding.status().state is BindingState.IN_FORCE)
        assert binding.current is first


async def test_the_status_says_what_failed_until_something_is_in_force(shop):
    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        rebuilt(config.select("size"), shop.build, close=shop.close) as binding,
    ):
        shop.bad.add(2)
        await memory.patch({"size": 2})
        await until(lambda: binding.status().state is BindingState.RETRYING)
        said = binding.status().error
        assert "ConnectionError" in said
        shop.slow.add(2)
        shop.bad.clear()
        await until(lambda: binding.status().state is BindingState.PREPARING)
        assert binding.status().error == said
        shop.gate.set()
        await until(lambda: binding.status().state is BindingState.IN_FORCE)
        assert binding.status().error == ""


async def test_members_change_in_one_turn_or_not_at_all(shop):
    memory = Memory({"size": 1, "port": 1})
    other = Workshop()
    async with open_config(App, memory) as config:
        sizes = rebuilt(config.select("size"), shop.build, close=shop.close)
        ports = rebuilt(config.select("port"), other.build, close=other.close)
        async with together(sizes, ports):
            other.bad.add(2)
            await memory.patch({"size": 2, "port": 2})
            await until(lambda: ports.failures)
            assert (sizes.current.work(), ports.current.work()) == (1, 1)
            assert shop.alive == [1]
            other.bad.clear()
            await until(lambda: sizes.value == 2)
            assert ports.value == 2
        assert shop.alive == other.alive == []


async def test_members_that_fail_at_the_start_leave_nothing_open(shop):
    other = Workshop()
    other.bad.add(1)
    sizes, ports = rebuilt(Live.constant(1), shop.build, close=shop.close), rebuilt(Live.constant(1), other.build)
    with pytest.raises(ConnectionError):
        async with together(sizes, ports):
            pass
    assert shop.closed == [1]


async def test_a_binding_outside_its_context_says_so(shop):
    binding = rebuilt(Live.constant(1), shop.build, close=shop.close)
    with pytest.raises(RuntimeError, match="expected an open binding"):
        _ = binding.current
    async with binding:
        pass
    with pytest.raises(RuntimeError, match="expected an open binding"):
        async with binding.use():
            pass


async def test_an_exception_of_the_body_leaves_unwrapped_and_everything_is_closed(shop):
    with pytest.raises(LookupError):
        async with rebuilt(Live.constant(1), shop.build, close=shop.close):
            raise LookupError
    assert shop.alive == []


async def test_a_binding_outlives_nothing_when_the_configuration_ends_first(shop):
    """The order of leaving is the user's; a binding whose stream ended keeps what it has."""
    context = open_config(App, Memory({"size": 1}))
    config = await context.__aenter__()
    async with rebuilt(config.select("size"), shop.build, close=shop.close) as binding:
        await context.__aexit__(None, None, None)
        assert binding.current.work() == 1
    assert shop.alive == []


@pytest.mark.parametrize(
    "bad", [{"drain": -1}, {"deadline": 0}, {"drain": math.nan}, {"deadline": math.nan}, {"deadline": math.inf}]
)
def test_bounds_are_checked(bad):
    with pytest.raises(ValueError, match="expected seconds"):
        rebuilt(Live.constant(1), Workshop.build, **bad)
