"""What an environment holds: documents at keys, and the tree that they make. Immutable; a change shares the rest.

Keys and values mean what they mean to the `Etcd` source: a key is a path and its value a document there, deeper keys
win, a value that is no JSON is bare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Bare, Entry, Malformed, Tree
from reactive_config._core.layers import Layer
from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT
from reactive_config._formats.keys import EMPTY_SEGMENT, read_value, split_key, suffix_of

_ALL_BITS = (1 << 256) - 1

RECENT = 8
"""Documents that are remembered with what they say: a change reads one when it is planned, made and read back."""

KeyEdits = Mapping[str, bytes | None]
"""Key to its new bytes; None deletes it."""


class StoredDocument(msgspec.Struct, frozen=True, gc=False):
    """One key and what it says.

    Attributes:
        key: Below its environment.
        raw: Its bytes.
        path: Where its document stands.
        value: The document, or why it cannot be read.
        digest: A strong hash of key and bytes.
        revision: Of the transaction that wrote it; 0 for one that is planned, or of the past.
    """

    key: str
    raw: bytes
    path: Path
    value: Tree | Malformed
    digest: bytes
    revision: int = 0

    def __repr__(self) -> str:
        return f"StoredDocument({self.key!r})"  # the bytes may be a secret

    @property
    def suffix(self) -> str:
        """The part of the key that names a format; empty for JSON or a bare value."""
        return suffix_of(self.key)

    @property
    def is_bare(self) -> bool:
        """Whether its value keeps its text until a type says what it is."""
        return type(self.value) is Bare


def read_stored(key: str, raw: bytes, revision: int = 0) -> StoredDocument:
    """The document at a key; what cannot be read becomes `Malformed`."""
    return StoredDocument(key, raw, *_read(key, raw), revision)


@lru_cache(maxsize=RECENT)
def _read(key: str, raw: bytes) -> tuple[Path, Tree | Malformed, bytes]:
    path, suffix = split_key(key)
    if len(path) > MAX_DEPTH:
        value: Tree | Malformed = Malformed(f"at most {MAX_DEPTH} names in a key", f"{len(path):,}")
    else:
        value = Malformed(*EMPTY_SEGMENT) if "" in path else read_value(raw, suffix, path)
    return path, value, _digest(key, raw)


class TopLevel:
    """All documents below one top-level name.

    Attributes:
        documents: By key.
    """

    def __init__(self, name: str, documents: Mapping[str, StoredDocument]) -> None:
        self.documents = documents
        self._name = name

    @cached_property
    def tree(self) -> Any:
        """What the documents make together; ABSENT if none of them can be read."""
        if len(self.documents) == 1:
            (only,) = self.documents.values()
            if only.path == (self._name,) and type(only.value) is not Malformed:
                return only.value  # most names are one document, which says what a layer of it alone would say
        layer = Layer(self._name)
        for key, document in self.documents.items():
            if key not in self.unreadable:
                layer.put(key, Entry(document.path, document.value, unit=0))
        layer.refold()
        return layer.tree.get(self._name, ABSENT)

    @cached_property
    def unreadable(self) -> frozenset[str]:
        """Keys whose document is in force nowhere: it is malformed, or another key mounts the same path."""
        malformed = {key for key, document in self.documents.items() if type(document.value) is Malformed}
        return self._colliding | malformed

    @cached_property
    def _colliding(self) -> frozenset[str]:
        by_path: dict[Path, list[str]] = {}
        for key, document in self.documents.items():
            by_path.setdefault(document.path, []).append(key)
        return frozenset(key for keys in by_path.values() if len(keys) > 1 for key in keys)

    @cached_property
    def digest(self) -> bytes:
        """Differs if a key or its bytes differ."""
        summed = hashlib.sha256()
        for key in sorted(self.documents):
            summed.update(self.documents[key].digest)
        return summed.digest()


class Contents:
    """The documents of an environment, by their top-level names.

    Attributes:
        names: Top-level name to its documents.
        count: Keys.
    """

    def __init__(self, names: Mapping[str, TopLevel], count: int, fingerprint: int) -> None:
        self.names = names
        self.count = count
        self._fingerprint = fingerprint

    def __iter__(self) -> Iterator[StoredDocument]:
        for top in self.names.values():
            yield from top.documents.values()

    def get(self, key: str) -> StoredDocument | None:
        """The document at a key."""
        top = self.names.get(name_of(key))
        return None if top is None else top.documents.get(key)

    @property
    def fingerprint(self) -> str:
        """Differs if any key or byte differs. It guards against accidents, not against people."""
        return f"{self._fingerprint:064x}"

    @cached_property
    def tree(self) -> dict[str, Any]:
        """What all documents make together."""
        trees = {name: top.tree for name, top in self.names.items()}
        return {name: tree for name, tree in trees.items() if tree is not ABSENT}

    @cached_property
    def digest(self) -> bytes:
        """A strong hash of all keys and bytes; those of documents have their names in them."""
        return hashlib.sha256(b"".join([self.names[name].digest for name in sorted(self.names)])).digest()

    def edited(self, edits: KeyEdits, revisions: Mapping[str, int] = {}) -> Contents:
        """These contents with some keys written or deleted.

        Args:
            edits: Key to its bytes, None for one that is gone.
            revisions: Key to the revision that wrote it.
        """
        names, count, fingerprint = dict(self.names), self.count, self._fingerprint
        by_name: dict[str, dict[str, StoredDocument]] = {}
        for key, raw in edits.items():
            name = name_of(key)
            if name not in by_name:
                by_name[name] = dict(names[name].documents) if name in names else {}
            documents = by_name[name]
            before = documents.pop(key, None)
            if before is not None:
                count, fingerprint = count - 1, fingerprint - _number(before)
            if raw is not None:
                revision = revisions.get(key, 0)
                if before is not None and before.raw == raw:  # it need not be read again
                    documents[key] = msgspec.structs.replace(before, revision=revision)
                else:
                    documents[key] = read_stored(key, raw, revision)
                count, fingerprint = count + 1, fingerprint + _number(documents[key])
        for name, documents in by_name.items():
            if documents:
                names[name] = TopLevel(name, documents)
            else:
                names.pop(name, None)
        return Contents(names, count, fingerprint & _ALL_BITS)

    def edits_to(self, other: Contents) -> dict[str, bytes | None]:
        """What has to be written and deleted to make these contents the other ones."""
        edits: dict[str, bytes | None] = {}
        for name in self.names.keys() | other.names.keys():
            old, new = self.names.get(name), other.names.get(name)
            if old is new:
                continue
            before = old.documents if old is not None else {}
            after = new.documents if new is not None else {}
            edits |= {key: document.raw for key, document in after.items() if _raw(before, key) != document.raw}
            edits |= dict.fromkeys(before.keys() - after.keys())
        return edits


EMPTY = Contents({}, 0, 0)


def name_of(key: str) -> str:
    """The top-level name that a key says something about."""
    first, slash, _ = key.partition("/")
    return first if slash else first.removesuffix(suffix_of(first))


def _raw(documents: Mapping[str, StoredDocument], key: str) -> bytes | None:
    document = documents.get(key)
    return None if document is None else document.raw


def _digest(key: str, raw: bytes) -> bytes:
    name = key.encode()
    return hashlib.sha256(len(name).to_bytes(8, "big") + name + raw).digest()


def _number(document: StoredDocument) -> int:
    return int.from_bytes(document.digest, "big")
