"""What the room hands out: plain structs instead of protocol buffers, and ranges of keys as etcd spells them."""

from __future__ import annotations

import msgspec


class Item(msgspec.Struct, frozen=True, gc=False):
    """One key of a list."""

    key: bytes
    value: bytes
    mod_revision: int

    def __repr__(self) -> str:
        return f"Item({self.key!r}, mod_revision={self.mod_revision})"  # a value may be a secret


class KeyChange(msgspec.Struct, frozen=True, gc=False):
    """One key that a transaction touched; `value` is None where it was deleted."""

    key: bytes
    value: bytes | None
    mod_revision: int

    def __repr__(self) -> str:
        kind = "delete" if self.value is None else "put"
        return f"Change({kind} {self.key!r}, mod_revision={self.mod_revision})"


class StoreHead(msgspec.Struct, frozen=True):
    """What a linearizable read told about a range.

    Attributes:
        cluster: The cluster's id; a cluster made anew from the same settings has the same one.
        term: Raft's term, which never falls within one history.
        revision: The store's newest revision at the time of the read.
        count: Keys in the range.
        newest: The highest mod_revision among them, 0 for none; None where it was not asked for.
    """

    cluster: int
    term: int
    revision: int
    count: int
    newest: int | None = None


class Listing(msgspec.Struct, frozen=True):
    """Every key of a range at one revision."""

    sight: StoreHead
    items: tuple[Item, ...]


class Batch(msgspec.Struct, frozen=True):
    """Whole transactions, in the order in which they were made; several may follow each other in one batch."""

    changes: tuple[KeyChange, ...]

    @property
    def revision(self) -> int:
        """Of the last transaction; 0 for a batch without one (a sign of life)."""
        return self.changes[-1].mod_revision if self.changes else 0

    def latest(self) -> tuple[KeyChange, ...]:
        """The last change of every key, in the order of their transactions."""
        last = {change.key: change for change in self.changes}
        if len(last) == len(self.changes):
            return self.changes
        return tuple(sorted(last.values(), key=lambda change: change.mod_revision))


class KeyRange(msgspec.Struct, frozen=True):
    """Keys from `start` on and below `end`; an empty end means the one key `start`."""

    start: bytes
    end: bytes = b""

    def __str__(self) -> str:
        text = self.start.decode("utf-8", "backslashreplace")
        return text if not self.end else f"{text}*"


def prefix_range_end(prefix: bytes) -> bytes:
    r"""The first key after all keys that begin with `prefix`.

    Trailing \xff bytes cannot be counted up and are cut off; where nothing is left there is no upper
    bound, which etcd spells as the single byte zero.
    """
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b"\0"


def prefix_range(prefix: bytes) -> KeyRange:
    """Every key that begins with `prefix`; the empty one means every key there is."""
    return KeyRange(prefix or b"\0", prefix_range_end(prefix))
