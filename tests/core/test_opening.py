"""Opening, failing, leaving: what a context promises to the program around it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import anyio
import msgspec
import pytest

from reactive_config import Closed, Memory, Rejected, Secret, StartupError, WrongProcess, open_config
from reactive_config._core.delta import Entry, Malformed, Patch, Replace
from reactive_config._core.source import Source
from reactive_config.errors import SourceError, TypeNotSupported
from reactive_config.status import SourceState


class App(msgspec.Struct, frozen=True):
    n: int
    s: str = ""


class Acting(Source):
    """A source that does what it is told, step by step."""

    def __init__(self, *steps, name="acting", optional=False, good=None):
        self.name, self.layers, self.optional = name, (name,), optional
        self.steps, self.good = steps, good
        self.go = asyncio.Event()
        self.feed = None

    async def run(self, feed):
        self.feed = feed
        for step in self.steps:
            step(feed)
        await self.go.wait()
        raise KeyError("a bug")

    async def last_good(self):
        return self.good


def replace(tree, revision=1):
    return Replace({k: Entry((k,), v, revision, revision) for k, v in tree.items()}, revision)


def deliver(delta):
    def step(feed):
        feed.send(delta)
        feed.state(SourceState.SYNCED)

    return step


def send(tree, revision=1):
    return deliver(replace(tree, revision))


async def test_content_that_does_not_fit_fails_the_start_with_every_problem():
    with pytest.raises(StartupError) as caught:
        async with open_config(App, Memory({"n": "x", "s": 1})):
            pass
    assert {p.path for p in caught.value.problems} == {"n", "s"}
    assert "n: expected int, got 'x' (memory n, revision 1)" in str(caught.value)


async def test_a_missing_required_key_names_what_was_expected():
    with pytest.raises(StartupError, match="n: expected int, got nothing"):
        async with open_config(App, Memory({})):
            pass


async def test_malformed_content_fails_the_start_with_its_place():
    bad = Replace({"f.toml": Entry((), Malformed("a value", "text", 3, 7), "f.toml")})
    with pytest.raises(StartupError, match=r"expected a value, got text \(acting f.toml:3:7\)"):
        async with open_config(App, Acting(deliver(bad))):
            pass


async def test_an_empty_layer_fails_the_start_unless_the_source_is_optional():
    with pytest.raises(StartupError, match="optional=True"):
        async with open_config(dict, Acting(send({}))):
            pass
    async with open_config(dict, Acting(send({}), optional=True)) as config:
        assert config.current == {}


async def test_the_start_timeout_names_each_source_that_is_not_ready():
    silent = Acting(name="silent")
    stale = Acting(lambda feed: feed.state(SourceState.STALE, "no route"), name="stale")
    with pytest.raises(StartupError) as caught:
        async with open_config(App, Memory({"n": 1}), silent, stale, startup_timeout=0.05):
            pass
    assert caught.value.troubles == {"silent": "connecting: no answer yet", "stale": "stale: no route"}


async def test_a_failed_source_ends_the_start_at_once_with_its_reason():
    failed = Acting(lambda feed: feed.state(SourceState.FAILED, "permission denied"))
    with pytest.raises(StartupError, match="acting: permission denied"):
        async with open_config(App, failed, startup_timeout=60):
            pass


async def test_a_source_error_is_a_failed_source():
    class Refusing(Acting):
        async def run(self, feed):
            raise SourceError("wrong certificate")

    with pytest.raises(StartupError, match="wrong certificate"):
        async with open_config(App, Refusing(), startup_timeout=60):
            pass


async def test_an_optional_source_that_cannot_be_reached_does_not_block_the_start():
    away = Acting(lambda feed: feed.state(SourceState.STALE, "no route"), optional=True)
    async with open_config(App, Memory({"n": 1}), away) as config:
        assert config.current.n == 1
        away.feed.send(replace({"n": 2}, 5))
        await config.wait_revision(away, 5)
        assert config.current.n == 2


async def test_the_last_good_state_starts_the_program_when_the_first_does_not_fit():
    source = Acting(send({"n": "bad", "s": "new"}, 7), good=replace({"n": 1, "s": "old"}, 3))
    async with open_config(App, source) as config:
        assert config.current == App(1, "old")
        status = config.status().sources[0]
        assert (status.state, status.reason) == (SourceState.SYNCED, "")  # as if it had come while running
        assert [unit.unit for unit in status.held] == ["revision 7"]
        assert status.notes == ("its content did not fit at the start, so that began with the last good state",)
        source.feed.send(Patch({"n": Entry(("n",), 9, 8, 8)}, {}, 8))
        await config.wait_revision(source, 8)
        assert config.current == App(9, "new")
        assert config.status().sources[0].notes == ()


async def test_a_type_that_cannot_be_decoded_is_refused_before_anything_runs():
    class Odd:
        pass

    class Holder(msgspec.Struct):
        odd: Odd

    with pytest.raises(TypeNotSupported, match="Odd"):
        async with open_config(Holder, Memory({})):
            pass


async def test_an_exception_of_the_body_leaves_unwrapped():
    with pytest.raises(LookupError, match="mine"):
        async with open_config(App, Memory({"n": 1})):
            raise LookupError("mine")


async def test_a_bug_in_a_source_cancels_the_body_and_is_raised():
    source = Acting(send({"n": 1}))
    reached = False
    with pytest.raises(KeyError, match="a bug"):
        async with open_config(App, source):
            source.go.set()
            await anyio.sleep(30)
            reached = True
    assert not reached
    await asyncio.sleep(0)  # the body's cancellation is used up
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_bug_is_raised_even_when_the_body_ends_by_itself():
    source = Acting(send({"n": 1}))
    with pytest.raises(KeyError, match="a bug"):
        async with open_config(App, source) as config:
            source.go.set()
            host = next(t for t in asyncio.all_tasks() if t.get_name() == "open_config")
            try:
                await asyncio.wait([host])
            except asyncio.CancelledError:
                pass
    await asyncio.sleep(0)
    assert config.current.n == 1


async def test_a_cancelled_body_is_cancelled():
    async def body():
        async with open_config(App, Memory({"n": 1})):
            await anyio.sleep(30)

    task = asyncio.ensure_future(body())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_leaving_or_giving_up_leaves_no_task_behind():
    before = asyncio.all_tasks()
    async with open_config(App, Memory({"n": 1}), Acting(send({"s": "x"}))):
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before
    opening = asyncio.ensure_future(open_config(App, Acting()).__aenter__())
    for turns in range(10):
        await asyncio.sleep(0)
        del turns
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert asyncio.all_tasks() == before


async def test_entering_and_leaving_may_happen_in_different_tasks():
    context = open_config(App, memory := Memory({"n": 1}))
    config = await asyncio.ensure_future(context.__aenter__())
    await memory.patch({"n": 2})
    assert config.current.n == 2
    await asyncio.ensure_future(context.__aexit__(None, None, None))


async def test_one_source_serves_one_configuration_at_a_time():
    memory = Memory({"n": 1})
    async with open_config(App, memory):
        with pytest.raises(RuntimeError, match="one configuration"):
            async with open_config(App, memory):
                pass
    async with open_config(App, memory) as config:
        assert config.current.n == 1


async def test_sources_of_one_name_are_told_apart():
    async with open_config(App, Memory({"n": 1}), Memory({"n": 2})) as config:
        assert [s.name for s in config.status().sources] == ["memory", "memory#2"]
        assert [e.value for e in config.explain("n")] == [2, 1]


async def test_a_held_patch_raises_names_the_problem_and_goes_through_once_overwritten(caplog):
    memory = Memory({"n": 1, "s": "a"})
    async with open_config(App, memory) as config:
        with caplog.at_level(logging.WARNING, "reactive_config"), pytest.raises(Rejected, match="n: expected int"):
            await memory.patch({"n": "x", "s": "b"})
        assert config.current == App(1, "a")
        assert "n: expected int, got 'x'" in caplog.text
        await memory.patch({"n": 3})
        assert config.current == App(3, "b")
        assert config.status().sources[0].held == ()


async def test_wait_revision_knows_its_sources():
    async with open_config(App, Memory({"n": 1})) as config:
        await config.wait_revision("memory", 1)
        with pytest.raises(LookupError, match="expected one of the sources memory, got nobody"):
            await config.wait_revision("nobody", 1)


async def test_shape_changes_between_layers_are_noted():
    async with open_config(
        dict, Memory({"a": {"b": 1}, "c": 1}), Memory({"a": 1, "c": {"d": 1}}, name="over")
    ) as config:
        assert [n.split(":")[0] for n in config.status().notes] == ["a", "c"]


async def test_shape_changes_are_those_of_a_fresh_start_also_where_nothing_in_force_changes():
    low, high = Memory({"a": {"b": 1}}), Memory({"a": 1}, name="over")
    async with open_config(dict, low, high) as config:
        note = ("a: over replaces a table by a value, or the reverse",)
        assert config.status().notes == note
        await low.replace({})
        assert config.status().notes == ()
        await low.replace({"a": {"c": 2}})
        assert config.status().notes == note
        assert config.snapshot.generation == 1


async def test_notes_of_shape_changes_are_bounded_printable_and_in_order():
    names = [f"k{number:05}" for number in range(3000)]
    low = {"\n" + "x" * 5000: {}, **{name: {"b": 1} for name in reversed(names)}}
    async with open_config(dict, Memory(low), Memory(dict.fromkeys(low, 1), name="over\x1b")) as config:
        notes = config.status().notes
    assert len(notes) == 21
    assert notes[-1] == "... and 2,981 more places where a layer replaces a table by a value, or the reverse"
    assert [note.split(":")[0] for note in notes[1:20]] == names[:19]
    assert all(note.isprintable() and len(note) < 600 for note in notes)


class Vault(msgspec.Struct, frozen=True):
    dsn: Secret[str]
    codes: list[Secret[int]] = []


async def test_a_secret_shows_nowhere(caplog):
    memory = Memory({"dsn": "canary-1", "codes": [471_001]})
    texts: list[str] = []
    async with open_config(Vault, memory) as config:
        assert config.current.dsn.reveal() == "canary-1"
        for bad in ({"dsn": ["canary-2"]}, {"codes": ["canary-3"]}, {"codes": "canary-4"}, {"dsn": {"canary": 1}}):
            with pytest.raises(Rejected) as caught:
                await memory.patch(bad)
            texts += [str(caught.value), repr(caught.value), repr(caught.value.problems)]
        texts += [repr(x) for x in (config, config.current, config.snapshot, config.status(), config.explain(""))]
        texts += [repr(config.select("dsn")), f"{config.current.dsn}", str(config.explain("codes"))]
    everything = "\n".join([*texts, caplog.text])
    assert "canary-" not in everything
    assert "471001" not in everything
    with pytest.raises(TypeError):
        msgspec.json.encode(config.current)


async def test_another_loop_and_a_forked_child_are_told_so():
    async with open_config(App, Memory({"n": 1})) as config:

        async def elsewhere():
            config.select("n")

        with pytest.raises(WrongProcess, match="event loop"):
            await anyio.to_thread.run_sync(asyncio.run, elsewhere())
        assert await anyio.to_thread.run_sync(lambda: config.current.n) == 1


def test_use_after_fork_raises():
    program = """
import asyncio, os, sys
from reactive_config import Memory, WrongProcess, open_config

async def main():
    async with open_config(dict, Memory({"n": 1})) as config:
        child = os.fork()
        if child == 0:
            try:
                await config.select("n").wait_changed()
            except WrongProcess as error:
                os._exit(42 if "forked child" in str(error) and config.current == {"n": 1} else 1)
            os._exit(2)
        sys.exit(0 if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42 else 1)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


async def test_waiting_for_a_revision_after_the_end_says_closed():
    async with open_config(App, Memory({"n": 1})) as config:
        waiting = asyncio.ensure_future(config.wait_revision("memory", 99))
        await asyncio.sleep(0)
    with pytest.raises(Closed):
        await waiting
    with pytest.raises(Closed):
        await config.wait_revision("memory", 1)


async def test_an_entry_of_a_layer_that_its_source_does_not_have_is_a_bug():
    bad = Replace({"n": Entry(("n",), 1, 1, layer=3)})
    with pytest.raises(ValueError, match="expected a layer from 0 to 0, got 3"):
        async with open_config(App, Acting(deliver(bad))):
            pass


async def test_the_start_timeout_starts_without_a_silent_optional_source():
    async with open_config(App, Memory({"n": 1}), Acting(optional=True), startup_timeout=0.05) as config:
        assert config.current.n == 1


async def test_the_start_waits_until_a_source_says_that_it_is_synced():
    source = Acting(send({"n": 1}), lambda feed: feed.state(SourceState.CONNECTING))
    opening = asyncio.ensure_future(open_config(App, source).__aenter__())
    while source.feed is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not opening.done()
    source.feed.state(SourceState.SYNCED)
    config = await opening
    assert config.status().sources[0].state is SourceState.SYNCED
    source.go.set()


async def test_the_status_tells_since_when_a_source_is_stale_whatever_it_says_of_it_later():
    source = Acting(send({"n": 1}))
    async with open_config(App, source) as config:
        source.feed.state(SourceState.STALE, "connection refused")
        since = config.status().sources[0].since
        source.feed.state(SourceState.STALE, "no leader")
        status = config.status().sources[0]
        assert (status.since, status.reason) == (since, "no leader")
        source.feed.state(SourceState.SYNCED)
        assert config.status().sources[0].since > since
