"""What a release is, and how it is written down: a head that can be read, and the changed bytes, compressed.

A release keeps what each key said before and after, so that it can be taken forward and back, whatever was pruned
on either side of it.
"""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from typing import Literal

import msgspec

from reactive_config._releases.contents import Contents, KeyEdits
from reactive_config._releases.key_store import StoreError

GENESIS = "0" * 64
"""The hash before the first release."""

LONGEST_MESSAGE, LONGEST_AUTHOR = 10_000, 200
"""Characters."""

HIGHEST_NUMBER = 10**12
"""No release has this number, or a higher one."""

_ONE_GIBIBYTE = 1 << 30


class DamagedHistory(StoreError):
    """A release in the store is not what was written. Nothing was changed."""


class KeyDelta(msgspec.Struct, frozen=True, array_like=True):
    """How one key changed: what differs, between a begin and an end that stayed.

    Attributes:
        key: Below its environment.
        start: Bytes at the begin that both have.
        end: Bytes at the end that both have.
        before: What stood between; None if the key was not there.
        after: What stands between; None if the key is gone.
    """

    key: str
    start: int
    end: int
    before: bytes | None
    after: bytes | None


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One atomic change of one environment.

    Attributes:
        number: From 1 in each environment.
        author: Who, as the writer says.
        identity: Who wrote it, as the name of an access token; empty where nobody asked who it is.
        time: When, by the clock of the process that wrote it; the order of releases is that of their numbers.
        message: Why, in the author's words.
        kind: `change`; `restore` of an earlier release; `external` for what was written around releases.
        saw: The store's revision that the writer had seen.
        restores: The number of the restored release; 0 for none.
        external: The first and the last revision that is known of what was written around releases.
        forced: The reason given for a change that is larger than usual; empty for none.
        unrecorded: What it changed is not kept, and so nothing before it can be told. It was found around releases, and
            was too large for one transaction, or what was there before it is lost.
        keys: How many keys it changed; 0 if that is unrecorded.
        parent: The hash of the release before.
        hash: Over all of this, the changes, and so over every release before.
        revision: Of its own transaction; 0 where it is not known yet.
    """

    number: int
    author: str
    identity: str = ""
    time: datetime
    message: str = ""
    kind: Literal["change", "restore", "external"] = "change"
    saw: int = 0
    restores: int = 0
    external: tuple[int, int] | None = None
    forced: str = ""
    unrecorded: bool = False
    keys: int = 0
    parent: str = GENESIS
    hash: str = ""
    revision: int = 0


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What was released last in an environment.

    Attributes:
        number: Of the release.
        hash: Of the release.
        fingerprint: Of the contents after it; others mean that somebody wrote around releases.
        whole: Number of a release after which all contents are kept, too; 0 stands for none, and no contents.
        first: Number of the oldest release that is kept.
        size: Bytes of all releases that are kept.
    """

    number: int
    hash: str
    fingerprint: str
    whole: int = 0
    first: int = 1
    size: int = 0


def deltas_between(before: Contents, edits: KeyEdits) -> list[KeyDelta]:
    """How contents change by some edits, in the order of the keys; what changes nothing is left out."""
    deltas = []
    for key in sorted(edits):
        document, new = before.get(key), edits[key]
        old = None if document is None else document.raw
        if old == new:
            continue
        start, end = _common(old or b"", new or b"") if old is not None and new is not None else (0, 0)
        deltas.append(KeyDelta(key, start, end, _middle(old, start, end), _middle(new, start, end)))
    return deltas


def _common(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes at the begin and at the end are the same; they do not overlap in either."""
    most = min(len(old), len(new))
    start = _equal_start(old, new, most)
    left = most - start
    return start, _equal_start(old[::-1], new[::-1], left)


def _equal_start(old: bytes, new: bytes, most: int) -> int:
    if old[:most] == new[:most]:
        return most
    low, high = 0, most  # the first `low` bytes are equal, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _middle(raw: bytes | None, start: int, end: int) -> bytes | None:
    return None if raw is None else raw[start : len(raw) - end]


def forward(contents: Contents, deltas: list[KeyDelta]) -> Contents:
    """The contents after a release, from those before it."""
    return contents.edited({delta.key: _rebuilt(contents, delta, delta.before, delta.after) for delta in deltas})


def back(contents: Contents, deltas: list[KeyDelta]) -> Contents:
    """The contents before a release, from those after it."""
    return contents.edited({delta.key: _rebuilt(contents, delta, delta.after, delta.before) for delta in deltas})


def _rebuilt(contents: Contents, delta: KeyDelta, here: bytes | None, there: bytes | None) -> bytes | None:
    document = contents.get(delta.key)
    raw = None if document is None else document.raw
    if (raw is None) != (here is None) or _middle(raw, delta.start, delta.end) != here:
        raise DamagedHistory(f"{delta.key!r}: a release in the history changed something else than what stood there")
    if there is None:
        return None
    if raw is None:
        return there
    return raw[: delta.start] + there + raw[len(raw) - delta.end :]


def sealed(release: Release, deltas: list[KeyDelta]) -> tuple[Release, bytes]:
    """The release with its hash, and what to store."""
    packed = zlib.compress(msgspec.msgpack.encode(deltas), 6)
    release = msgspec.structs.replace(release, keys=len(deltas), hash="", revision=0)
    release = msgspec.structs.replace(release, hash=_hash(release, packed))
    return release, msgspec.json.encode(release) + b"\n" + packed


def _hash(release: Release, packed: bytes) -> str:
    return hashlib.sha256(msgspec.json.encode(release) + b"\n" + packed).hexdigest()


def read_release(raw: bytes, revision: int) -> Release:
    """The release of a stored record, without its changes.

    Raises:
        DamagedHistory: It is no such record.
    """
    head, _, _ = raw.partition(b"\n")
    try:
        release = msgspec.json.decode(head, type=Release)
    except (msgspec.DecodeError, RecursionError):
        raise DamagedHistory(f"the record of revision {revision} is no release") from None
    return msgspec.structs.replace(release, revision=revision)


def read_deltas(raw: bytes, revision: int) -> list[KeyDelta]:
    """The changes of a stored record.

    Raises:
        DamagedHistory: It is not what was written.
    """
    release = read_release(raw, 0)
    _, _, packed = raw.partition(b"\n")
    if _hash(msgspec.structs.replace(release, hash=""), packed) != release.hash:
        raise DamagedHistory(f"the record of revision {revision} has changed since it was written")
    unpacking = zlib.decompressobj()
    try:
        return msgspec.msgpack.decode(unpacking.decompress(packed, _ONE_GIBIBYTE), type=list[KeyDelta])
    except (zlib.error, msgspec.DecodeError):
        raise DamagedHistory(f"the record of revision {revision} cannot be read") from None


def read_head_record(raw: bytes) -> Head:
    """A stored head.

    Raises:
        DamagedHistory: It is none.
    """
    try:
        head = msgspec.json.decode(raw, type=Head)
    except (msgspec.DecodeError, RecursionError):
        head = None
    if head is None or not 0 < head.number < HIGHEST_NUMBER or not 0 <= head.whole <= head.number:
        raise DamagedHistory("its head is none") from None
    return head
