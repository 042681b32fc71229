"""What was written around releases is recorded whatever its size, and never keeps anybody from writing."""

from __future__ import annotations

import base64
import os

import pytest

from reactive_config._releases import etcd_store, external_changes, sqlite_store, whole_contents
from reactive_config._releases.history import NoSuchRelease
from reactive_config._releases.key_store import KeysMoved, Write

from .conftest import ENVIRONMENT, releasing, says, tree, write_around

pytestmark = pytest.mark.half_grid


def noise(size):
    """A bare text that hardly becomes smaller by being compressed."""
    return b"x" + base64.b85encode(os.urandom(size * 4 // 5))


def limit_transactions(monkeypatch):
    for place in (external_changes, sqlite_store, etcd_store):
        monkeypatch.setattr(place, "MOST_BYTES", 20_000)


def write_of(puts=None, deletes=frozenset()):
    return Write(puts or {}, frozenset(deletes))


async def numbers(releases):
    return [
        (release.number, release.kind, release.unrecorded) for release in await releases.history.releases(ENVIRONMENT)
    ]


async def test_a_key_that_no_record_can_hold_is_unrecorded(open_store, caplog, monkeypatch):
    limit_transactions(monkeypatch)
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(a=1))
        await write_around(releases._store, {"large": noise(19_000)})
        revision = await write_around(releases._store, {"large": noise(19_000), "b": b"2"})
        await releases.replica.wait(revision, 5)
        await releases.settled(ENVIRONMENT)
        revision = await write_around(releases._store, {"large": noise(19_000)})
        await releases.replica.wait(revision, 5)
        outcome = await releases.change(ENVIRONMENT, says(a=2))
        assert outcome.contents.tree.keys() == {"a", "b", "large"}
        found = await numbers(releases)
        assert found[0][1:] == ("change", False)
        assert found[1][1:] == ("external", True)
        first = found[1][0]
        assert (await releases.contents_at(ENVIRONMENT, first)).tree["a"] == 1
        with pytest.raises(NoSuchRelease, match=f"what release {first} changed is not kept"):
            await releases.contents_at(ENVIRONMENT, first - 1)
        state = await releases.settled(ENVIRONMENT)
        assert await releases.who_set(state, ("b",)) is None
        assert (await releases.who_set(state, ("a",))).number == first + 1
    assert f"what release {first} changed is not kept: " in caplog.text


async def test_the_next_process_begins_with_what_is_unrecorded(open_store, monkeypatch):
    limit_transactions(monkeypatch)
    async with releasing(open_store) as releases:
        for _ in range(2):
            revision = await write_around(releases._store, {"large": noise(19_000)})
            await releases.replica.wait(revision, 5)
            await releases.settled(ENVIRONMENT)
        assert (await numbers(releases))[0][1:] == ("external", True)
        await releases.change(ENVIRONMENT, says(a=1))
        await write_around(releases._store, {"b": b"2"})
    async with releasing(open_store) as releases:
        outcome = await releases.change(ENVIRONMENT, says(a=2))
        assert outcome.contents.tree.keys() == {"a", "b", "large"}
        assert [kind for _, kind, _ in await numbers(releases)] == [
            "change",
            "external",
            "change",
            "external",
            "external",
        ]
        assert (await releases.contents_at(ENVIRONMENT, 3)).tree.keys() == {"a", "large"}


async def test_what_nobody_can_tell_any_more_is_unrecorded(open_store):
    """A restored or damaged store may lack what was before; people go on writing to it."""
    async with releasing(open_store) as releases:
        for number in range(3):
            await releases.change(ENVIRONMENT, says(a=number))
        await releases._store.commit(write_of(deletes={ENVIRONMENT.release(2)}))
        await write_around(releases._store, {"b": b"2"})
    async with releasing(open_store) as releases:
        outcome = await releases.change(ENVIRONMENT, says(a=5))
        assert outcome.release.number == 5
        assert [first for _, _, first in await numbers(releases)][:2] == [False, True]
        assert tree(releases).keys() == {"a", "b"}


async def wholes(releases):
    """The numbers of releases whose contents are kept as a whole."""
    rows = await releases._store.scan(ENVIRONMENT.wholes, "", "~", 100)
    return sorted({int(key.removeprefix(ENVIRONMENT.wholes).partition("/")[0]) for key, _ in rows})


async def test_one_whole_is_kept_and_the_head_names_it(open_store, monkeypatch):
    monkeypatch.setattr(whole_contents, "EVERY", 5)
    monkeypatch.setattr(whole_contents, "_CHUNK", 1000)
    async with releasing(open_store) as one, releasing(open_store) as other:
        for number in range(12):
            writer = (one, other)[number % 2]
            outcome = await writer.change(ENVIRONMENT, says(a=number, large=noise(5000).decode()))
            for releases in (one, other):
                await releases.replica.wait(outcome.revision, 5)
        assert await wholes(one) == [10]
        assert one.replica.state(ENVIRONMENT).released.whole == 10
        contents = await whole_contents.WholeContents(one._store).read(ENVIRONMENT, 10)
        assert contents.fingerprint == (await one.contents_at(ENVIRONMENT, 10)).fingerprint


async def test_a_whole_that_was_cut_short_is_none(open_store, monkeypatch):
    """A process that is killed between its parts leaves nothing that the head names, and the next one clears it."""
    monkeypatch.setattr(whole_contents, "_CHUNK", 1000)
    async with releasing(open_store) as releases:
        state = (await releases.change(ENVIRONMENT, says(large=noise(5000).decode()))).contents
        await releases._store.commit(write_of({f"{ENVIRONMENT.wholes}{1:012}/{3:06}": b"x"}))
        kept = whole_contents.WholeContents(releases._store)
        assert await kept.read(ENVIRONMENT, 1) is None
        outcome = await releases.change(ENVIRONMENT, says(a=1))
        await kept.keep(ENVIRONMENT, outcome.release.number, outcome.contents)
        assert await wholes(releases) == [2]
        assert (await kept.read(ENVIRONMENT, 2)).fingerprint == outcome.contents.fingerprint
        assert state.count == 1


async def test_external_changes_alone_keep_wholes_too(open_store, monkeypatch):
    monkeypatch.setattr(whole_contents, "EVERY", 3)
    async with releasing(open_store) as releases:
        for number in range(7):
            await releases.replica.wait(await write_around(releases._store, {"a": str(number).encode()}), 5)
            await releases.settled(ENVIRONMENT)
        assert await wholes(releases) == [6]


async def test_writers_who_only_delete_are_waited_for(open_store):
    """A transaction that only deleted leaves no revision behind that a condition could name."""
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(a=1, b=2))
        commit, moved = releases._store.commit, []

        async def first_delete(write):
            if not moved and ENVIRONMENT.head in write.puts:
                moved.append(True)
                revision = await commit(write_of(deletes={ENVIRONMENT.prefix + "b.json"}))
                assert await releases.replica.wait(revision, 5)
                raise KeysMoved("a test", 0)
            return await commit(write)

        releases._store.commit = first_delete
        outcome = await releases.change(ENVIRONMENT, says(a=3))
        assert outcome.contents.tree == {"a": 3}
        assert [kind for _, kind, _ in await numbers(releases)] == ["change", "external", "change"]
