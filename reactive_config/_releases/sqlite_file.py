"""The file of a SQLite store: its tables, its version, and what its errors mean for a person."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reactive_config._printable import printable
from reactive_config._releases.key_store import NotWritten, StoreAway, StoreRefused

LOCK_SECONDS = 5.0
"""How long a write waits for another process."""

APPLICATION = 0x72633031
"""SQLite's `application_id` of our files: "rc01"."""

VERSION = 1
"""Of the tables; SQLite's `user_version`."""

_TABLES = """
CREATE TABLE counter (revision INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
CREATE TABLE keys (key TEXT PRIMARY KEY, value BLOB, revision INTEGER NOT NULL);
CREATE INDEX keys_by_revision ON keys (revision);
"""

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gfs2", "ocfs2"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs"),
    )
)
"""File systems on which SQLite's locks and its shared memory do not work between hosts."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and make it and its tables where there are none. Used by the calling thread only.

    Raises:
        StoreRefused: See the text.
        sqlite3.Error: See `told`.
    """
    kind = _network_file_system(path)
    if kind:
        raise StoreRefused(f"{_shown(path)}: expected a local file system, got {kind}; take --store etcd://... there")
    _make(path)
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file a path names; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    """Make the file, if there is none, so that nobody else may read it. SQLite gives its other files the same rights.

    One that is there is not opened: when this process closes any descriptor of the file, it gives back all locks that
    it has on it. Then another process would take SQLite's write-ahead log away under our connections.
    """
    if path.exists():
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreRefused(f"{_shown(path)}: {error.strerror}") from None


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreRefused(f"{_shown(path)}: expected a file system with SQLite's write-ahead log, got one without")
    connection.execute("PRAGMA synchronous = FULL")
    if _number(connection, "application_id") == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        connection.execute("BEGIN IMMEDIATE")  # of several processes that start at once, one makes the tables
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _TABLES.strip().splitlines():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    if _number(connection, "application_id") != APPLICATION:
        raise StoreRefused(f"{_shown(path)}: expected a database of reactive_config, got another one")
    version = _number(connection, "user_version")
    if version > VERSION:
        raise StoreRefused(f"{_shown(path)}: expected version {VERSION} at most, got {version}, of a newer program")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        StoreRefused: A person is needed.
        StoreAway: It may go by itself.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    else:
        return
    kind = next((kind for kind in _MEANINGS if name.startswith(kind)), "")
    what, advice = _MEANINGS.get(kind, (f"SQLite says {name}", ""))
    if kind == "SQLITE_IOERR":  # at a commit, nobody knows how far it came
        raise StoreAway(f"{_shown(path)}: {what}{advice}")
    trouble = NotWritten if kind == "SQLITE_BUSY" else StoreRefused
    raise trouble(f"{_shown(path)}: {what}; nothing was written{advice}")


_READ_ONLY = "whether this user may write to it and to the files beside it, and whether the disk is mounted read-only"

_MEANINGS = {
    "SQLITE_BUSY": (f"locked by another process for {LOCK_SECONDS:g} s", ""),
    "SQLITE_LOCKED": ("locked", ""),
    "SQLITE_FULL": ("the disk is full", "; make room on it"),
    "SQLITE_READONLY": ("it may only be read", f"; see {_READ_ONLY}"),
    "SQLITE_CANTOPEN": ("it cannot be opened", f"; see whether its directory is there, {_READ_ONLY}"),
    "SQLITE_PERM": ("no permission", ""),
    "SQLITE_NOTADB": ("expected a database, got another file", ""),
    "SQLITE_CORRUPT": ("the database is damaged", "; restore a copy"),
    "SQLITE_IOERR": ("the disk could not be read or written", "; see whether it is full, mounted read-only or damaged"),
}
"""What the begin of an error's name means, and what a person can do then."""


def _network_file_system(path: Path) -> str:
    """The kind of the network file system that a file is on; empty for a local one, or where nobody can tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
        place = path.parent.resolve()
    except OSError:
        return ""
    kind = file_system_of(place, mounts)
    return kind if kind in _NETWORK else ""


def file_system_of(place: Path, mounts: bytes) -> str:
    """The kind of the file system that a directory is on, by Linux' `/proc/self/mountinfo`; empty if none is said."""
    longest, kind = -1, ""
    # Names of directories are bytes, of any encoding; spaces and the like are octal escapes there.
    for line in mounts.decode("latin-1").split("\n"):
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = Path(os.fsdecode(fields[4].encode("latin-1").decode("unicode_escape").encode("latin-1")))
        if len(point.parts) >= longest and (point == place or point in place.parents):
            longest, kind = len(point.parts), right.split(" ")[0]
    return kind


def _shown(path: Path) -> str:
    return printable(str(path))
