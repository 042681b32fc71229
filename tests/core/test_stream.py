"""The stream: what subscribers see, in which order, and what they cost."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc

import anyio
import msgspec
import pytest

from reactive_config import Closed, Gap, Live, Memory, Snapshot, open_config
from reactive_config._core.runtime.live import make_live, recompute
from reactive_config.errors import UnknownPath


class Pool(msgspec.Struct, frozen=True):
    size: int = 10
    idle: float = 1.0


class App(msgspec.Struct, frozen=True):
    n: int = 0
    pool: Pool = Pool()
    log: dict[str, str] = {}


async def next_of(iterator):
    with anyio.fail_after(5):
        return await anext(iterator)


async def test_the_stream_gives_the_current_snapshot_first_and_then_newer_ones():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        stream = aiter(config)
        assert (await next_of(stream)).value.n == 1
        await memory.patch({"n": 2})
        snapshot = await next_of(stream)
        assert snapshot.value is config.current
        assert (snapshot.value.n, snapshot.generation, snapshot.changed) == (2, 2, {"n"})


MANY = pytest.mark.parametrize("changes", [2_000, pytest.param(10_000, marks=pytest.mark.storm)])


@pytest.mark.slow
@MANY
async def test_a_slow_subscriber_gets_few_of_many_snapshots_in_order_and_the_last_exactly(changes):
    memory = Memory({"n": 0})
    seen: list[Snapshot[App]] = []

    async def slow(config):
        async for snapshot in config:
            seen.append(snapshot)
            for _ in range(500):  # turns of the loop that others use to publish
                await asyncio.sleep(0)

    async with open_config(App, memory) as config, asyncio.TaskGroup() as group:
        task = group.create_task(slow(config))
        gc.collect()
        tracemalloc.start()
        for n in range(1, changes + 1):
            await memory.patch({"n": n})
            if n == changes // 10:
                first = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - first
        tracemalloc.stop()
        while seen[-1].value.n != changes:
            await asyncio.sleep(0)
        task.cancel()
    generations = [s.generation for s in seen]
    assert len(seen) < changes / 10
    assert generations == sorted(set(generations))
    assert config.snapshot.generation == changes + 1
    assert grown < 30 * changes, f"{grown} bytes more after {changes * 9 // 10:,} further changes"


@pytest.mark.slow
@pytest.mark.parametrize("buffer", [1, 100, 20_000])
@MANY
async def test_updates_give_every_generation_once_or_say_which_are_missing(buffer, changes):
    memory = Memory({"n": 0})
    async with open_config(App, memory) as config:
        updates = config.updates(buffer=buffer)
        seen: list[int] = []
        missing = 0

        async def read():
            nonlocal missing
            async for item in updates:
                if isinstance(item, Gap):
                    assert item.first == (seen[-1] if seen else 0) + 1
                    missing += item.last - item.first + 1
                    seen.append(item.last)
                else:
                    assert item.generation == (seen[-1] if seen else 0) + 1
                    assert item.value.n == item.generation - 1
                    seen.append(item.generation)
                for _ in range(20):
                    await asyncio.sleep(0)
                if seen[-1] == changes + 1:
                    return

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            for n in range(1, changes + 1):
                await memory.patch({"n": n})
        assert seen[-1] == changes + 1
        assert (missing == 0) == (buffer == 20_000)


async def test_updates_end_with_the_context_after_what_they_hold():
    memory = Memory({"n": 0})
    async with open_config(App, memory) as config:
        updates = config.updates()
        await memory.patch({"n": 1})
    assert [u.generation async for u in updates] == [1, 2]


async def test_a_live_value_changes_only_when_its_part_does():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        by_path, by_function = config.select("pool"), config.select(lambda c: c.pool)
        doubled = config.select("n").map(lambda n: n * 2)
        streams = [aiter(live) for live in (by_path, by_function, doubled)]
        assert [await next_of(s) for s in streams] == [Pool(), Pool(), 2]
        before = by_path.current
        await memory.patch({"n": 5, "log": {"x": "y"}})
        assert by_path.current is before
        assert by_function.current is before
        assert await next_of(streams[2]) == 10
        await memory.patch({"pool": {"size": 11}})
        assert (await next_of(streams[0])).size == 11
        assert (await next_of(streams[1])) is by_path.current is config.current.pool


async def test_one_change_wakes_both_sides_of_a_diamond_once():
    memory = Memory({"n": 1})
    calls: list[int] = []
    async with open_config(App, memory) as config:
        n = config.select("n")
        odd, even = n.map(lambda v: v % 2), n.map(lambda v: v // 2)
        joined = config.select(lambda c: calls.append(c.n) or (c.n % 2, c.n // 2))
        await memory.patch({"n": 6})
        assert (odd.current, even.current, joined.current) == (0, 3, (0, 3))
    assert calls == [1, 6]


async def test_a_dotted_path_quotes_names_with_dots_and_may_end_in_an_absent_key():
    memory = Memory({"log": {"sqlalchemy.engine": "INFO"}})
    async with open_config(App, memory) as config:
        engine = config.select('log."sqlalchemy.engine"')
        absent = config.select("log.other")
        assert (engine.current, absent.current) == ("INFO", None)
        waiting = asyncio.ensure_future(absent.wait_changed())
        await asyncio.sleep(0)
        await memory.patch({"log": {"other": "DEBUG"}})
        assert await waiting == "DEBUG"
        assert engine.current == "INFO"


@pytest.mark.parametrize("path", ["pol", "pool.siz", "pool.size.more", "n.x"])
async def test_an_unknown_path_is_an_error_at_once(path):
    async with open_config(App, Memory({})) as config:
        with pytest.raises(UnknownPath, match=path):
            config.select(path)


async def test_the_same_path_gives_the_same_live_value_and_dropped_ones_are_forgotten():
    async with open_config(App, Memory({})) as config:
        assert config.select("pool") is config.select("pool")
        live = config.select("pool.size")
        runtime = config._runtime
        for i in range(1_000):
            config.select(f"log.name{i}")
            config.select(lambda c, i=i: i)
            live.map(lambda v, i=i: v + i)
        gc.collect()
        assert len(runtime.by_path._paths) < 100
        assert len(runtime.by_function) == 0
        assert len(live._derived) == 0


async def test_a_function_that_raises_later_keeps_its_value_and_shows_in_the_status():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        with pytest.raises(ZeroDivisionError):
            config.select(lambda c: c.n // 0)
        inverse, other = config.select(lambda c: 10 // c.n), config.select("n")
        await memory.patch({"n": 0})
        assert (inverse.current, other.current) == (10, 0)
        assert "ZeroDivisionError" in config.status().selectors[0]
        await memory.patch({"n": 5})
        assert inverse.current == 2
        assert config.status().selectors == ()


async def test_an_error_goes_when_the_function_gives_the_old_value_again():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        live = config.select(lambda c: {1: "one"}[c.n])
        derived = live.map(len)
        await memory.patch({"n": 2})
        assert len(config.status().selectors) == 1
        await memory.patch({"n": 1})
        assert config.status().selectors == ()
        assert (live.current, derived.current) == ("one", 3)


async def test_one_function_that_raises_takes_no_change_from_the_others():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        before, bad, after = (config.select(f) for f in (lambda c: c.n, lambda c: 1 // (c.n - 2), lambda c: [c.n]))
        await memory.patch({"n": 2})
        assert (before.current, bad.current, after.current) == (2, -1, [2])


async def test_an_equal_value_of_a_function_keeps_the_old_object_and_another_type_does_not():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        built, typed = config.select(lambda c: [c.pool.size]), config.select(lambda c: c.n if c.n == 1 else 1.0)
        kept = built.current
        waiting = asyncio.ensure_future(built.wait_changed())
        await asyncio.sleep(0)
        await memory.patch({"n": 2})
        await asyncio.sleep(0)
        assert built.current is kept
        assert not waiting.done()
        assert isinstance(typed.current, float)
        await memory.patch({"pool": {"size": 11}})
        assert await waiting == [11]


async def test_selecting_and_forgetting_while_functions_are_asked_breaks_nothing():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        kept = {}

        def reckless(c):
            kept.clear()
            kept.update({i: config.select(lambda c, i=i: c.n + i) for i in range(100)})
            return c.n

        first, live, last = config.select(lambda c: c.n), config.select(reckless), config.select(lambda c: c.n)
        for n in range(2, 20):
            await memory.patch({"n": n})
            assert (first.current, live.current, last.current) == (n, n, n)
        del first, live, last
        kept.clear()
        gc.collect()
        assert len(config._runtime.by_function) == 0


async def test_what_changes_nothing_wakes_nobody():
    memory = Memory({"n": 1, "pool": {"idle": 1.0}})
    async with open_config(App, memory) as config:
        snapshot = config.snapshot
        await memory.patch({"n": 1, "pool": {"idle": 1}})
        await memory.replace({"n": 1, "pool": {"idle": 1.0}, "ignored": True})
        assert config.snapshot is snapshot
        assert config.status().sources[0].revision == 3


async def test_iterators_end_with_the_context_and_wait_changed_says_closed():
    async with open_config(App, Memory({})) as config:
        live = config.select("n")
        waiting = asyncio.ensure_future(live.wait_changed())
        following = asyncio.ensure_future(collect(live))
        stream = asyncio.ensure_future(collect(config))
        await asyncio.sleep(0)
    assert await following == [0]
    assert len(await stream) == 1
    with pytest.raises(Closed):
        await waiting
    assert config.current == App()
    assert [s.generation async for s in config] == [1]


async def collect(items):
    return [item async for item in items]


async def test_a_cancelled_waiter_leaves_the_others_alone():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        live = config.select("n")
        one, two = (asyncio.ensure_future(live.wait_changed()) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await memory.patch({"n": 2})
        assert await two == 2
        assert one.cancelled()
        assert not live._waiters


async def test_a_task_that_waits_keeps_its_live_value_alive():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        seen: list[int] = []

        async def follow():
            async for n in config.select("n").map(lambda v: v + 1):
                seen.append(n)

        task = asyncio.ensure_future(follow())
        await asyncio.sleep(0)
        gc.collect()
        await memory.patch({"n": 2})
        await asyncio.sleep(0)
        gc.collect()
        await memory.patch({"n": 3})
        await asyncio.sleep(0)
        assert seen == [2, 3, 4]
    await task


async def test_a_view_is_never_behind_the_configuration_for_a_reading_thread():
    memory = Memory({"n": 0})
    stop = threading.Event()
    late: list[tuple[int, int]] = []
    async with open_config(App, memory) as config:
        by_path, by_function = config.select("n"), config.select(lambda c: c.n)

        def read():
            while not stop.is_set():
                whole, part, computed = config.current.n, by_path.current, by_function.current
                if part < whole or computed < whole:
                    late.append((whole, part))

        thread = threading.Thread(target=read)
        thread.start()
        for n in range(2_000):
            await memory.patch({"n": n})
        stop.set()
        thread.join()
    assert late == []


async def test_a_constant_never_changes():
    live = Live.constant(5)
    assert live.map(str).current == "5"
    assert await anext(aiter(live)) == 5
    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await live.wait_changed()


async def test_snapshots_tell_what_changed_since_an_older_one():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        first = config.snapshot
        await memory.patch({"n": 2, "log": {"a": "b"}})
        await memory.patch({"pool": {"size": 3}, "n": 1})
        assert config.snapshot.changed == {"pool.size", "n"}
        assert config.snapshot.changed_since(first) == {"pool.size", "log.a"}
        assert config.snapshot.changed_since(config.snapshot) == set()


@pytest.mark.parametrize("by", ["path", "function", "stream"])
async def test_chains_of_ten_thousand_maps_follow(by):
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        first = {
            "path": lambda: config.select("n"),
            "function": lambda: config.select(lambda c: c.n),
            "stream": lambda: config._stream.map(lambda s: s.value.n),
        }[by]()
        cells = [first]
        for _ in range(10_000):
            cells.append(cells[-1].map(lambda v: v + 1))
        assert cells[-1].current == 10_001
        await memory.patch({"n": 2})
        assert [cell.current for cell in cells] == list(range(2, 10_003))
        waiting = asyncio.create_task(cells[-1].wait_changed())
        await asyncio.sleep(0)
        last = cells[-1]
        del cells, first
        await memory.patch({"n": 3})
        assert await waiting == 10_003
        assert last.current == 10_003


async def test_a_function_that_raises_in_a_chain_keeps_all_that_follows_it():
    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        n = config.select("n")
        inverse = n.map(lambda v: 1 / v)
        beside, after = n.map(lambda v: v + 1), inverse.map(lambda v: v + 1)
        await memory.patch({"n": 0})
        assert (n.current, inverse.current, beside.current, after.current) == (0, 1.0, 1, 2.0)
        await memory.patch({"n": 2})
        assert (n.current, inverse.current, beside.current, after.current) == (2, 0.5, 3, 1.5)


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, type("OwnError", (BaseException,), {})])
async def test_whatever_a_function_raises_later_content_ends_no_program(error):
    def checked(n):
        if n == 2:
            raise error("canary-text")
        return n

    memory = Memory({"n": 1})
    async with open_config(App, memory) as config:
        lives = [config.select(lambda c: checked(c.n)), config.select("n").map(checked)]
        await memory.patch({"n": 2})
        assert (config.current.n, [live.current for live in lives]) == (2, [1, 1])
        assert len(config.status().selectors) == 2
        assert all(error.__name__ in said and "canary" not in said for said in config.status().selectors)
        await memory.patch({"n": 3})
        assert [live.current for live in lives] == [3, 3]
        assert config.status().selectors == ()


def test_ctrl_c_in_a_function_ends_the_program():
    cell = make_live(1, compute=lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        recompute([cell], 2, [])
