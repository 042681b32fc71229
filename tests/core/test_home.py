"""Only `current` and `snapshot` are for any thread; all else raises WrongProcess at once, and changes nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec
import pytest

from reactive_config import Memory, WrongProcess, open_config
from reactive_config._core.runtime.live import listen
from reactive_config.observability import Observer


class App(msgspec.Struct, frozen=True):
    n: int = 0
    log: dict[str, str] = {}


def in_a_thread(function: Callable[[], Any]) -> Any:
    """What a function raised in a thread of its own; None if nothing."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return raised[0] if raised else None


def by_hand(awaitable: Awaitable[Any]) -> None:
    """Drive a coroutine without any loop."""
    coroutine: Any = awaitable
    try:
        coroutine.send(None)
    except StopIteration:
        pass
    finally:
        coroutine.close()


def observed(config: Any) -> None:
    with config.observe(Observer()):
        pass


SYNC = {
    "select by path": lambda config, live: config.select("n"),
    "select by function": lambda config, live: config.select(lambda c: c.n),
    "updates": lambda config, live: config.updates(),
    "iterate over the configuration": lambda config, live: aiter(config),
    "iterate over a live value": lambda config, live: aiter(live),
    "map": lambda config, live: live.map(str),
    "listen": lambda config, live: listen(live, print),
    "status": lambda config, live: config.status(),
    "describe": lambda config, live: config.describe(),
    "explain": lambda config, live: config.explain("n"),
    "observe": lambda config, live: observed(config),
}
ASYNC = {
    "wait_revision": lambda config, live: config.wait_revision("memory", 1),
    "wait_changed": lambda config, live: live.wait_changed(),
}


@pytest.mark.parametrize("use", SYNC.values(), ids=SYNC)
async def test_another_thread_is_told_so_with_a_loop_and_without(use):
    async with open_config(App, Memory({"n": 1})) as config:
        live = config.select("n")

        async def elsewhere() -> None:
            use(config, live)

        assert isinstance(in_a_thread(lambda: use(config, live)), WrongProcess)
        assert isinstance(in_a_thread(lambda: asyncio.run(elsewhere())), WrongProcess)
        assert in_a_thread(lambda: (config.current.n, config.snapshot.generation, live.current)) is None
        use(config, live)


@pytest.mark.parametrize("use", ASYNC.values(), ids=ASYNC)
async def test_waiting_in_another_thread_is_refused_at_once(use):
    async with open_config(App, Memory({"n": 1})) as config:
        live = config.select("n")

        async def elsewhere() -> None:
            await use(config, live)

        assert isinstance(in_a_thread(lambda: by_hand(use(config, live))), WrongProcess)
        assert isinstance(in_a_thread(lambda: asyncio.run(elsewhere())), WrongProcess)


async def test_updates_are_not_taken_in_another_thread():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        updates = config.updates()
        assert isinstance(in_a_thread(lambda: by_hand(anext(updates))), WrongProcess)
        assert (await anext(updates)).value.n == 1


WRITES = {
    "patch": lambda memory: memory.patch({"n": 2}),
    "replace": lambda memory: memory.replace({"log": {}}),
    "patch with what does not fit": lambda memory: memory.patch({"n": "x"}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_memory_is_not_written_from_elsewhere_and_keeps_its_tree(write):
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:

        async def elsewhere() -> None:
            await write(memory)

        def another_loop() -> None:
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(elsewhere())
            finally:
                loop.close()

        for run in (lambda: asyncio.run(elsewhere()), another_loop, lambda: by_hand(write(memory))):
            assert isinstance(in_a_thread(run), WrongProcess)
        with anyio.fail_after(5):
            await memory.patch({"log": {"a": "b"}})
        assert config.current == App(1, {"a": "b"})
        assert config.snapshot.revisions == {"memory": 2}
        assert config.snapshot.generation == 2


def test_memory_is_not_written_from_another_loop_of_the_same_thread():
    memory = Memory({"n": 1})
    loop = asyncio.new_event_loop()
    context = open_config(App, memory)
    config = loop.run_until_complete(context.__aenter__())
    for write in WRITES.values():
        other = asyncio.new_event_loop()
        with pytest.raises(WrongProcess, match="event loop"):
            other.run_until_complete(write(memory))
        other.close()
    loop.run_until_complete(memory.patch({"log": {"a": "b"}}))
    assert config.current == App(1, {"a": "b"})
    assert config.snapshot.revisions == {"memory": 2}
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()
    asyncio.run(memory.patch({"n": 3}))  # it is nobody's now

    async def reopened() -> None:
        async with open_config(App, memory) as config:
            assert config.current == App(3, {"a": "b"})

    asyncio.run(reopened())


async def test_a_context_is_not_left_from_another_loop_or_thread():
    context = open_config(App, Memory({"n": 1}))
    config = await context.__aenter__()

    async def elsewhere() -> None:
        await context.__aexit__(None, None, None)

    assert isinstance(in_a_thread(lambda: by_hand(context.__aexit__(None, None, None))), WrongProcess)
    assert isinstance(in_a_thread(lambda: asyncio.run(elsewhere())), WrongProcess)
    config.select("n")  # still open
    await context.__aexit__(None, None, None)


def test_a_forked_child_uses_nothing_of_its_parent():
    program = """
import asyncio, os, sys
from reactive_config import Memory, WrongProcess, open_config
from reactive_config.bindings import rebuilt

async def build(n):
    return n

async def main():
    memory = Memory({"n": 1})
    context = open_config(dict, memory)
    async with context as config:
        live = config.select("n")
        binding = await rebuilt(live, build).__aenter__()
        child = os.fork()
        if child == 0:
            told = 0
            for use in (
                lambda: memory.patch({"n": 2}),
                lambda: memory.replace({}),
                lambda: config.wait_revision("memory", 1),
                lambda: config.status(),
                lambda: config.explain("n"),
                lambda: config.describe(),
                lambda: aiter(config),
                lambda: live.map(str),
                lambda: binding.__aexit__(None, None, None),
                lambda: context.__aexit__(None, None, None),
            ):
                try:
                    done = use()
                    if hasattr(done, "__await__"):
                        await done
                except WrongProcess as error:
                    told += "forked child" in str(error)
            os._exit(told if memory._tree == {"n": 1} and memory._revision == 1 else 99)
        told = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        await memory.patch({"n": 3})
        await binding.__aexit__(None, None, None)
        sys.exit(0 if told == 10 and config.current == {"n": 3} else told or 1)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, (done.returncode, done.stderr)
