"""What etcd holds under the source's range, as far as it was told. Pure; only the source's one reader writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from reactive_config._core.delta import Malformed, Patch, Replace, Unit
from reactive_config._etcd.messages import Item, KeyChange, Listing, StoreHead
from reactive_config._formats.keys import KEY_SUFFIXES
from reactive_config._sources.etcd.key_documents import KeyDocument, Read


class EmptiedLayers:
    """Counts documents by layer, and looks at how the last one of a layer went.

    Attributes:
        layers: Those without a document whose last one was deleted by a transaction that deleted nothing else. A
            list does not tell how the last one went, so it adds none, and keeps those that are still empty.
        accepted: Those of which nothing need be in force: emptied, or with documents. If none of these fits, that is
            no reason to keep what was deleted.
    """

    def __init__(self) -> None:
        self.layers: frozenset[int] = frozenset()
        self.accepted: frozenset[int] = frozenset()
        self._documents: Counter[int] = Counter()

    def listed(self, layers: Iterable[int]) -> None:
        """A list brought these documents, told by their layers, and no others."""
        self._documents = Counter(layers)
        self.layers -= self._documents.keys()
        self.accepted = self.layers | self._documents.keys()

    def put(self, layer: int) -> None:
        """A layer has one document more."""
        self._documents[layer] += 1
        if layer not in self.accepted:
            self.accepted |= {layer}

    def deleted(self, layer: int) -> None:
        """A layer has one document less; `take` follows."""
        self._documents[layer] -= 1

    def take(self, deleted: Mapping[int, Sequence[int]]) -> None:
        """Take what transactions deleted: revision to the layers of its documents, in the order of the revisions."""
        if deleted or self.layers:
            last = {layer: revision for revision, layers in deleted.items() for layer in layers}
            alone = {layer for layer, revision in last.items() if len(deleted[revision]) == 1}
            self.layers = frozenset(layer for layer in alone | self.layers if not self._documents[layer])
            self.accepted = self.layers | {layer for layer, count in self._documents.items() if count}


LARGE = 20_000
"""Keys from which what walks over all of them runs in a thread: 100,000 would hold the event loop for 40 to 140 ms."""

NAMED = 5
"""Ignored keys that a note names; the rest is counted."""


class _LeftOut(msgspec.Struct, frozen=True, gc=False):
    """A key that is left out."""

    revision: int
    size: int
    reason: str


class StoredKey(msgspec.Struct, frozen=True, gc=False):
    """What is known of one key; `raw` is None where its value was not kept, because it is left out."""

    revision: int
    size: int
    raw: bytes | None

    def equals(self, item: Item) -> bool:
        """Whether etcd's is the same."""
        if item.mod_revision != self.revision:
            return False
        return len(item.key) + len(item.value) == self.size if self.raw is None else item.value == self.raw


class KeyNames(msgspec.Struct, frozen=True):
    """The keys of a store: those of documents, and those that are left out."""

    documents: list[str]
    left: list[bytes]

    def keys(self) -> list[bytes]:
        """All of them, in no order."""
        return [*map(str.encode, self.documents), *self.left]


class Store:
    """Keys, documents, and which documents are in the way of one another.

    A usual key costs its document and no more: what is unusual about some has tables of its own.

    Attributes:
        revision: The state is that of this revision, and every later change is still to come; 0 before the first list.
        cluster: The id of the cluster it came from.
        term: The highest raft term seen there; within one history it never falls.
        documents: Key to document as read, whether or not it collides with another.
        distrusted: Why etcd is known to hold something else, whatever its revision; empty if it is not.
        emptied: Which layers were emptied on purpose.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.cluster = 0
        self.term = 0
        self.documents: dict[str, KeyDocument] = {}
        self.distrusted = ""
        self.emptied = EmptiedLayers()
        self._left: dict[bytes, _LeftOut] = {}
        # Of two keys that mount one path at least one has a suffix. A key without its suffix, to all that had one.
        self._suffixed: dict[str, tuple[str, ...]] = {}
        # What was sent of a key, where that is another entry than its document.
        self._altered: dict[str, KeyDocument] = {}
        self._newest: int | None = 0
        self._notes: list[str] | None = []

    @property
    def count(self) -> int:
        """Keys in the range, the control area's too."""
        return len(self.documents) + len(self._left)

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        documents = sum(len(name.encode()) + len(document.raw) for name, document in self.documents.items())
        return documents + sum(left.size for left in self._left.values())

    @property
    def newest(self) -> int:
        """The highest mod_revision of a key that is still there; 0 for none."""
        if self._newest is None:
            documents = (document.revision for document in self.documents.values())
            self._newest = max(chain(documents, (left.revision for left in self._left.values())), default=0)
        return self._newest

    def covers(self, sight: StoreHead) -> bool:
        """Whether nothing seen there is still to come.

        Equal newest and count mean an equal state: a key put since would be newer, and a key deleted would be
        missing from the count. So an equal sight also proves the state for its own, later revision.
        """
        if self.revision >= sight.revision:
            return True
        return self.count == sight.count and sight.newest is not None and self.newest == sight.newest

    def names(self) -> KeyNames:
        """Every key, the control area's too: a copy that a thread may work on."""
        return KeyNames(list(self.documents), list(self._left))

    def held(self, key: bytes) -> StoredKey | None:
        """What is known of a key; None if it is not there."""
        document = self.documents.get(key.decode(errors="surrogateescape"))
        if document is not None:
            return StoredKey(document.revision, len(key) + len(document.raw), document.raw)
        left = self._left.get(key)
        return None if left is None else StoredKey(left.revision, left.size, None)

    def equals(self, listing: Listing) -> bool:
        """Whether a listing at our own revision tells of the same keys, revisions and bytes."""
        told = {item.key: (item.mod_revision, item.value) for item in listing.items}
        ours = {name.encode(): (document.revision, document.raw) for name, document in self.documents.items()}
        left = {key: (left.revision, told.get(key, (0, b""))[1]) for key, left in self._left.items()}
        return told == ours | left

    def replace(self, listing: Listing, documents: Sequence[Read]) -> Replace:
        """Take a whole listing; what was there before is forgotten, restored history included.

        Args:
            listing: Every key.
            documents: What each of its items says.
        """
        sent, self._altered = self._altered, {}
        self.documents, self._left, self._suffixed = {}, {}, {}
        self._newest = self._notes = None
        self.distrusted = ""
        self.revision, self.cluster, self.term = listing.sight.revision, listing.sight.cluster, listing.sight.term
        for item, document in zip(listing.items, documents, strict=True):
            if isinstance(document, KeyDocument):
                self.documents[document.place] = document
                self._mount(document.place)
            elif document is not None:
                self._left[item.key] = _LeftOut(item.mod_revision, len(item.key) + len(item.value), document.reason)
        self.emptied.listed([document.layer for document in self.documents.values()])
        for stem, suffixed in self._suffixed.items():
            if len(suffixed) == 1 and stem not in self.documents:
                continue  # nearly all
            names = self._names(stem)
            for name in names if len(names) > 1 else ():
                self._altered[name] = self._colliding(name, names)
        for name, before in sent.items():
            entry = self._altered.get(name) or self.documents.get(name)
            if entry is not None and _says_the_same(before, entry):
                self._altered[name] = before
        return Replace({**self.documents, **self._altered}, self.revision, self.emptied.accepted)

    def patch(self, changes: Sequence[KeyChange], documents: Sequence[Read]) -> Patch:
        """Take whole transactions; those that are covered already change nothing.

        Args:
            changes: The last change of every key, in the order of their transactions.
            documents: What each of the changes says.
        """
        covered = self.revision
        changed: dict[str, KeyDocument] = {}
        deleted: dict[str, Unit] = {}
        touched: dict[str, int] = {}
        layers: dict[int, list[int]] = {}  # of what each transaction deleted
        for change, document in zip(changes, documents, strict=True):
            unit = change.mod_revision
            if unit <= covered:
                continue
            self.revision = unit
            if isinstance(document, KeyDocument):
                name = document.place
                stem = self._put(name, document)
                changed[name] = document
            elif document is not None:
                self._leave_out(change, document.reason)
                continue
            else:
                gone = self._delete(change.key)
                if gone is None:
                    continue
                stem = self._unmount(gone.place)
                deleted[gone.place] = unit
                layers.setdefault(unit, []).append(gone.layer)
            if stem is not None:
                touched[stem] = unit
        for stem, unit in touched.items():
            self._update_sent(stem, unit, changed)
        self.emptied.take(layers)
        return Patch(changed, deleted, self.revision, self.emptied.accepted)

    def advance(self, revision: int) -> None:
        """The state is proven for a later revision; see `covers`."""
        self.revision = max(self.revision, revision)

    def notes(self) -> list[str]:
        """One line for each reason why keys are left out."""
        if self._notes is None:
            self._notes = self._describe_left()
        return self._notes

    def _describe_left(self) -> list[str]:
        reasons: dict[str, list[str]] = {}
        for key in sorted(key for key, left in self._left.items() if left.reason):
            reasons.setdefault(self._left[key].reason, []).append(key.decode("utf-8", "backslashreplace"))
        return [left_out(reason, names) for reason, names in reasons.items()]

    # One key. Those that touch a mount return its stem if other keys mount the same path, or may have.

    def _put(self, name: str, document: KeyDocument) -> str | None:
        if name not in self.documents:
            self.emptied.put(document.layer)
        self.documents[name] = document
        self._newest = document.revision  # revisions only grow, and nothing older than ours gets here
        if self._altered:
            self._altered.pop(name, None)
        return self._mount(name)

    def _leave_out(self, change: KeyChange, reason: str) -> None:
        self._left[change.key] = _LeftOut(change.mod_revision, len(change.key) + len(change.value or b""), reason)
        self._newest = change.mod_revision
        self._notes = None if reason else self._notes

    def _delete(self, key: bytes) -> KeyDocument | None:
        """Forget a key; its document if it had one."""
        name = key.decode(errors="surrogateescape")  # a key that is not UTF-8 is left out
        document, left = self.documents.pop(name, None), self._left.pop(key, None)
        if self._newest in [held.revision for held in (document, left) if held is not None]:
            self._newest = None
        if left is not None and left.reason:
            self._notes = None
        self._altered.pop(name, None)
        if document is not None:
            self.emptied.deleted(document.layer)
        return document

    def _mount(self, name: str) -> str | None:
        if not name.endswith(KEY_SUFFIXES):
            return name if name in self._suffixed else None
        stem = _stem(name)
        others = self._suffixed.get(stem, ())
        if name not in others:
            self._suffixed[stem] = (*others, name)
        return stem

    def _unmount(self, name: str) -> str | None:
        if not name.endswith(KEY_SUFFIXES):
            return name if name in self._suffixed else None
        stem = _stem(name)
        others = tuple(other for other in self._suffixed.pop(stem) if other != name)
        if others:
            self._suffixed[stem] = others
        return stem

    def _names(self, stem: str) -> tuple[str, ...]:
        """The keys that mount one path."""
        suffixed = self._suffixed.get(stem, ())
        # `a.json` is the stem of `a.json.yaml`, and as a key mounts the path of `a`.
        return (stem, *suffixed) if stem in self.documents and not stem.endswith(KEY_SUFFIXES) else suffixed

    def _update_sent(self, stem: str, unit: int, changed: dict[str, KeyDocument]) -> None:
        """Bring what is sent for one path up to date."""
        names = self._names(stem)
        for name in names:
            document = self.documents[name]
            entry = self._colliding(name, names) if len(names) > 1 else document
            if name not in changed:
                if self._altered.get(name, document).value == entry.value:
                    continue
                # Another key's transaction changed what this one is worth, so it is part of that transaction.
                entry = msgspec.structs.replace(entry, unit=unit)
            changed[name] = entry
            if entry is not document:
                self._altered[name] = entry

    def _colliding(self, name: str, names: Sequence[str]) -> KeyDocument:
        """What is sent for a key while another one mounts the same path."""
        both = Malformed("one key for this path", " and ".join(sorted(names)))
        unit = max(self.documents[other].revision for other in names)
        return msgspec.structs.replace(self.documents[name], value=both, unit=unit, locate=None)


def _stem(name: str) -> str:
    return name[: name.rindex(".")]


def _says_the_same(before: KeyDocument, entry: KeyDocument) -> bool:
    if before.raw != entry.raw or before.revision != entry.revision:
        return False
    return type(before.value) is type(entry.value) and bool(before.value == entry.value)


def left_out(reason: str, names: Iterable[str]) -> str:
    """The note about keys that are no configuration of ours."""
    names = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    keys = "1 key is" if len(names) == 1 else f"{len(names)} keys are"
    return f"{keys} left out, {reason}: {', '.join(names[:NAMED])}{more}"
