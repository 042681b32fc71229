"""Stores that are gone, moved or mended by hand: what is told, and that writing goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import anyio
import msgspec
import pytest

from reactive_config._releases import releases as releases_module
from reactive_config._releases.key_store import NotWritten, StoreAway, StoreListing, StoreRefused, Write
from reactive_config._releases.path_changes import NeedsForce
from reactive_config._releases.replica import Replica
from reactive_config._releases.sqlite_store import open_sqlite_store

from .conftest import ENVIRONMENT, releasing, says, tree

pytestmark = [pytest.mark.anyio, pytest.mark.half_grid]


async def test_a_history_whose_head_is_gone_goes_on(open_store):
    async with releasing(open_store) as releases:
        for number in range(3):
            await releases.change(ENVIRONMENT, says(a=number))
        revision = await releases._store.commit(Write({}, frozenset([ENVIRONMENT.head])))
        await releases.replica.wait(revision, 5)
        outcome = await releases.change(ENVIRONMENT, says(a=9))
        assert outcome.release.number == 5
        history = await releases.history.releases(ENVIRONMENT)
        assert [(one.number, one.unrecorded) for one in history] == [
            (5, False), (4, True), (3, False), (2, False), (1, False),
        ]  # fmt: skip
        assert [newer.parent for newer in history[:-1]] == [older.hash for older in history[1:]]
        assert tree(releases) == {"a": 9}


async def test_no_release_is_written_over_another(open_store):
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(a=1))
        await releases._store.commit(Write({ENVIRONMENT.release(2): b"somebody's"}))
        with pytest.raises(releases_module.Contended):
            await releases.change(ENVIRONMENT, says(a=2))
        assert (await releases._store.get(ENVIRONMENT.release(2))).value == b"somebody's"


async def test_a_table_that_becomes_a_single_value_needs_a_reason(open_store):
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(many={f"n{number}": number for number in range(50)}, b=1))
        for value in (5, None, []):
            with pytest.raises(NeedsForce, match="removes 50 of 51 values"):
                await releases.change(ENVIRONMENT, says(many=value))
        dry = await releases.change(ENVIRONMENT, msgspec.structs.replace(says(many=5), dry_run=True))
        assert [type(error) for error in dry.violations] == [NeedsForce]
        assert len(dry.changes) == 1


async def test_each_release_is_a_line_of_log(open_store, caplog):
    caplog.set_level(logging.INFO)
    async with releasing(open_store) as releases:
        await releases.change(ENVIRONMENT, says(a=1))
        await releases.change(ENVIRONMENT, msgspec.structs.replace(says(a=2), message="x\n\x1b" + "y" * 500))
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "shop/production: release 1 by somebody: because"
    assert told[1].startswith("shop/production: release 2 by somebody: x\\n\\u001byyy")
    assert len(told[1]) < 300


async def test_a_store_that_is_away_and_back_is_told_once_each(caplog):
    caplog.set_level(logging.INFO)
    wanted = asyncio.Event()

    class Store:
        name = "a store"

        async def follow(self, take):
            take(StoreListing({}, 1))
            for _ in range(3):
                take(StoreAway("a store: no answer"))
            take(StoreListing({}, 2))
            wanted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(Replica(Store()).run())
    with anyio.fail_after(10):
        await wanted.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert [record.getMessage() for record in caplog.records] == [
        "a store: no answer; reads are answered with what was known, if anything was; writes are refused",
        "a store: it answers again",
    ]


async def test_a_write_that_was_not_sent_is_not_looked_for(open_store, monkeypatch):
    """Otherwise a person waits four times as long for the same answer."""
    async with releasing(open_store) as releases:
        asked = []

        async def commit(write):
            raise NotWritten("a test; nothing was written")

        monkeypatch.setattr(releases._store, "commit", commit)
        monkeypatch.setattr(releases._store, "get", asked.append)
        with pytest.raises(NotWritten):
            await releases.change(ENVIRONMENT, says(a=1))
        assert asked == []


@pytest.mark.parametrize("kind", ["moved", "deleted", "replaced"])
async def test_a_database_that_is_not_there_any_more_takes_no_writes(tmp_path, kind):
    path = tmp_path / "releases.db"
    async with open_sqlite_store(path) as store:
        await store.commit(Write({"a": b"1"}))
        if kind == "moved":
            path.rename(tmp_path / "elsewhere.db")
        else:
            path.unlink()
        if kind == "replaced":
            path.write_bytes(b"")
        with pytest.raises(StoreRefused, match="moved, deleted or replaced while it was open"):
            await store.commit(Write({"a": b"2"}))


async def test_a_store_is_not_made_by_those_who_only_look(tmp_path):
    path = tmp_path / "releases.db"
    with pytest.raises(StoreRefused, match="there is no such store"):
        async with open_sqlite_store(path, create=False):
            pass
    assert not path.exists()


async def test_a_database_that_is_back_is_ready_again_though_nothing_has_changed(tmp_path):
    path, elsewhere = tmp_path / "releases.db", tmp_path / "elsewhere.db"
    async with open_sqlite_store(path) as store:
        replica = Replica(store)
        task = asyncio.create_task(replica.run())
        with anyio.fail_after(10):
            await replica.listed.wait()
            path.rename(elsewhere)
            while not replica.away:
                await replica.changed()
            elsewhere.rename(path)
            while replica.away:
                await replica.changed()
        task.cancel()
        await asyncio.wait([task])
