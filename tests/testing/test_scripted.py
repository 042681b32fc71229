"""A scripted source says what it is told, and returns when the runtime has taken it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from reactive_config import Closed, Rejected, StartupError, open_config
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config.errors import SourceError
from reactive_config.status import SourceState
from reactive_config.testing import RecordingFeed, Scripted


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int = 1
    log: dict[str, str] = {}


async def test_set_is_taken_when_it_returns() -> None:
    """The line after `set` sees the new value, and a sibling that was not named stays."""
    source = Scripted({"log": {"a": "INFO", "b": "INFO"}})
    async with open_config(App, source) as config:
        await source.set({"log": {"a": "DEBUG"}, "size": 2})
        assert config.current == App(2, {"a": "DEBUG", "b": "INFO"})
        assert config.snapshot.revisions == {"scripted": source.revision}


async def test_delete_takes_everything_below() -> None:
    """Deleting a table's path deletes its leaves; the default is back."""
    source = Scripted({"size": 4, "log": {"a": "INFO", "b.c": "INFO"}})
    async with open_config(App, source) as config:
        await source.delete("log.a")
        assert config.current.log == {"b.c": "INFO"}
        await source.delete("log", "size")
        assert config.current == App()


async def test_delete_of_nothing_is_the_tests_mistake() -> None:
    """A path that says nothing is refused, so that a typing error does not pass as a deletion."""
    source = Scripted({"size": 4})
    with pytest.raises(LookupError, match="sise"):
        await source.delete("sise")


async def test_replace_is_the_whole_state() -> None:
    """What a replacement lacks is gone, and it is sent as a Replace."""
    source = Scripted({"size": 4, "log": {"a": "INFO"}})
    async with open_config(App, source) as config:
        await source.replace({"log": {"b": "INFO"}})
        assert config.current == App(log={"b": "INFO"})


async def test_a_held_step_raises_and_the_next_one_mends_it() -> None:
    """`set` raises Rejected with the problem; the last good stays; overwriting ends it."""
    source = Scripted({"size": 4})
    async with open_config(App, source) as config:
        with pytest.raises(Rejected, match="size: expected int"):
            await source.set({"size": "many", "log": {"a": "lost with its unit"}})
        assert config.current == App(4)
        await source.set({"log": {"b": "an urgent fix elsewhere"}})
        assert config.current.log == {"b": "an urgent fix elsewhere"}
        await source.set({"size": 5})
        assert config.current.size == 5


@pytest.mark.parametrize("path", ["log.a", "log", "size", ""])
async def test_malformed_is_held_and_set_mends_it(path: str) -> None:
    """Unreadable content at a leaf, a table or the root changes nothing and shows in the status until it is mended."""
    tree = {"size": 4, "log": {"a": "INFO"}}
    source = Scripted(tree)
    async with open_config(App, source) as config:
        await source.malformed(path, expected="TOML", got="a stray bracket", line=3)
        (held,) = config.status().sources[0].held
        assert (held.problems[0].path, held.problems[0].expected) == (path, "TOML")
        assert held.problems[0].origin is not None
        assert held.problems[0].origin.line == 3
        assert config.current == App(4, {"a": "INFO"})
        await source.set({"size": 5, "log": {"a": "DEBUG"}})
        assert config.status().sources[0].held == ()
        assert config.current == App(5, {"a": "DEBUG"})


async def test_a_scalar_and_a_table_take_each_others_place() -> None:
    """What a new value hides is no longer said: after it is deleted again, nothing old comes back."""
    source = Scripted({"a": {"b": {"c": 1}}})
    async with open_config(dict, source) as config:
        await source.set({"a": {"b": 2}})
        assert config.current == {"a": {"b": 2}}
        await source.set({"a": {"b": {"d": 3}}})
        assert config.current == {"a": {"b": {"d": 3}}}
        await source.delete("a.b")
        assert config.current in ({}, {"a": {}})


async def test_the_same_again_is_sent_and_wakes_nobody() -> None:
    """Unlike Memory it speaks even where nothing is new: the revision moves and no generation is published."""
    source = Scripted({"size": 4})
    async with open_config(App, source) as config:
        await source.set({"size": 4})
        assert config.snapshot.generation == 1
        assert config.status().sources[0].revision == 2


async def test_a_start_waits_until_something_is_said() -> None:
    """Without content the first snapshot waits; the first word starts it."""
    source = Scripted()
    opening = asyncio.create_task(_current(source))
    while source._feed is None:
        await asyncio.sleep(0)
    await source.set({"size": 7})
    assert await opening == App(7)


async def _current(source: Scripted) -> App:
    async with open_config(App, source) as config:
        return config.current


async def test_steps_before_the_start_are_its_first_state() -> None:
    """What is said before anybody listens comes in one Replace."""
    source = Scripted({"size": 4, "log": {"a": "INFO"}})
    await source.set({"size": 5})
    await source.delete("log")
    source.state(SourceState.STALE, "from a copy")
    async with open_config(App, source) as config:
        assert config.current == App(5)
        assert config.status().sources[0].state is SourceState.STALE


async def test_states_show_in_the_status() -> None:
    """A state holds until the next one is told; new content does not touch it."""
    source = Scripted({})
    async with open_config(App, source) as config:
        assert config.status().sources[0].state is SourceState.SYNCED
        source.state(SourceState.STALE, "the network is gone")
        await source.set({"size": 2})
        status = config.status().sources[0]
        assert (status.state, status.reason) == (SourceState.STALE, "the network is gone")


async def test_fail_becomes_failed_and_the_last_good_stays() -> None:
    """A source that needs a person does not take the configuration with it."""
    source = Scripted({"size": 4})
    async with open_config(App, source) as config:
        await source.fail("wrong password")
        status = config.status().sources[0]
        assert (status.state, status.reason) == (SourceState.FAILED, "wrong password")
        assert config.current.size == 4
        with pytest.raises(RuntimeError, match="told to end"):
            await source.set({"size": 5})


async def test_a_failure_before_the_first_word_ends_the_start() -> None:
    """open_config names the source and its trouble."""
    source = Scripted(optional=False)
    await source.fail(SourceError("forbidden prefix"))
    with pytest.raises(StartupError) as caught:
        await _current(source)
    assert caught.value.troubles == {"scripted": "forbidden prefix"}


async def test_end_says_that_nothing_more_comes() -> None:
    """The status says ENDED; the values stay."""
    source = Scripted({"size": 4})
    async with open_config(App, source) as config:
        await source.end()
        assert config.status().sources[0].state is SourceState.ENDED
        assert config.current.size == 4


async def test_crash_ends_the_configuration_with_the_bug() -> None:
    """The body is cancelled and the exception is raised as it is."""
    source = Scripted({})
    with pytest.raises(ZeroDivisionError, match="a bug"):
        async with open_config(App, source):
            await source.crash(ZeroDivisionError("a bug"))
            await asyncio.Event().wait()


async def test_a_step_that_waits_ends_with_the_context() -> None:
    """Nobody is left waiting for a runtime that is gone."""
    source = Scripted({}, name="first")
    silent = Scripted(name="silent", optional=False)
    opening = asyncio.create_task(_open(source, silent))
    while source._feed is None:
        await asyncio.sleep(0)
    step = asyncio.create_task(source.set({"size": 2}))
    await asyncio.sleep(0)
    await silent.fail("gone")
    with pytest.raises(Closed):
        await step
    with pytest.raises(StartupError):
        await opening


async def _open(*sources: Scripted) -> None:
    async with open_config(App, *sources):
        pass


async def test_last_good_starts_where_the_content_does_not_fit() -> None:
    """The scripted last good state is what an etcd mirror would be."""
    source = Scripted({"size": "many"}, last_good={"size": 3})
    async with open_config(App, source) as config:
        assert config.current.size == 3
        assert config.status().sources[0].held


async def test_raw_deltas_carry_what_the_steps_do_not_make() -> None:
    """`send` says any delta: two units in one, revisions of one's own."""
    source = Scripted({"size": 4})
    async with open_config(App, source) as config:
        entries = {"good": Entry(("log", "a"), "INFO", "one", 10), "size": Entry(("size",), "x", "other", 11)}
        with pytest.raises(Rejected):
            await source.send(Patch(entries, {}, 11))
        assert config.current == App(4, {"a": "INFO"})
        await source.send(Replace({"size": Entry(("size",), 6, "third", 12)}, 12))
        assert config.current == App(6)


async def test_the_first_delta_is_a_replace_whatever_is_said_first() -> None:
    """A script cannot break the contract by accident."""
    source = Scripted()
    feed = RecordingFeed()
    task = asyncio.create_task(source.run(feed))
    await asyncio.sleep(0)
    await source.set({"size": 1})
    assert isinstance(feed.deltas[0], Replace)
    task.cancel()
    await asyncio.wait([task])


async def test_trees_are_copied() -> None:
    """Later changes to what a test passed have no effect."""
    tree = {"log": {"a": "INFO"}}
    source = Scripted(tree)
    tree["log"]["a"] = "changed"
    async with open_config(App, source) as config:
        assert config.current.log == {"a": "INFO"}


async def test_keys_are_text() -> None:
    """A key that no file could have is refused with its path."""
    source = Scripted()
    with pytest.raises(TypeError, match="log: expected str keys, got an int"):
        await source.set({"log": {1: "INFO"}})
