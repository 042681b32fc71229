"""What a source may know of what it sent: whether it is in force, and up to which revision nothing waits."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from reactive_config import open_config
from reactive_config._core.delta import Entry, Malformed, Patch, Replace
from reactive_config._core.source import Source
from reactive_config.status import SourceState


class App(msgspec.Struct, frozen=True):
    n: int
    s: str = ""


def entry(name, value, unit):
    return Entry((name,), value, unit, unit if isinstance(unit, int) else 0)


class Speaking(Source):
    name = "speaking"
    layers = ("speaking",)

    def __init__(self, good=None):
        self.feed, self.good = None, good

    async def run(self, feed):
        self.feed = feed
        feed.send(Replace({"n": entry("n", 1 if self.good is None else "bad", 7)}, 7))
        feed.state(SourceState.SYNCED)
        await asyncio.Event().wait()

    async def last_good(self):
        return self.good


async def test_a_source_hears_whether_all_that_it_sent_is_in_force():
    source = Speaking()
    async with asyncio.timeout(5), open_config(App, source) as config:
        feed = source.feed
        assert await feed.wait_taken()
        feed.send(Patch({"n": entry("n", "bad", 8)}, {}, 8))
        assert not await feed.wait_taken()
        mended = asyncio.ensure_future(feed.wait_in_force())
        feed.send(Patch({"s": entry("s", "x", 9)}, {}, 9))
        assert not await feed.wait_taken()
        assert not mended.done()
        feed.send(Patch({"n": entry("n", 2, 10)}, {}, 10))
        await mended
        assert config.current == App(2, "x")


async def test_the_accepted_revision_is_the_newest_of_which_nothing_waits():
    source = Speaking()
    async with asyncio.timeout(5), open_config(App, source):
        feed = source.feed
        assert feed.accepted_revision == 7
        for revision, name, value, accepted in [(8, "n", "bad", 7), (9, "s", "x", 7), (10, "n", 2, 10)]:
            feed.send(Patch({name: entry(name, value, revision)}, {}, revision))
            await feed.wait_taken()
            assert feed.accepted_revision == accepted


async def test_at_a_start_on_the_last_good_state_it_is_that_states():
    source = Speaking(Replace({"n": entry("n", 5, 3)}, 3))
    async with asyncio.timeout(5), open_config(App, source) as config:
        assert not await source.feed.wait_taken()
        assert (config.current, source.feed.accepted_revision) == (App(5), 3)


async def test_what_a_replace_lacks_may_belong_to_a_unit_and_is_held_with_it():
    source = Speaking()
    async with asyncio.timeout(5), open_config(App, source) as config:
        source.feed.send(Patch({"s": entry("s", "x", 8)}, {}, 8))
        assert await source.feed.wait_taken()
        source.feed.send(Replace({"n": entry("n", "bad", "edit")}, 8, deleted_by="edit"))
        assert not await source.feed.wait_taken()
        assert config.current == App(1, "x")
        assert [unit.unit for unit in config.status().sources[0].held] == ["edit"]
        source.feed.send(Replace({"n": entry("n", 2, "edit")}, 8, deleted_by="edit"))
        assert await source.feed.wait_taken()
        assert config.current == App(2)


def said(caplog):
    """What the log said since it was asked last, without how long something was held."""
    found = [record.getMessage().partition(", after ")[0] for record in caplog.records]
    caplog.clear()
    return found


async def test_what_a_relist_found_gone_is_named_and_no_place_that_is_no_more():
    source = Speaking()
    async with asyncio.timeout(5), open_config(App, source) as config:
        source.feed.send(Patch({"s": entry("s", "x", 8)}, {}, 8))
        source.feed.send(Replace({"s": entry("s", "x", 8)}, 9))
        assert not await source.feed.wait_taken()
        (held,) = config.status().sources[0].held
        assert list(map(str, held.problems)) == ["n: expected int, got nothing, as n is gone"]


async def test_two_entries_of_one_path_that_say_the_same_are_told_once():
    source = Speaking()
    async with asyncio.timeout(5), open_config(App, source) as config:
        both = {name: Entry(("s",), Malformed("one key", "two"), 8, 8, place=name) for name in ("a", "b")}
        source.feed.send(Patch(both, {}, 8))
        assert not await source.feed.wait_taken()
        (held,) = config.status().sources[0].held
        assert list(map(str, held.problems)) == ["s: expected one key, got two (speaking a, revision 8)"]


async def test_a_state_of_another_origin_is_told_from_one_that_overwrites(caplog):
    caplog.set_level(logging.INFO, "reactive_config")
    source = Speaking()
    async with asyncio.timeout(5), open_config(App, source):
        good = entry("n", 1, 7)
        for delta, why in [
            (Replace({"n": good}, 8, deleted_by="hand edit"), "the hand edit comes in its place"),
            (Patch({"n": good}, {}, 9), "overwritten or taken back"),
        ]:
            source.feed.send(Patch({"n": entry("n", "bad", 8)}, {}, 8))
            assert not await source.feed.wait_taken()
            said(caplog)
            source.feed.send(delta)
            assert await source.feed.wait_taken()
            assert said(caplog) == [f"no longer held: revision 8 of speaking ({why}"]
