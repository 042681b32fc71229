"""Functions that are called at every change: one at a time, the newest value, whatever they do."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import logging
import subprocess
import sys
import weakref

import msgspec
import pytest

from reactive_config import Closed, Memory, WrongProcess, open_config
from reactive_config._core.runtime import callbacks
from reactive_config.errors import UnknownPath


class App(msgspec.Struct, frozen=True):
    size: int = 0
    other: int = 0
    log: dict[str, str] = {}


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


def running_tasks():
    return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task.get_coro())}


@pytest.fixture
async def no_task_left():
    before = running_tasks()
    yield
    assert running_tasks() <= before


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(callbacks, "PATIENCE", 0.02)
    monkeypatch.setattr(callbacks, "CANCEL_WITHIN", 0.1)


class Stubborn:
    """An async callback that swallows the first cancellations, or all."""

    def __init__(self, swallows=10**9):
        self.left, self.seen, self.values = swallows, 0, []
        self.gate = asyncio.Event()

    async def __call__(self, value):
        self.values.append(value)
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.seen += 1
                self.left -= 1
                if self.left < 0:
                    raise


# -- when it is called --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["size", lambda app: app.size])
async def test_it_is_called_at_every_change_and_not_at_registration(part, no_task_left):
    memory, seen = Memory({"size": 1}), []
    async with open_config(App, memory) as config:
        config.on_change(part, seen.append)
        await turns()
        assert seen == []
        for size in (2, 3):
            await memory.patch({"size": size})
            await until(lambda: seen and seen[-1] == size)  # noqa: B023 - called at once
        await memory.patch({"other": 5})
        await memory.patch({"size": 3})
        await turns()
        assert seen == [2, 3]


async def test_an_async_callback_is_awaited_and_sees_its_own_generation_or_a_newer_one():
    memory, seen = Memory(), []
    async with open_config(App, memory) as config:

        async def callback(value):
            await asyncio.sleep(0)
            seen.append((value, config.current.size))

        config.on_change("size", callback)
        config.on_change("size", functools.partial(callback))
        await memory.patch({"size": 1})
        await until(lambda: len(seen) == 2)
        assert seen == [(1, 1), (1, 1)]


async def test_ten_thousand_changes_are_conflated_by_a_slow_one_which_ends_on_the_last():
    memory, slow, quick = Memory(), [], []
    one_at_a_time = asyncio.Lock()

    async def callback(value):
        assert not one_at_a_time.locked()
        async with one_at_a_time:
            slow.append(value)
            await turns(50)

    async with open_config(App, memory) as config:
        config.on_change("size", callback)
        config.on_change("size", quick.append)
        for size in range(1, 10_001):
            await memory.patch({"size": size})
        await until(lambda: slow[-1] == quick[-1] == 10_000)
        assert config.status().callbacks == ()
    assert slow == sorted(set(slow))
    assert quick == sorted(set(quick))
    assert 1 < len(slow) < 5000


async def test_a_change_during_a_call_is_not_lost_and_older_values_are_skipped():
    memory, seen, gate = Memory(), [], asyncio.Event()

    async def callback(value):
        seen.append(value)
        await gate.wait()

    async with open_config(App, memory) as config:
        config.on_change("size", callback)
        for size in (1, 2, 3):
            await memory.patch({"size": size})
            await turns()
        assert seen == [1]
        gate.set()
        await until(lambda: seen == [1, 3])


async def test_an_eager_task_factory_does_not_bring_it_into_the_writers_turn():
    if sys.version_info < (3, 12):
        pytest.skip("eager tasks come with Python 3.12")
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    memory, seen = Memory(), []
    try:
        async with open_config(App, memory) as config:
            config.on_change("size", lambda value: seen.append((value, config.current.size, config.current.other)))
            await memory.patch({"size": 1, "other": 1})
            await until(lambda: seen == [(1, 1, 1)])
    finally:
        asyncio.get_running_loop().set_task_factory(None)


async def test_it_runs_with_the_context_variables_of_its_registration():
    who, seen = contextvars.ContextVar("who", default="nobody"), []
    memory = Memory()
    async with open_config(App, memory) as config:
        who.set("registered")
        config.on_change("size", lambda _: seen.append(who.get()))
        who.set("later")
        await memory.patch({"size": 1})
        await until(lambda: seen == ["registered"])


# -- what it may raise --------------------------------------------------------------------------------------------


class Odd(BaseException):
    """No Exception, as a test library's."""


class Lying(Exception):
    @property
    def __class__(self):
        raise RuntimeError("canary")

    @property
    def __traceback__(self):
        raise RuntimeError("canary")


RAISED = [
    ValueError, Odd, SystemExit, GeneratorExit, asyncio.CancelledError, Lying, StopIteration, StopAsyncIteration,
    KeyError, RecursionError, TimeoutError,
    lambda text: BaseExceptionGroup(text, [Odd(text), asyncio.CancelledError()]),
]  # fmt: skip


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("make", RAISED, ids=lambda make: make.__name__)
async def test_what_it_raises_is_told_and_concerns_nobody_else(make, asynchronous, caplog, no_task_left):
    caplog.set_level(logging.INFO, "reactive_config")
    memory, seen, fails, error = Memory(), [], True, make("canary")

    def apply(value):
        if fails:
            raise error

    async def apply_async(value):
        await asyncio.sleep(0)
        apply(value)

    async with open_config(App, memory) as config:
        config.on_change("size", apply_async if asynchronous else apply)
        config.on_change("size", seen.append)
        for size in (1, 2):
            await memory.patch({"size": size})
            await until(lambda: seen and seen[-1] == size)  # noqa: B023 - called at once
            await turns()
        # Python makes another error of a StopIteration that leaves a coroutine.
        made = asynchronous and make is StopIteration
        kind, place = ("RuntimeError", "callbacks") if made else (type(error).__name__, "test_on_change")
        (trouble,) = config.status().callbacks
        assert trouble.startswith("on_change(size, ")
        assert f": raised {kind} ({place}.py:" in trouble
        assert trouble.endswith(", 2 times in a row")
        assert caplog.text.count(f"raised {kind}") == 1  # once, and not at every change
        fails = False
        await memory.patch({"size": 3})
        await until(lambda: config.status().callbacks == ())
        assert "works again; it had failed 2 times" in caplog.text
    assert "canary" not in caplog.text + trouble


async def test_a_new_kind_of_failure_is_logged_too(caplog):
    memory, errors = Memory(), [ValueError(), KeyError(), KeyError(), ValueError()]

    def apply(value):
        raise errors[value - 1]

    async with open_config(App, memory) as config:
        config.on_change("size", apply)
        for size in (1, 2, 3, 4):
            await memory.patch({"size": size})
            await turns()
    assert [record.getMessage().split("raised ")[1].split(" ")[0] for record in caplog.records] == [
        "ValueError", "KeyError", "ValueError",
    ]  # fmt: skip


async def test_one_that_cancels_its_own_task_hurts_nobody():
    memory, seen = Memory(), []

    def callback(value):
        asyncio.current_task().cancel()
        seen.append(value)

    async def async_callback(value):
        callback(value)
        await asyncio.sleep(0)

    async with open_config(App, memory) as config:
        config.on_change("size", callback)
        config.on_change("size", async_callback)
        for size in (1, 2):
            await memory.patch({"size": size})
            await until(lambda: seen.count(size) == 2)  # noqa: B023 - called at once
            await turns()
        (trouble,) = config.status().callbacks
        assert "raised CancelledError" in trouble


async def test_a_stranger_that_cancels_every_task_of_it_loses_no_change():
    memory, seen = Memory(), []
    async with open_config(App, memory) as config:
        config.on_change("size", seen.append)
        await memory.patch({"size": 1})
        for task in asyncio.all_tasks():
            if task.get_name().startswith("on_change"):
                task.cancel()
        await until(lambda: seen == [1])


def test_ctrl_c_in_one_ends_the_program():
    program = """
import asyncio
from reactive_config import Memory, open_config

def interrupt(value):
    raise KeyboardInterrupt

async def main():
    memory = Memory({"size": 1})
    async with open_config(dict, memory) as config:
        config.on_change(lambda app: app["size"], interrupt)
        await memory.patch({"size": 2})
        await asyncio.sleep(60)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=50)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


# -- cancelling and leaving ---------------------------------------------------------------------------------------


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


def test_the_end_of_asyncio_run_says_nothing(caplog):
    async def main():
        memory, gate = Memory(), asyncio.Event()
        config = await open_config(App, memory).__aenter__()
        config.on_change("size", lambda value: gate.wait())
        await memory.patch({"size": 1})
        await turns()
        kept.append(config)

    kept = []
    asyncio.run(main())
    assert caplog.text == ""
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


# -- wrong use ----------------------------------------------------------------------------------------------------


async def coroutine_function(value): ...


def generator(value):
    yield value


async def async_generator(value):
    yield value


WRONG = [
    (None, "got NoneType"),
    ("log", "got str"),
    (lambda: None, r"does not take exactly one argument: \(\)"),
    (lambda a, b: None, r"does not take exactly one argument: \(a, b\)"),
    (generator, "a function with a yield"),
    (async_generator, "a function with a yield"),
]


@pytest.mark.parametrize(("callback", "message"), WRONG)
async def test_what_cannot_be_called_with_a_value_is_refused_and_the_message_says_what_to_write(callback, message):
    async with open_config(App, Memory()) as config:
        with pytest.raises(TypeError, match=message) as raised:
            config.on_change("size", callback)
        assert 'config.on_change("log", apply)' in str(raised.value)


async def test_a_coroutine_is_refused_and_python_warns_of_nothing():
    async with open_config(App, Memory()) as config:
        called = coroutine_function(1)
        with pytest.raises(TypeError, match="give the function itself"):
            config.on_change("size", called)
        assert inspect.getcoroutinestate(called) == inspect.CORO_CLOSED


async def test_a_part_that_is_none_is_refused_as_by_select():
    async with open_config(App, Memory()) as config:
        with pytest.raises(UnknownPath):
            config.on_change("sise", print)
        with pytest.raises(TypeError, match="expected a dotted path or a function of the configuration first, got int"):
            config.on_change(5, print)
        with pytest.raises(ZeroDivisionError):
            config.on_change(lambda app: 1 / app.size, print)


async def test_it_belongs_to_the_loop_and_to_the_context():
    async with open_config(App, Memory()) as config:
        handle = config.on_change("size", print)
        with pytest.raises(WrongProcess):
            await asyncio.to_thread(config.on_change, "size", print)
        with pytest.raises(WrongProcess):
            await asyncio.to_thread(handle.cancel)
    with pytest.raises(Closed, match="the configuration's context has ended"):
        config.on_change("size", print)
    await asyncio.to_thread(handle.cancel)  # it has ended, so there is nothing to do
