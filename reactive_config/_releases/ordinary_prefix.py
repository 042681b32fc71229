"""A prefix of etcd that no store looks after: its keys are changed in one transaction, and nothing more is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import KeyRange, prefix_range
from reactive_config._etcd.reading import read_all, read_head
from reactive_config._printable import printable
from reactive_config._releases.contents import EMPTY, Contents, KeyEdits, name_of
from reactive_config._releases.etcd_store import EtcdStore
from reactive_config._releases.key_store import (
    CONTROL,
    HEADS,
    MOST_KEYS,
    KeysMoved,
    StoreError,
    StoreTooLarge,
    Write,
)
from reactive_config._releases.path_changes import PathChange, changes_between, check_size
from reactive_config._releases.path_edits import check_new_names

TRIES = 20
"""Writers that may be faster, one after the other, before a change is given up."""


class LookedAfter(StoreError):
    """A store keeps releases of what is to be changed."""


class PrefixOutcome(msgspec.Struct, frozen=True):
    """What became of a change.

    Attributes:
        changes: Path by path.
        revision: Of etcd, with it; of what was read, if nothing was written.
        written: Whether anything was.
    """

    changes: list[PathChange]
    revision: int
    written: bool


@asynccontextmanager
async def open_prefix(store: EtcdStore) -> AsyncIterator[OrdinaryPrefix]:
    """A prefix, given as a store there that is not opened.

    Raises:
        StoreAway: No member answers.
        LookedAfter: It is a part of a store, or has one in it.
    """
    async with store.linked() as link:
        prefix = OrdinaryPrefix(store, link)
        await prefix.check()
        yield prefix


class OrdinaryPrefix:
    """Made by `open_prefix`."""

    def __init__(self, store: EtcdStore, link: Link) -> None:
        self._store = store
        self._link = link

    async def check(self) -> None:
        """Refuse what a store looks after: a change around its releases is told of nobody.

        Raises:
            LookedAfter: It is so.
        """
        parts = self._store.root.removeprefix("/").removesuffix("/").split("/")
        if CONTROL.removesuffix("/") in parts:
            raise LookedAfter(f"{printable(self._store.name)}: expected a prefix without releases, got keys of a store")
        for depth in range(len(parts) + 1):
            root = "/" + "".join(f"{part}/" for part in parts[:depth])
            inside = parts[depth : depth + 2]
            heads = root + HEADS + "/".join(inside) + ("/" if len(inside) == 1 else "")
            keys = KeyRange(heads.encode()) if len(inside) == 2 else prefix_range(heads.encode())
            if (await read_head(self._link, keys)).count:
                where = root + "/".join(inside if len(inside) == 2 else (*inside, "NAMESPACE", "ENVIRONMENT")[-2:])
                raise LookedAfter(
                    f"{printable(self._store.name)}: expected a prefix without releases, got one of the store at "
                    f"{printable(root)}; its environments are written without a slash at the end, as {printable(where)}"
                )

    async def change(
        self, plan: Callable[[Contents], KeyEdits], *, forced: bool = False, dry_run: bool = False
    ) -> PrefixOutcome:
        """Change keys, all in one transaction or none; nothing that was written meanwhile is overwritten unseen.

        Args:
            plan: From what is there to the keys to write and delete. It may be asked more than once.
            forced: The change may be larger than usual.
            dry_run: Only tell what would change.

        Raises:
            NeedsForce: It is larger than usual.
            StoreTooLarge: It touches too many keys or bytes.
            KeysMoved: Others were faster, again and again.
            EtcdError: What etcd says.
        """
        for _ in range(TRIES):
            before, revision = await self._read()
            edits = plan(before)
            after = before.edited(edits)
            names = {name_of(key) for key in edits}
            changes = changes_between(before, after, names)
            check_new_names(changes)
            if len(edits) > MOST_KEYS:
                raise StoreTooLarge(f"expected at most {MOST_KEYS} changed keys, got {len(edits)}")
            if not forced:
                check_size(before, after, names, changes)
            if dry_run or not edits:
                return PrefixOutcome(changes, revision, written=False)
            try:
                return PrefixOutcome(changes, await self._store.commit(_write(edits, before, revision)), written=True)
            except KeysMoved:
                continue
        raise KeysMoved(f"{self._store.name}: {TRIES} others were faster; nothing was written", 0)

    async def _read(self) -> tuple[Contents, int]:
        head = await read_head(self._link, self._store.range)
        listing = await read_all(self._link, self._store.range, revision=head.revision)
        items = {self._store.name_of(item.key): item for item in listing.items}
        named = {name: item for name, item in items.items() if name is not None}
        found = next((name for name in named if f"/{HEADS}" in f"/{name}"), None)
        if found is not None:
            where = f"{self._store.root}{found[: found.index(HEADS)]}"
            raise LookedAfter(
                f"{printable(self._store.name)}: expected a prefix without releases, got one with the store at "
                f"{printable(where)} in it"
            )
        return EMPTY.edited(
            {name: item.value for name, item in named.items()},
            {name: item.mod_revision for name, item in named.items()},
        ), head.revision


def _write(edits: KeyEdits, before: Contents, revision: int) -> Write:
    puts = {key: raw for key, raw in edits.items() if raw is not None}
    documents = {key: before.get(key) for key in edits}
    unchanged = {key: document.revision if document else 0 for key, document in documents.items()}
    return Write(puts, frozenset(edits.keys() - puts.keys()), unchanged, quiet={"": revision})
