"""Functions that are called at every change: one at a time, the newest value, whatever they do."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import subprocess
import sys
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

from reactive_config import Closed, Memory, WrongProcess, open_config
from reactive_config.errors import UnknownPath
from tests.core.calling import App, turns, until

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


async def test_an_eager_task_factory_does_not_bring_it_into_the_writers_turn(eager_tasks):
    memory, seen = Memory(), []
    async with open_config(App, memory) as config:
        config.on_change("size", lambda value: seen.append((value, config.current.size, config.current.other)))
        await memory.patch({"size": 1, "other": 1})
        await until(lambda: seen == [(1, 1, 1)])


async def test_it_runs_with_the_context_variables_of_its_registration():
    who, seen = contextvars.ContextVar("who", default="nobody"), []
    memory = Memory()
    async with open_config(App, memory) as config:
        who.set("registered")
        config.on_change("size", lambda _: seen.append(who.get()))
        who.set("later")
        await memory.patch({"size": 1})
        await until(lambda: seen == ["registered"])


async def test_what_a_call_sets_is_not_there_in_the_next_one():
    depth, seen = contextvars.ContextVar("depth", default=0), []
    memory = Memory()

    def callback(value):
        seen.append((value, depth.get()))
        depth.set(depth.get() + 1)

    async with open_config(App, memory) as config:
        config.on_change("size", callback)
        for size in (1, 2, 3):
            await memory.patch({"size": size})
            await until(lambda: seen and seen[-1][0] == size)  # noqa: B023 - called at once
        assert seen == [(1, 0), (2, 0), (3, 0)]


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
    said = [record.getMessage() for record in caplog.records if record.name == "reactive_config"]
    assert [line.split("raised ")[1].split(" ")[0] for line in said] == [
        "ValueError", "KeyError", "ValueError",
    ]  # fmt: skip


async def test_many_that_fail_and_work_by_turns_do_not_flood_the_log(caplog):
    caplog.set_level(logging.INFO, "reactive_config")
    memory, calls = Memory(), []

    def apply(value):
        calls.append(value)
        if value % 2:
            raise ValueError

    async with open_config(App, memory) as config:
        for _ in range(100):
            config.on_change("size", apply)
        for size in (1, 2, 3, 4, 5):
            await memory.patch({"size": size})
            await until(lambda: calls.count(size) == 100)  # noqa: B023 - called at once
        assert len(config.status().callbacks) == 100
    lines = [record.getMessage() for record in caplog.records if "on_change" in record.getMessage()]
    assert 10 <= len(lines) < 250  # ten a second; 500 without a bound
    assert "more lines about callbacks were left out" in caplog.text


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


# -- wrong use ----------------------------------------------------------------------------------------------------


async def coroutine_function(value): ...


def generator(value):
    yield value


async def async_generator(value):
    yield value


class Yields:
    def __call__(self, value):
        yield value


class YieldsAsync:
    async def __call__(self, value):
        yield value


WRONG = [
    (None, "got NoneType"),
    ("log", "got str"),
    (lambda: None, r"does not take exactly one argument: \(\)"),
    (lambda a, b: None, r"does not take exactly one argument: \(a, b\)"),
    (generator, "a function with a yield"),
    (async_generator, "a function with a yield"),
    (Yields(), "a function with a yield"),
    (functools.partial(YieldsAsync()), "a function with a yield"),
]


@pytest.mark.parametrize(("callback", "message"), WRONG)
async def test_what_cannot_be_called_with_a_value_is_refused_and_the_message_says_what_to_write(callback, message):
    async with open_config(App, Memory()) as config:
        with pytest.raises(TypeError, match=message) as raised:
            config.on_change("size", callback)
        assert 'config.on_change("log", apply)' in str(raised.value)


class Remote:
    """What stands for a function elsewhere: it has every attribute, and each is such a thing again."""

    def __getattr__(self, name):
        return Remote()

    def __call__(self, value): ...


@pytest.mark.parametrize("odd", [Mock(), MagicMock(), AsyncMock(), Remote()], ids=lambda odd: type(odd).__name__)
async def test_a_callable_with_odd_attributes_is_taken_and_named_by_its_type(odd):
    memory = Memory()
    async with open_config(App, memory) as config:
        assert repr(config.on_change("size", odd)) == f"<ChangeCallback on_change(size, {type(odd).__name__})>"
        await memory.patch({"size": 1})
        if isinstance(odd, Mock):
            await until(lambda: odd.call_args == ((1,), {}))


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
