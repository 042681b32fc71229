"""What etcd holds under the source's range, as far as it was told. Pure; only the source's one reader writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from reactive_config.core.delta import Malformed, Patch, Replace, Unit
from reactive_config.core.paths import Path
from reactive_config.etcd.messages import Change, Listing, Sight
from reactive_config.sources.etcd.documents import Document
from reactive_config.sources.etcd.keys import Ignored

Documents = Mapping[bytes, Document | Ignored]
Place = tuple[int, Path]

NAMED = 5
"""Ignored keys that a note names; the rest is counted."""


class Store:
    """Keys, documents, and which documents are in the way of one another.

    Attributes:
        revision: The state is that of this revision, and every later change is still to come; 0 before the first list.
        cluster: The id of the cluster it came from.
        term: The highest raft term seen there; within one history it never falls.
        documents: Key to document as read, whether or not it collides with another.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.cluster = 0
        self.term = 0
        self.documents: dict[str, Document] = {}
        self._seen: dict[bytes, tuple[int, int]] = {}  # every key of the range: mod_revision and size
        self._places: dict[Place, tuple[str, ...]] = {}
        self._sent: dict[str, Document] = {}
        self._ignored: dict[bytes, str] = {}
        self._newest: int | None = 0
        self._notes: list[str] | None = []

    @property
    def count(self) -> int:
        """Keys in the range, the control area's too."""
        return len(self._seen)

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        return sum(size for _, size in self._seen.values())

    @property
    def newest(self) -> int:
        """The highest mod_revision of a key that is still there; 0 for none."""
        if self._newest is None:
            self._newest = max((mod for mod, _ in self._seen.values()), default=0)
        return self._newest

    def covers(self, sight: Sight) -> bool:
        """Whether nothing seen there is still to come.

        Equal newest and count mean an equal state: a key put since would be newer, and a key deleted would be
        missing from the count. So an equal sight also proves the state for its own, later revision.
        """
        if self.revision >= sight.revision:
            return True
        return self.count == sight.count and sight.newest is not None and self.newest == sight.newest

    def equals(self, listing: Listing) -> bool:
        """Whether a listing at our own revision tells of the same keys, revisions and bytes."""
        if {item.key: item.mod_revision for item in listing.items} != {k: mod for k, (mod, _) in self._seen.items()}:
            return False
        raws = {item.key: item.value for item in listing.items}
        return all(raws.get(name.encode()) == document.raw for name, document in self.documents.items())

    def replace(self, listing: Listing, documents: Documents) -> Replace:
        """Take a whole listing; what was there before is forgotten, restored history included."""
        sent, seen = self._sent, {item.key: (item.mod_revision, _size(item.key, item.value)) for item in listing.items}
        self._seen, self._newest = seen, None
        self.documents, self._places, self._sent, self._ignored = {}, {}, {}, {}
        self._notes = None
        self.revision, self.cluster, self.term = listing.sight.revision, listing.sight.cluster, listing.sight.term
        for key, document in documents.items():
            self._mount(key, document)
        for place, names in self._places.items():
            for name in names:
                self._sent[name] = self._again(sent.get(name), self._standing(place, name))
        return Replace(dict(self._sent), self.revision)

    def patch(self, changes: Sequence[Change], documents: Documents) -> Patch:
        """Take whole transactions in their order; those that are covered already change nothing.

        Args:
            changes: Every change, in order.
            documents: The document of each key whose last change is a put.
        """
        last = {change.key: change for change in changes if change.mod_revision > self.revision}
        touched: dict[Place, int] = {}
        deleted: dict[str, Unit] = {}
        for change in sorted(last.values(), key=lambda change: change.mod_revision):
            gone = self._unmount(change.key)
            if gone is not None:
                touched[gone.layer, gone.path] = change.mod_revision
                deleted[gone.place] = change.mod_revision
            if change.value is not None:
                self._put(change.key, change.value, change.mod_revision, documents[change.key], touched)
        for name in deleted:
            self._sent.pop(name, None)
        changed = self._settle(touched)
        self.revision = max([self.revision, *(change.mod_revision for change in changes)])
        return Patch(changed, {n: unit for n, unit in deleted.items() if n not in changed}, self.revision)

    def advance(self, revision: int) -> None:
        """The state is proven for a later revision; see `covers`."""
        self.revision = max(self.revision, revision)

    def notes(self) -> list[str]:
        """One line for each reason why keys are left out."""
        if self._notes is None:
            self._notes = self._describe_ignored()
        return self._notes

    def _describe_ignored(self) -> list[str]:
        reasons: dict[str, list[str]] = {}
        for key, reason in sorted(self._ignored.items()):
            reasons.setdefault(reason, []).append(key.decode("utf-8", "backslashreplace"))
        return [_note(reason, names) for reason, names in reasons.items()]

    def _put(self, key: bytes, value: bytes, mod: int, document: Document | Ignored, touched: dict[Place, int]) -> None:
        self._seen[key] = (mod, _size(key, value))
        self._newest = mod  # revisions only grow, and nothing older than ours gets here
        self._mount(key, document)
        if isinstance(document, Document):
            touched[document.layer, document.path] = mod

    def _mount(self, key: bytes, document: Document | Ignored) -> None:
        if isinstance(document, Ignored):
            if document.reason:
                self._ignored[key] = document.reason
                self._notes = None
            return
        place = (document.layer, document.path)
        self.documents[document.place] = document
        self._places[place] = (*self._places.get(place, ()), document.place)

    def _unmount(self, key: bytes) -> Document | None:
        mod, _ = self._seen.pop(key, (0, 0))
        if not mod:
            return None
        if mod == self._newest:
            self._newest = None
        if self._ignored.pop(key, None) is not None:
            self._notes = None
            return None
        document = self.documents.pop(key.decode(), None)  # what is not UTF-8 is ignored with a reason
        if document is not None:
            place = (document.layer, document.path)
            rest = tuple(name for name in self._places[place] if name != document.place)
            if rest:
                self._places[place] = rest
            else:
                del self._places[place]
        return document

    def _settle(self, touched: Mapping[Place, int]) -> dict[str, Document]:
        changed: dict[str, Document] = {}
        for place, unit in touched.items():
            for name in self._places.get(place, ()):
                entry = self._standing(place, name)
                before = self._sent.get(name)
                if before is not None and before.raw == entry.raw and before.revision == entry.revision:
                    if before.value == entry.value:
                        continue
                    # Another key's transaction changed what this one is worth, so it is part of that transaction.
                    entry = msgspec.structs.replace(entry, unit=unit)
                changed[name] = self._sent[name] = entry
        return changed

    def _standing(self, place: Place, name: str) -> Document:
        """The document, or what is sent for it while another key mounts the same path."""
        document, names = self.documents[name], self._places[place]
        if len(names) == 1:
            return document
        both = Malformed("one key for this path", " and ".join(sorted(names)))
        unit = max(self.documents[other].revision for other in names)
        return msgspec.structs.replace(document, value=both, unit=unit, locate=None)

    @staticmethod
    def _again(before: Document | None, entry: Document) -> Document:
        """The entry as it was sent before, where a new one would say the same."""
        if before is None or before.raw != entry.raw or before.revision != entry.revision:
            return entry
        return before if type(before.value) is type(entry.value) and before.value == entry.value else entry


def _size(key: bytes, value: bytes) -> int:
    return len(key) + len(value)


def _note(reason: str, names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    keys = "1 key is" if len(names) == 1 else f"{len(names)} keys are"
    return f"{keys} left out, {reason}: {', '.join(names[:NAMED])}{more}"
