"""The mirror: a file with the last accepted state, for the hours in which etcd is away.

    {"about": "...", "checksum": "...", "cluster": "14841639068965178418", "format": 1, "of": "/shop/",
     "revision": 812, "taken": 815,
     "keys": {"/shop/debug": {"revision": 800, "value": "true"}}}

Values are the bytes of etcd as text, so a sealed value stays sealed and a person can edit the others. A
content that does not match its checksum is such an edit. Blocking and without a loop: runs in a thread.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import orjson

from reactive_config.errors import ParseError
from reactive_config.formats import registry

try:
    import fcntl
except ImportError:  # no such locks there: processes that share a mirror may overwrite a newer copy once
    LOCKS = False
else:
    LOCKS = True

FORMAT = 1
ABOUT = "Last accepted state. While etcd is away, edits of the values are followed; when it is back, it wins."
LOCK_PATIENCE = 2.0
"""Seconds to wait for another process that writes."""

Signature = tuple[int, int, int, int]


class MirrorError(Exception):
    """The mirror cannot be used; the text says why and holds nothing of its content."""


class Row(msgspec.Struct, frozen=True):
    """One key: its value as text and its mod_revision (0 where an edit gave none)."""

    value: str
    revision: int = 0


class Copy(msgspec.Struct, frozen=True):
    """What a mirror holds.

    Attributes:
        of: The prefix or key, with the layers' names.
        cluster: etcd's cluster id.
        revision: Up to which everything is accepted or superseded.
        taken: Up to which the source had read when the copy was made; orders copies while something is held.
        keys: Key to row.
        edited: The content does not match its checksum.
    """

    of: str
    cluster: int
    revision: int
    taken: int
    keys: Mapping[str, Row]
    edited: bool = False


class Saved(Enum):
    """What became of a copy that was to be saved."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    SUPERSEDED = "another process has written a newer copy"
    EDITED = "there is a hand edit, and etcd is away"
    FOREIGN = "it is the mirror of something else"


class Mirror:
    """One mirror file, shared by any number of processes.

    Args:
        path: The file; a link is followed. Its folder is made when the first copy is written.
        of: What it must be a mirror of.
    """

    def __init__(self, path: Path, of: str) -> None:
        self.path = Path(os.path.realpath(path))
        self._of = of

    def signature(self) -> Signature | None:
        """Changes whenever the file does; None while it is missing."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def load(self) -> Copy:
        """The copy in the file.

        Raises:
            MirrorError: Missing, unreadable, truncated, not a mirror, or the mirror of something else.
        """
        copy = _decode(self._read(), self.path)
        if copy.of != self._of:
            raise MirrorError(f"{self.path} is the mirror of {copy.of}, not of {self._of}")
        return copy

    def save(self, copy: Copy, *, set_aside: bool, rewound: bool) -> Saved:
        """Write a copy, unless the file has a newer one of the same cluster.

        Args:
            copy: The state.
            set_aside: etcd is there: a hand edit is kept beside the file as NAME.edited-TIME.
            rewound: etcd has lost history: a higher revision in the file is no newer copy.

        Raises:
            OSError: The file or its folder cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            verdict = self._judge(copy, set_aside=set_aside, rewound=rewound)
            if verdict is Saved.WRITTEN:
                self._write(_encode(copy))
            return verdict

    def _judge(self, copy: Copy, *, set_aside: bool, rewound: bool) -> Saved:
        if self.signature() is None:
            return Saved.WRITTEN
        try:
            present = _decode(self._read(), self.path)
        except MirrorError:
            present = None
        if present is None or present.edited:
            if not set_aside:
                return Saved.EDITED
            self._keep_beside()
            return Saved.WRITTEN
        if present.of != copy.of:
            return Saved.FOREIGN
        if present.cluster == copy.cluster and not rewound:
            if (present.revision, present.taken) > (copy.revision, copy.taken):
                return Saved.SUPERSEDED
            if present.keys == copy.keys:
                return Saved.UNCHANGED
        return Saved.WRITTEN

    def _keep_beside(self) -> None:
        stamp = f"{self.path}.edited-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        target, count = Path(stamp), 1
        while target.exists():
            target, count = Path(f"{stamp}-{count}"), count + 1
        self.path.rename(target)
        target.chmod(0o600)  # an editor may have left it readable for others

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            reason = "is not there yet"
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        raise MirrorError(f"{self.path} {reason}")

    def _write(self, content: bytes) -> None:
        # One fixed name under the lock: a process killed while it writes leaves no litter that grows.
        scratch = self.path.with_name(f".{self.path.name}.tmp")
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            scratch.chmod(0o600)  # the scratch of a killed process may have had another mode
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)
        _flush_folder(self.path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock(handle)
            yield
        finally:
            os.close(handle)  # gives the lock back

    @staticmethod
    def _lock(handle: int) -> None:
        if not LOCKS:
            return
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return


def _flush_folder(folder: Path) -> None:
    """Have the new name survive a crash of the machine, where a directory can be opened for that.

    Not on Windows, nor where the folder may be written and not read. The copy is in place either way.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(document: Mapping[str, Any]) -> str:
    told = {name: value for name, value in document.items() if name not in ("about", "checksum")}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _encode(copy: Copy) -> bytes:
    keys = {key: {"revision": row.revision, "value": row.value} for key, row in sorted(copy.keys.items())}
    document: dict[str, Any] = {"format": FORMAT, "of": copy.of, "cluster": str(copy.cluster)}
    document |= {"revision": copy.revision, "taken": copy.taken, "keys": keys}
    document = {"about": ABOUT, "checksum": _checksum(document), **document}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _decode(content: bytes, path: Path) -> Copy:
    try:
        document = registry.parse(content, ".json")
    except ParseError as error:
        reason = str(error)  # holds no word of the document
    else:
        try:
            keys = {key: _row(row) for key, row in document["keys"].items()}
            cluster, revision, taken = int(document["cluster"]), int(document["revision"]), int(document["taken"])
            edited = document.get("checksum") != _checksum(document)
            if document["format"] == FORMAT:
                return Copy(str(document["of"]), cluster, revision, taken, keys, edited)
        except (KeyError, TypeError, ValueError, AttributeError):
            pass  # the error might quote the content
        reason = f"expected a mirror of format {FORMAT}, got something else"
    raise MirrorError(f"{path} cannot be used: {reason}")


def _row(row: Any) -> Row:
    """A row as written, or as a person may write it: a bare value, or a table in place of its text."""
    if not isinstance(row, dict) or "value" not in row:
        row = {"value": row}
    value = row["value"]
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return Row(text, int(row.get("revision", 0)))
