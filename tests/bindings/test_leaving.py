"""Leaving ends in bounded time, and nothing of a binding breaks, whatever the program's code does with cancellation."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
from contextlib import suppress

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config.bindings import Binding, bindings, live_pool, rebuilt, together, workers
from reactive_config.core.status import BindingState
from reactive_config.errors import StrayCancellation


class App(msgspec.Struct, frozen=True):
    size: int = 1
    port: int = 1


class Stubborn:
    """Swallows cancellations: the first `swallows` of them, wherever it waits."""

    def __init__(self, swallows=10**9):
        self.left, self.seen, self.waits = swallows, 0, False
        self.gate = asyncio.Event()

    async def wait(self):
        self.waits = True
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.seen += 1
                self.left -= 1
                if self.left < 0:
                    raise


class Shop:
    """Makes things and closes them; knows which are open, and whether one was closed twice."""

    def __init__(self):
        self.open, self.closed = [], []

    async def build(self, size):
        self.open.append(size)
        return size

    async def close(self, thing):
        assert thing not in self.closed, "closed twice"
        self.open.remove(thing)
        self.closed.append(thing)


@pytest.fixture
def shop():
    return Shop()


def running_tasks():
    return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task.get_coro())}


@pytest.fixture
async def no_task_left():
    before = running_tasks()
    yield
    assert running_tasks() <= before


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


async def stray():
    """What `task.cancel(); await task` does in a program's own code."""
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    await task


class Within:
    """Measures a block by the loop's clock, and fails if it took longer than it may.

    The limits are exact; the slack is for a machine that has other things to do.
    """

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.began = asyncio.get_running_loop().time()

    def __exit__(self, *_):
        took = asyncio.get_running_loop().time() - self.began
        assert took <= self.seconds + 1.5, f"took {took:.2f} s"


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


# -- a CancelledError that nobody asked for -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["build", "check", "close", "resize"])
async def test_a_stray_cancellation_is_a_failure_like_any_other(shop, where, caplog):
    bad = []

    async def build(size):
        if where == "build" and size in bad:
            await stray()
        return await shop.build((size, object()))

    async def check(thing):
        if where == "check" and thing[0] in bad:
            await stray()

    async def close(thing):
        await shop.close(thing)
        if where == "close":
            await stray()

    async def resize(thing, before, after):
        await stray()

    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        live_pool(
            config.select("size"),
            open=build,
            close=close,
            check=check,
            resize=resize if where == "resize" else None,
        ) as binding,
    ):
        bad.append(2)
        await memory.patch({"size": 2})
        if where in ("build", "check"):
            await until(lambda: binding.failures)
            assert "StrayCancellation" in binding.status().error
            assert binding.value == 1
            bad.clear()
        await until(lambda: binding.value == 2)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)
        assert config.current.size == 3
    assert asyncio.current_task().cancelling() == 0
    assert shop.open == []
    assert where in ("build", "check") or "StrayCancellation" in caplog.text


async def test_a_first_build_with_a_stray_cancellation_fails_loudly():
    async def build(size):
        await stray()

    with pytest.raises(StrayCancellation, match="build: expected a result or an error"):
        async with rebuilt(Live.constant(1), build):
            pass


async def test_a_step_that_cancels_its_own_task_cancels_no_later_step(shop, no_task_left):
    async def build(size):
        asyncio.current_task().cancel()
        return await shop.build(size)

    async def close(thing):
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        await shop.close(thing)

    async with rebuilt(Live.constant(1), build, close=close):
        pass
    assert shop.closed == [1]


async def test_members_are_closed_although_another_one_raises_a_stray_cancellation(shop):
    async def close(thing):
        await stray()

    def member(index):
        async def build(size):
            return await shop.build((index, size))

        return rebuilt(Live.constant(1), build, close=close if index == 1 else shop.close)

    async with together(*(member(index) for index in range(3))):
        pass
    assert sorted(shop.closed) == [(0, 1), (2, 1)]


@pytest.mark.parametrize("where", ["handler", "take"])
async def test_a_stray_cancellation_of_a_worker_is_raised_and_never_ends_it_silently(where):
    queue = asyncio.Queue()
    queue.put_nowait(1)

    async def take():
        await (stray() if where == "take" else asyncio.sleep(0))
        return await queue.get()

    async def handle(item):
        await stray()

    with pytest.raises(StrayCancellation, match="a worker"):
        async with workers(Live.constant(1), handle, take=take):
            await asyncio.sleep(60)
    assert asyncio.current_task().cancelling() == 0


async def test_a_take_that_swallows_its_dismissal_is_left_running_and_counted():
    stubborn = Stubborn()
    memory = Memory({"size": 1})
    async with (
        open_config(App, memory) as config,
        workers(config.select("size"), stray, take=stubborn.wait, drain=0.05) as group,
    ):
        pass
    assert (group.running, group.status().abandoned) == (0, 1)
    stubborn.gate.set()


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


# -- bindings(...) --------------------------------------------------------------------------------------------------


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


# -- bindings of the program's own kind -----------------------------------------------------------------------------


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


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_a_loop_that_begins_tasks_at_once_changes_nothing(shop):
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
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
    finally:
        loop.set_task_factory(None)


def test_the_end_of_asyncio_run_is_no_crash_of_a_worker(caplog):
    async def main():
        left_open = workers(Live.constant(2), lambda item: asyncio.sleep(60), take=lambda: asyncio.sleep(0))
        await left_open.__aenter__()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert caplog.text == ""


@pytest.mark.parametrize("where", ["build", "close"])
async def test_a_group_of_cancellations_is_a_stray_cancellation_too(shop, where, caplog):
    async def fails():
        raise BaseExceptionGroup("canary", [asyncio.CancelledError(), ValueError("canary")])

    async def build(size):
        if where == "build" and size == 2:
            await fails()
        return await shop.build((size, object()))

    async def close(thing):
        await shop.close(thing)
        if where == "close":
            await fails()

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config, rebuilt(config.select("size"), build, close=close) as binding:
        await memory.patch({"size": 2})
        await until(lambda: "StrayCancellation" in caplog.text)
        await memory.patch({"size": 3})
        await until(lambda: binding.value == 3)
    assert shop.open == []


async def test_a_failure_that_no_binding_may_hide_leaves_nothing_in_the_status(shop):
    class Ends(BaseException):
        pass

    async def close(thing):
        raise Ends

    async with open_config(App, Memory()) as config:
        members = (
            rebuilt(config.select("size"), shop.build, close=shop.close),
            rebuilt(config.select("port"), shop.build, close=close),
        )
        with pytest.raises(Ends):
            async with together(*members):
                pass
        assert config.status().bindings == ()
    assert shop.closed == [1]


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


# -- smaller --------------------------------------------------------------------------------------------------------


async def test_one_use_cannot_be_entered_inside_itself(shop):
    async with rebuilt(Live.constant(1), shop.build, close=shop.close) as binding:
        use = binding.use()
        async with use:
            with pytest.raises(RuntimeError, match="expected a use"):
                await use.__aenter__()
        async with use as thing:  # one after the other is fine
            assert thing == 1
    assert shop.closed == [1]


async def test_a_function_that_raises_a_stray_cancellation_ends_no_configuration():
    def part(app):
        if app.size == 2:
            raise asyncio.CancelledError
        return app.size

    memory = Memory({"size": 1})
    async with open_config(App, memory) as config:
        lives = [config.select(part), config.select("size").map(lambda size: part(App(size)))]
        await memory.patch({"size": 2})
        assert (config.current.size, [live.current for live in lives]) == (2, [1, 1])
        assert ["CancelledError" in error for error in config.status().selectors] == [True, True]
        await memory.patch({"size": 3})
        assert [live.current for live in lives] == [3, 3]
