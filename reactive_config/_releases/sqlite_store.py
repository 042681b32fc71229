"""A store in one SQLite file, for one host: any number of processes there may read and write it.

One thread writes and another one reads, so that reading does not wait for a disk that is slow to sync.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from reactive_config._printable import printable
from reactive_config._releases.key_store import (
    MOST_BYTES,
    MOST_OPERATIONS,
    KeysMoved,
    StoreAway,
    StoreChanges,
    Stored,
    StoreListing,
    StoreNews,
    StoreRefused,
    StoreTooLarge,
    Write,
    is_followed,
)
from reactive_config._releases.sqlite_file import connect, file_at, told

T = TypeVar("T")

POLL = 0.1
"""Seconds until what another process wrote is seen; what this one wrote is seen at once."""

MOST_UNTOLD = 100
"""Writes of this process that are remembered until they are told; if there are more, the file is read."""

_CURRENT = "SELECT revision FROM counter"


class SqliteStore:
    """A `KeyStore` in a file. Made by `open_sqlite_store`.

    Attributes:
        name: What a person calls it.
    """

    def __init__(self, path: Path, writer: _Thread, reader: _Thread) -> None:
        self.name: str = f"sqlite:{path}"
        self._writer = writer
        self._reader = reader
        self._own_writes: list[_OwnWrites] = []

    async def commit(self, write: Write) -> int:
        """As `KeyStore.commit`."""
        if len(write.puts) + len(write.deletes) > MOST_OPERATIONS or write.size > MOST_BYTES:
            raise StoreTooLarge(
                f"{self.name}: expected at most {MOST_OPERATIONS} keys and {MOST_BYTES:,} bytes in one change, got "
                f"{len(write.puts) + len(write.deletes)} and {write.size:,}"
            )
        revision = await self._writer.run(lambda connection: _commit(connection, write, self.name))
        for own in self._own_writes:
            own.hear(write, revision)
        return revision

    async def get(self, key: str) -> Stored | None:
        """As `KeyStore.get`."""
        return await self._reader.run(lambda connection: _get(connection, key))

    async def scan(self, prefix: str, start: str, end: str, limit: int) -> list[tuple[str, Stored]]:
        """As `KeyStore.scan`."""
        return await self._reader.run(lambda connection: _scan(connection, prefix + start, prefix + end, limit))

    async def follow(self, take: Callable[[StoreNews], object]) -> None:
        """As `KeyStore.follow`."""
        known, away, own = -1, False, _OwnWrites()
        self._own_writes.append(own)
        try:
            while True:
                try:
                    news: StoreListing | StoreChanges | None = own.next(known)
                    if news is None:
                        news = await self._reader.run(partial(_pull, known=known))
                except (StoreAway, StoreRefused) as error:
                    away = True
                    take(StoreAway(str(error)))
                else:
                    if news is None and away:  # nothing has changed, but that it answers
                        news = StoreChanges({}, known)
                    if news is not None:
                        known, away = news.revision, False
                        take(news)
                await own.wait()
        finally:
            self._own_writes.remove(own)


class _OwnWrites:
    """What this process has written, for one who follows the store: if nobody wrote in between, nothing is read."""

    def __init__(self) -> None:
        self._written: deque[tuple[int, Write]] = deque(maxlen=MOST_UNTOLD)
        self._heard = asyncio.Event()

    def hear(self, write: Write, revision: int) -> None:
        """This was written."""
        self._written.append((revision, write))
        self._heard.set()

    def next(self, known: int) -> StoreChanges | None:
        """What was written right after a revision; None if this process did not, so that the file is to be read."""
        self._heard.clear()
        while self._written:
            revision, write = self._written.popleft()
            if revision == known + 1:
                if self._written:
                    self._heard.set()
                changed: dict[str, Stored | None] = {
                    key: Stored(value, revision) for key, value in write.puts.items() if is_followed(key)
                }
                return StoreChanges(changed | dict.fromkeys(filter(is_followed, write.deletes)), revision)
        return None

    async def wait(self) -> None:
        """Return once this process has written, or after `POLL`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._heard.wait()


class _Thread:
    """One thread with one connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="reactive_config sqlite")
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work on the connection; whoever is cancelled while waiting does not stop it."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with told(self._path):
            if self._connection is None:
                self._connection = connect(self._path)
                self._file = file_at(self._path)
            elif file_at(self._path) != self._file:  # what was written now, nobody would find again
                raise StoreRefused(f"{self._path}: it was moved, deleted or replaced while it was open; start again")
            return work(self._connection)

    async def close(self) -> None:
        """End the thread once its work is done."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown(wait=True)

    def _close(self) -> None:
        if self._connection is not None:
            with closing(self._connection):
                pass


@asynccontextmanager
async def open_sqlite_store(path: Path, *, create: bool = True) -> AsyncIterator[SqliteStore]:
    """Open the file.

    Args:
        path: Of the file.
        create: Make it, if there is none.

    Raises:
        StoreRefused: No database of ours, one of a newer version, on a network file system, or without rights.
        StoreAway: Another process has locked it for longer than `LOCK_SECONDS`.
    """
    if not create and file_at(path) is None:
        raise StoreRefused(f"{printable(str(path))}: there is no such store; serve makes one, or set with --create")
    writer, reader = _Thread(path), _Thread(path)
    try:
        await writer.run(_get_revision)
        yield SqliteStore(path, writer, reader)
    finally:
        for thread in (reader, writer):
            await thread.close()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise


def _commit(connection: sqlite3.Connection, write: Write, name: str) -> int:
    with _transaction(connection):
        revision = _get_revision(connection) + 1
        for key, expected in write.unchanged.items():
            stored = _get(connection, key)
            if (stored.revision if stored else 0) != expected:
                raise KeysMoved(f"{name}: a key has changed meanwhile", revision - 1)
        for prefix, newest in write.quiet.items():
            # SQLite would look at every key below the prefix. What is newer is little: this is its index.
            newer = "SELECT 1 FROM keys INDEXED BY keys_by_revision WHERE revision > ? AND key >= ? AND key < ? LIMIT 1"
            if connection.execute(newer, (newest, prefix, _end(prefix))).fetchone():
                raise KeysMoved(f"{name}: a key has changed meanwhile", revision - 1)
        connection.execute("UPDATE counter SET revision = ?", (revision,))
        upsert = "INSERT OR REPLACE INTO keys (key, value, revision) VALUES (?, ?, ?)"
        connection.executemany(upsert, [(key, value, revision) for key, value in write.puts.items()])
        # One that is followed leaves a row behind, for those who ask what has changed.
        gone = [(None, revision, key) for key in write.deletes if is_followed(key)]
        connection.executemany("UPDATE keys SET value = ?, revision = ? WHERE key = ? AND value IS NOT NULL", gone)
        forgotten = [(key,) for key in write.deletes if not is_followed(key)]
        connection.executemany("DELETE FROM keys WHERE key = ?", forgotten)
    return revision


def _get_revision(connection: sqlite3.Connection) -> int:
    return int(connection.execute(_CURRENT).fetchone()[0])


def _get(connection: sqlite3.Connection, key: str) -> Stored | None:
    found = connection.execute("SELECT value, revision FROM keys WHERE key = ? AND value IS NOT NULL", (key,))
    row = found.fetchone()
    return None if row is None else Stored(*row)


def _scan(connection: sqlite3.Connection, start: str, end: str, limit: int) -> list[tuple[str, Stored]]:
    rows = connection.execute(
        "SELECT key, value, revision FROM keys WHERE key >= ? AND key < ? AND value IS NOT NULL"
        " ORDER BY key DESC LIMIT ?",
        (start, end, limit),
    )
    return [(key, Stored(value, revision)) for key, value, revision in rows]


def _pull(connection: sqlite3.Connection, known: int) -> StoreListing | StoreChanges | None:
    """What is new since a revision; everything at first, or if the file is one with an older history."""
    if known >= 0 and _get_revision(connection) == known:
        return None
    connection.execute("BEGIN")  # so that rows and counter are of one moment
    try:
        revision = _get_revision(connection)
        if revision >= known >= 0:
            rows = connection.execute("SELECT key, value, revision FROM keys WHERE revision > ?", (known,))
            return StoreChanges({key: _stored(value, at) for key, value, at in rows if is_followed(key)}, revision)
        rows = connection.execute("SELECT key, value, revision FROM keys WHERE value IS NOT NULL")
        return StoreListing({key: Stored(value, at) for key, value, at in rows if is_followed(key)}, revision)
    finally:
        connection.execute("COMMIT")


def _stored(value: Any, revision: int) -> Stored | None:
    return None if value is None else Stored(value, revision)


def _end(prefix: str) -> str:
    """The first text after all that begin with a prefix; prefixes end in a character that is not the last one."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
