"""Keys, values and revisions: what etcd is, and what SQLite is made to be. All that releases are is built on this.

A store has one counter. Every write is one transaction that raises it by one, and gives all the keys that it writes
the new revision. The order of writes is the order of revisions; no clock has a part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from reactive_config.errors import ReactiveConfigError

MOST_OPERATIONS = 128
"""Puts and deletes of one transaction: what etcd takes."""

MOST_KEYS = 120
"""Keys of configuration among them: a release needs some itself."""

MOST_BYTES = 1_400_000
"""Bytes of one transaction, keys and values together: etcd takes 1.5 MiB, and its own framing counts."""


CONTROL = "_control/"
"""Below it stands what is no configuration. No name begins with `_`, so no environment reaches it."""

HEADS = f"{CONTROL}heads/"
"""Below it stands what was released last in each environment."""

TOKENS = f"{CONTROL}tokens/"
"""Below it stand the hashes of access tokens."""


def is_followed(key: str) -> bool:
    """Whether `follow` tells of a key: configuration, heads and tokens."""
    return key.startswith((HEADS, TOKENS)) or not key.startswith("_")


class Stored(msgspec.Struct, frozen=True, gc=False):
    """What stands at a key.

    Attributes:
        value: Bytes as written.
        revision: Of the transaction that wrote it last.
    """

    value: bytes
    revision: int

    def __repr__(self) -> str:
        return f"Stored(revision={self.revision})"  # the value may be a secret


class StoreListing(msgspec.Struct, frozen=True):
    """Every followed key, as of one revision. What was known before is forgotten.

    Attributes:
        keys: Key to what stands there.
        revision: Of the store.
    """

    keys: Mapping[str, Stored]
    revision: int


class StoreChanges(msgspec.Struct, frozen=True):
    """Whole transactions, in their order; where several wrote one key, the last one counts.

    Attributes:
        changed: Key to what stands there now; None for one that was deleted. Followed keys only.
        revision: Of the last transaction, also if it wrote no followed key.
    """

    changed: Mapping[str, Stored | None]
    revision: int


class Write(msgspec.Struct, frozen=True):
    """One transaction.

    Attributes:
        puts: Key to value.
        deletes: Keys; one that is not there is no error.
        unchanged: Key to the revision that it must have; 0 says that it must not be there.
        quiet: Prefix to a revision: no key below it may be newer.
    """

    puts: Mapping[str, bytes]
    deletes: frozenset[str] = frozenset()
    unchanged: Mapping[str, int] = {}
    quiet: Mapping[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        return sum(len(key.encode()) + len(value) for key, value in self.puts.items()) + sum(
            len(key.encode()) for key in self.deletes
        )


class KeyStore(Protocol):
    """Where releases are kept. One object serves any number of tasks of one loop."""

    @property
    def name(self) -> str:
        """What a person calls it: never with a password."""

    async def commit(self, write: Write) -> int:
        """Make the transaction; return its revision.

        Raises:
            KeysMoved: A condition does not hold; nothing was written.
            StoreTooLarge: More than the store takes in one transaction; nothing was written.
            StoreAway: Whether it was written is unknown, unless it says otherwise.
            StoreRefused: A person is needed.
        """

    async def get(self, key: str) -> Stored | None:
        """What stands at a key now: never older than a write that was acknowledged to anybody before."""

    async def scan(self, prefix: str, start: str, end: str, limit: int) -> list[tuple[str, Stored]]:
        """The last keys, newest name first.

        Args:
            prefix: Of all of them.
            start: What follows the prefix in the first key that counts.
            end: What follows it in the first one that does not.
            limit: How many at most.
        """

    async def follow(self, take: Callable[[StoreNews], object]) -> None:
        """Tell of all keys that are followed until cancelled: a listing, and then what changes, without a gap.

        Args:
            take: Called with each piece of news, from this loop. `StoreAway` says that the store does not answer; a
                listing or changes come when it is back.
        """


class StoreError(ReactiveConfigError):
    """A store cannot do what it was asked for. The text is for a person, and holds no value."""


class KeysMoved(StoreError):
    """Somebody else has written meanwhile; nothing was written.

    Attributes:
        revision: Whoever knows of it knows what has changed, unless that was only deleted.
    """

    def __init__(self, text: str, revision: int) -> None:
        super().__init__(text)
        self.revision = revision


class StoreTooLarge(StoreError):
    """One transaction has more keys or bytes than the store takes; nothing was written."""


class StoreAway(StoreError):
    """The store does not answer. What was to be written may have been written."""


class NotWritten(StoreAway):
    """The store could not even be asked: nothing was written."""


class StoreRefused(StoreError):
    """The store answers, and will not do it until a person has mended something: rights, space, version."""


StoreNews = StoreListing | StoreChanges | StoreAway
