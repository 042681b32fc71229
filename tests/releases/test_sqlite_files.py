"""The file of a SQLite store among processes, disks and files of others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reactive_config._releases import sqlite_store
from reactive_config._releases.key_store import KeysMoved, StoreAway, StoreRefused, Write
from reactive_config._releases.sqlite_file import VERSION, connect, file_system_of, told
from reactive_config._releases.sqlite_store import _commit, _pull, open_sqlite_store

from .conftest import following

OPEN_AND_CLOSE = """
import asyncio, sys
from pathlib import Path
from reactive_config._releases.key_store import Write
from reactive_config._releases.sqlite_store import open_sqlite_store

async def main():
    async with open_sqlite_store(Path(sys.argv[1])) as store:
        if len(sys.argv) > 2:
            await store.commit(Write({sys.argv[2]: b"x"}))
        print((await store.get("a/b/c")) is not None)

asyncio.run(main())
"""


async def another_process(path, *write):
    program = [sys.executable, "-c", OPEN_AND_CLOSE, str(path), *write]
    done = await asyncio.to_thread(subprocess.run, program, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_another_process_that_ends_takes_nothing_away(tmp_path):
    """It is the last to close the file, as far as it can see, unless our locks are still there."""
    path = tmp_path / "x.db"
    async with open_sqlite_store(path) as store:
        await store.commit(Write({"a/b/first": b"1"}))
        await store.get("a/b/first")  # so that both connections are open
        assert await another_process(path, "a/b/other") == "False"
        await store.commit(Write({"a/b/c": b"1"}))
        assert await another_process(path) == "True"
        assert await store.get("a/b/other") is not None
    assert await another_process(path) == "True"


async def test_nobody_else_may_read_it(tmp_path):
    path = tmp_path / "x.db"
    async with open_sqlite_store(path) as store:
        await store.commit(Write({"a/b/c": b"1"}))
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "content", [b"no database at all, but a longer text than that", b"SQLite format 3\0 and no more"]
)
async def test_another_file_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "x.db"
    path.write_bytes(content * 50)
    with pytest.raises(StoreRefused, match=r"expected a database|damaged"):
        async with open_sqlite_store(path):
            pass
    assert path.read_bytes() == content * 50


async def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (a)")
        connection.commit()
    with pytest.raises(StoreRefused, match="of reactive_config, got another one"):
        async with open_sqlite_store(path):
            pass


async def test_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "x.db"
    async with open_sqlite_store(path) as store:
        await store.commit(Write({"a/b/c": b"1"}))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StoreRefused, match=f"expected version {VERSION} at most, got {VERSION + 1}"):
        async with open_sqlite_store(path):
            pass


async def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(StoreRefused, match="No such file or directory"):
        async with open_sqlite_store(tmp_path / "nowhere" / "x.db"):
            pass


async def test_a_full_disk_writes_nothing_and_says_so(tmp_path):
    path = tmp_path / "x.db"
    async with open_sqlite_store(path) as store:
        await store.commit(Write({"a/b/c": b"1"}))
        pages = await store._writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await store._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        with pytest.raises(StoreRefused, match="the disk is full; nothing was written"):
            await store.commit(Write({"a/b/c": b"2", "a/b/d": b"x" * 1_000_000}))
        assert (await store.get("a/b/c")).value == b"1"
        assert await store.get("a/b/d") is None
        await store.commit(Write({"a/b/c": b"3"}))
        assert (await store.get("a/b/c")).value == b"3"


async def test_a_file_that_may_only_be_read_is_told(tmp_path):
    path = tmp_path / "x.db"
    async with open_sqlite_store(path) as store:
        await store.commit(Write({"a/b/c": b"1"}))
        await store._writer.run(lambda connection: connection.execute("PRAGMA query_only = ON").fetchone())
        with pytest.raises(StoreRefused, match="it may only be read; nothing was written"):
            await store.commit(Write({"a/b/c": b"2"}))
        assert (await store.get("a/b/c")).value == b"1"


async def test_a_crowd_of_processes_that_start_at_once_makes_one_file(tmp_path):
    path = tmp_path / "x.db"
    await asyncio.gather(*(another_process(path, f"a/b/{number}") for number in range(8)))
    async with open_sqlite_store(path) as store:
        rows = await store.scan("a/b/", "", "~", 100)
        assert sorted(stored.revision for _, stored in rows) == list(range(1, 9))
        with pytest.raises(KeysMoved):
            await store.commit(Write({"a/b/1": b""}, unchanged={"a/b/1": 0}))


def test_a_disk_that_fails_leaves_open_what_was_written(tmp_path):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
    with pytest.raises(StoreAway) as caught, told(tmp_path / "x.db"):
        raise error
    assert str(caught.value) == (
        f"{tmp_path}/x.db: the disk could not be read or written; see whether it is full, mounted read-only or damaged"
    )


@pytest.mark.parametrize(
    ("directory", "written"),
    [
        (b"/srv/caf\xe9", b"/srv/caf\xe9"),
        ("/srv/caf\u00e9".encode(), "/srv/caf\u00e9".encode()),
        (b"/srv/a b\\c", rb"/srv/a\040b\134c"),
        (b"/srv/one\x85two", b"/srv/one\x85two"),
    ],
)
def test_a_file_system_is_known_whatever_its_directory_is_called(directory, written):
    mounts = (
        b"22 1 0:20 / / rw - ext4 /dev/sda rw\n36 22 0:33 / " + written + b" rw,noatime shared:1 - nfs4 host:/x rw\n"
    )
    place = Path(os.fsdecode(directory))
    assert file_system_of(place / "below", mounts) == "nfs4"
    assert file_system_of(place.parent, mounts) == "ext4"


async def test_a_commit_looks_at_what_is_newer_and_not_at_every_key(tmp_path):
    async def steps(keys):
        """Hundreds of steps of SQLite that a commit takes in an environment of so many keys."""
        path = tmp_path / f"{keys}.db"
        async with open_sqlite_store(path) as store:
            known = await store.commit(Write({f"a/b/{number}": b"1" for number in range(100)}))
            for start in range(100, keys, 100):
                known = await store.commit(Write({f"a/b/{start + number}": b"1" for number in range(100)}))
        taken = []
        with contextlib.closing(connect(path)) as connection:
            connection.set_progress_handler(lambda: taken.append(1), 100)
            _commit(connection, Write({"a/b/0": b"2"}, quiet={"a/b/": known}), "store")
        return len(taken)

    assert await steps(3000) <= await steps(100) + 5


async def test_what_this_process_writes_is_told_without_reading_it_back(tmp_path, monkeypatch):
    pulls = []
    monkeypatch.setattr(sqlite_store, "POLL", 60.0)
    monkeypatch.setattr(sqlite_store, "_pull", lambda *a, **k: pulls.append(1) or _pull(*a, **k))
    async with open_sqlite_store(tmp_path / "x.db") as store, following(store) as heard:
        for number in range(3):
            last = await store.commit(Write({f"a/b/{number}": b"1", "_other": b"1"}, frozenset(["a/b/0"])))
        await heard.wait(lambda: heard.revision == last)
        assert (heard.keys, len(pulls)) == ({"a/b/1": b"1", "a/b/2": b"1"}, 1)


async def test_what_another_process_wrote_in_between_is_told_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_store, "POLL", 60.0)
    path = tmp_path / "x.db"
    async with open_sqlite_store(path) as store, open_sqlite_store(path) as other, following(store) as heard:
        for number in range(3):
            await other.commit(Write({f"a/b/other{number}": b"1"}))
            last = await store.commit(Write({f"a/b/ours{number}": b"1"}))
        await heard.wait(lambda: heard.revision == last)
        assert len(heard.keys) == 6
