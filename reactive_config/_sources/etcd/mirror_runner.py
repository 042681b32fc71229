"""The mirror's part in a run: it is kept while etcd is there, and speaks while etcd is away."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread
import msgspec

from reactive_config._core.delta import Entry, Malformed, Replace
from reactive_config._etcd.messages import Item, Listing, StoreHead
from reactive_config._sources.etcd.key_documents import KeyDocument, read_documents
from reactive_config._sources.etcd.key_layout import Ignored, KeyLayout
from reactive_config._sources.etcd.mirror import Mirror, MirrorError, NoMirror, NotOurs, Saved, Signature
from reactive_config._sources.etcd.mirror_copies import CopyRow, MirrorCopy
from reactive_config._sources.etcd.run_state import MIRROR, Copied, RunState
from reactive_config._sources.etcd.store import Store, left_out

POLL = 0.5
"""Seconds between looks at the file while etcd is away."""

WRITE_PAUSE = 0.2
"""Seconds between two copies; what is accepted meanwhile goes into the next one."""

RETRY_PAUSE = 5.0
"""Seconds until the next copy after one that could not be written."""


LOOK_PAUSE = 5.0
"""Seconds between looks at the file while etcd is there: it may be lost."""

EDIT = "hand edit of the mirror"

CONTROL = "in the control area (names that begin with _)"
"""Why such a key of a hand edit is left out. In etcd nobody needs to be told."""


class MirrorState(NamedTuple):
    """What a copy says.

    Attributes:
        replace: Its state.
        left: Notes about keys that are no configuration of ours.
    """

    replace: Replace
    left: list[str]


async def replace_from(
    copy: MirrorCopy, keys: KeyLayout, path: Path, accepted: Mapping[str, Entry] | None = None
) -> MirrorState:
    """The state that a copy holds. A hand edit is one unit: it fits as a whole, or is held as a whole.

    Args:
        copy: The copy.
        keys: What keys mean.
        path: The mirror's file, which the entries name as their origin.
        accepted: What is in force; where that is of etcd and equal, its entries are used again.

    Raises:
        MirrorError: It has a key that the source would never read from etcd.
    """
    for name in copy.keys:
        if not keys.covers(name):
            raise MirrorError(f"{path} cannot be used: expected {keys.what}, got the key {name!r}")
    items = tuple(Item(key.encode(), row.value.encode(), row.revision) for key, row in copy.keys.items())
    sight = StoreHead(copy.cluster, 0, copy.revision, len(items))
    documents = await read_documents(keys, items, {})
    left: dict[str, list[str]] = {}
    for name, read in zip(copy.keys, documents, strict=True):
        if isinstance(read, Ignored):
            left.setdefault(read.reason or CONTROL, []).append(name)
    replace = Store().replace(Listing(sight, items), documents)
    entries = {
        name: _told_by(copy, path, name, entry, (accepted or {}).get(name)) for name, entry in replace.entries.items()
    }
    filled = {entry.layer for entry in entries.values()}
    emptied = {number for number, layer in enumerate(keys.layers) if layer in copy.empty} - filled
    state = Replace(entries, replace.revision, frozenset(emptied), EDIT if copy.edited else None)
    return MirrorState(state, [left_out(reason, names) for reason, names in left.items()])


def _told_by(copy: MirrorCopy, path: Path, name: str, entry: Entry, accepted: Entry | None) -> Entry:
    """The entry with its origin: etcd where etcd said the same, otherwise the file."""
    if (
        accepted is not None
        and accepted.place == name
        and not isinstance(entry.value, Malformed)
        and _raw(accepted) == _raw(entry)
    ):
        return accepted
    if copy.edited:
        return msgspec.structs.replace(entry, unit=EDIT, revision=0, place=f"{EDIT} {path}: {name}")
    return msgspec.structs.replace(entry, place=f"mirror {path}: {name}")


class MirrorRunner:
    """One run's mirror.

    Args:
        mirror: The file.
        keys: What keys mean.
        stand: Shared with the connection.
        store: What etcd holds; its cluster and revision go into the copies.
        after: Seconds without etcd after which the mirror speaks.
    """

    def __init__(self, mirror: Mirror, keys: KeyLayout, stand: RunState, store: Store, after: float) -> None:
        self._mirror = mirror
        self._keys = keys
        self._stand = stand
        self._store = store
        self._after = after
        self._followed: Mapping[str, CopyRow] | None = None
        self._followed_at: Signature | None = None
        # An edit that gave way to etcd, and could not be set aside, must not come back in force by itself.
        self._overruled: Signature | None = None
        self._accepted = False
        self._dirty = anyio.Event()
        self._one = anyio.Lock()
        self._before: MirrorCopy | None = None
        self._ending = False
        self._known = False  # a mirror was there, or was written
        self._saved = False

    async def prepare(self) -> None:
        """Remember what the file says before etcd is asked, to recognise a history that etcd has lost.

        Raises:
            NotOurs: Something else stands there.
        """
        if self._stand.feed.holds_secret:
            text = f"the type holds secrets: what etcd has of them unsealed is plain in {self._mirror.path}"
            self._stand.note("secrets", text)
        try:
            self._before = await anyio.to_thread.run_sync(self._mirror.load)
            self._known = True
        except NotOurs:
            raise
        except MirrorError as error:
            self._note_trouble(error)

    def _note_trouble(self, error: MirrorError) -> None:
        if isinstance(error, NoMirror):  # as at every first start
            self._stand.note(MIRROR, f"{error}{'' if self._known else ' yet'}")
            return
        self._stand.warn(MIRROR, str(error))
        if not self._stand.delivered:
            self._stand.tell()  # a start waits for etcd, and may wait in vain

    async def run(self) -> None:
        """Never returns."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._notice_accepted)
            group.start_soon(self._notice_return)
            group.start_soon(self._keep)
            group.start_soon(self._speak)
            group.start_soon(self._notice_end)

    async def _notice_end(self) -> None:
        """A copy that waits for another process in a thread cannot be cancelled, but told."""
        try:
            await anyio.sleep_forever()
        finally:
            self._ending = True

    # While etcd is there.

    async def _notice_accepted(self) -> None:
        while True:
            await self._stand.feed.wait_accepted()
            self._accepted = True
            self._dirty.set()

    async def _notice_return(self) -> None:
        stand = self._stand
        while True:
            await stand.wait(lambda: not stand.away)
            self._compare_histories()
            self._dirty.set()  # a hand edit is to be set aside, even if nothing else has changed
            await stand.wait(lambda: stand.away)

    def _compare_histories(self) -> None:
        before, self._before = self._before, None
        if before and before.cluster == self._store.cluster and before.revision > self._store.revision:
            self._stand.rewound = True
            self._stand.feed.count("restores")
            text = f"the mirror is of revision {before.revision}, etcd only at {self._store.revision}: it was restored"
            self._stand.warn("restored", text)

    async def _keep(self) -> None:
        try:
            while True:
                with anyio.move_on_after(LOOK_PAUSE):
                    await self._dirty.wait()
                if not self._dirty.is_set() and not await self._is_lost():
                    continue
                written = await self._save()
                await anyio.sleep(WRITE_PAUSE if written else RETRY_PAUSE)
        finally:
            if self._dirty.is_set():
                with anyio.CancelScope(shield=True):  # bounded by `mirror.HURRY`
                    await self._save()

    async def _is_lost(self) -> bool:
        """Whether a mirror that was there is gone, while etcd is there."""
        if not self._saved or self._stand.away or not await anyio.to_thread.run_sync(self._mirror.is_lost):
            return False
        self._stand.warn(MIRROR, f"{self._mirror.path} is not there, or empty; it is written anew")
        return True

    async def _save(self) -> bool:
        """Bring the file up to date; False if it could not be written."""
        self._dirty = anyio.Event()
        stand = self._stand
        accepted = dict(stand.feed.accepted)
        if stand.on_mirror or not self._accepted or (self._store.documents and not accepted):
            return True  # nothing of etcd's own was accepted yet
        revision, rewound = stand.feed.accepted_revision, stand.rewound
        if revision > self._store.revision:  # what is in force was accepted in another history
            if not self._has_some(accepted):
                return True  # all of the new one is held: the file has what is in force
            revision = self._store.revision
        empty = tuple(self._keys.layers[layer] for layer in sorted(self._store.emptied.layers))
        copy = MirrorCopy(self._keys.label, self._store.cluster, revision, self._store.revision, {}, empty)
        write = functools.partial(self._write, copy, accepted, set_aside=not stand.away, rewound=rewound)
        try:
            saved = await anyio.to_thread.run_sync(write)
        except NotOurs as error:
            stand.warn(MIRROR, str(error))
            return True
        except OSError as error:
            stand.warn(MIRROR, f"{self._mirror.path} cannot be written: {error.strerror}")
            self._dirty.set()
            return False
        if saved is Saved.WRITTEN:
            stand.feed.count("mirror_writes")
            stand.rewound = stand.rewound and not rewound
        self._known = self._saved = True
        noted = saved is Saved.EDITED
        stand.note(MIRROR, *([f"{self._mirror.path} is not written: {saved.value}"] if noted else []))
        return True

    def _has_some(self, accepted: Mapping[str, Entry]) -> bool:
        """Whether something in force is as etcd has it."""
        documents = self._store.documents
        return not (accepted or documents) or any(
            (there := documents.get(name)) is not None and there.revision == entry.revision and there.raw == _raw(entry)
            for name, entry in accepted.items()
        )

    def _write(self, copy: MirrorCopy, accepted: Mapping[str, Entry], *, set_aside: bool, rewound: bool) -> Saved:
        rows = {name: CopyRow(_raw(entry).decode(), entry.revision) for name, entry in accepted.items()}
        copy = msgspec.structs.replace(copy, keys=rows)
        return self._mirror.save(copy, set_aside=set_aside, rewound=rewound, ending=lambda: self._ending)

    # While etcd is away.

    async def _speak(self) -> None:
        stand = self._stand
        while True:
            await stand.wait(lambda: stand.away)
            await stand.wait(lambda: not stand.away, self._after)
            await self._follow_file()
            if self._followed is not None:
                self._overruled = self._followed_at
            self._followed = None
            stand.note("edit")

    async def _follow_file(self) -> None:
        stand = self._stand
        seen: Signature | None = None
        while stand.away:
            found = await anyio.to_thread.run_sync(self._mirror.signature)
            if found != seen or found is None:
                seen = found
                await self.serve()
            await stand.wait(lambda: not stand.away, POLL)

    async def serve(self) -> None:
        """Put the file's state in force if it has something to say: to start the program, or a hand edit."""
        async with self._one:
            found = await anyio.to_thread.run_sync(self._mirror.signature)
            try:
                copy = await anyio.to_thread.run_sync(self._mirror.load)
                if copy.edited and found == self._overruled:
                    self._stand.warn(MIRROR, f"the hand edit of {self._mirror.path} gave way to etcd: edit it again")
                    return
                self._known = True
                if not self._wanted(copy):
                    self._stand.note(MIRROR)
                    return
                accepted = dict(self._stand.feed.accepted)
                replace, left = await replace_from(copy, self._keys, self._mirror.path, accepted)
            except MirrorError as error:
                self._note_trouble(error)
                self._withdraw()
                return
            if not self._stand.away:
                return  # etcd has come back meanwhile, and what it says wins
            self._followed, self._followed_at = (copy.keys, found) if copy.edited else (None, None)
            self._stand.note(MIRROR)
            self._stand.warn("edit", f"{EDIT} {self._mirror.path}: {'; '.join(left)}" if left else "")
            self._stand.send(replace, copied=Copied(self._mirror.path, copy.revision, copy.edited, copy.newest))

    def _withdraw(self) -> None:
        """A hand edit that is held is gone, or cannot be read any more: nothing of it waits."""
        stand = self._stand
        if not stand.edit_held:
            return
        stand.note("edit")
        accepted = dict(stand.feed.accepted)
        self._followed, self._followed_at = ({}, None) if stand.on_edit else (None, None)
        stand.withdraw(Replace(accepted, stand.feed.accepted_revision, self._store.emptied.accepted))

    def _wanted(self, copy: MirrorCopy) -> bool:
        if copy.edited:
            return copy.keys != self._followed
        # A copy as it was written starts the program, and ends an edit that was taken back.
        return not self._stand.delivered or self._followed is not None


def _raw(entry: Entry) -> bytes:
    if not isinstance(entry, KeyDocument):
        raise TypeError("expected the entries that this source sent")
    return entry.raw
