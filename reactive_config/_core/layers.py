"""Layers: many mounted documents become one tree, many trees become the effective one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reactive_config._core.delta import Entry
from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT, Changes, add, difference, get, overlay, same


class _Mount:
    """A path at which documents are mounted, or below which some are.

    Attributes:
        ids: The entries mounted here, in their order.
        below: By name.
    """

    __slots__ = ("below", "ids")

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.below: dict[str, _Mounted] = {}


_Mounted = _Mount | str
"""Most mounts are one entry with nothing below: then its id stands for them, since there is one for each key."""

_NOTHING_BELOW: Mapping[str, _Mounted] = {}
_NO_ENTRIES: Mapping[str, Entry] = {}


def _ids(mount: _Mounted) -> tuple[str, ...]:
    return (mount,) if isinstance(mount, str) else mount.ids


def _below(mount: _Mounted) -> Mapping[str, _Mounted]:
    return _NOTHING_BELOW if isinstance(mount, str) else mount.below


class Layer:
    """One source's layer: entries mounted at paths, and the tree that they make together.

    Entries merge from shallow to deep, and at one depth in the order of their ids; later wins. A table
    that only deeper entries made goes with the last of them.

    Attributes:
        name: As the source calls it.
        entries: The entries in force, by id.
        tree: What they made at the last `refold`; never mutated, replaced by the next one.
        touched: Where entries have changed since.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: dict[str, Entry] = {}
        self.tree: dict[str, Any] = {}
        self.touched: Changes = None
        self._root = _Mount()

    def put(self, entry_id: str, entry: Entry | None) -> None:
        """Set or delete one entry; `refold` then brings the tree up to date."""
        old = self.entries.get(entry_id)
        if old is not None and entry is not None and old.path == entry.path:
            self.entries[entry_id] = entry
            inner = difference(old.value, entry.value)
            if inner != {}:
                self.touched = add(self.touched, entry.path, inner)
            return
        if old is not None:
            del self.entries[entry_id]
            _without(self._root, entry_id, old.path)
            self.touched = add(self.touched, old.path)
        if entry is not None:
            self.entries[entry_id] = entry
            self._mount(entry_id, entry.path)
            self.touched = add(self.touched, entry.path)

    def refold(self) -> Changes:
        """Bring `tree` up to date with what was put; returns where it differs."""
        touched, self.touched = self.touched, {}
        tree, changes = _fold(self.tree, [], self._root, self.entries, touched)
        if tree is ABSENT:
            tree, changes = {}, (None if self.tree else {})
        self.tree = tree
        return changes

    def restore(self, tree: dict[str, Any]) -> None:
        """Go back to an earlier tree, once the entries that made it are there again."""
        self.tree, self.touched = tree, {}

    def entries_at(self, path: Path) -> Iterator[tuple[str, Entry]]:
        """The entries that say something at a path, lowest first; what stands only below it counts too."""
        node: _Mounted | None = self._root
        for depth in range(len(path) + 1):
            if node is None:
                return
            for entry_id in _ids(node):
                entry = self.entries[entry_id]
                if get(entry.value, path[depth:]) is not ABSENT:
                    yield entry_id, entry
            if depth < len(path):
                node = _below(node).get(path[depth])
        yield from self._entries_below(node) if node is not None else ()

    def _entries_below(self, node: _Mounted) -> Iterator[tuple[str, Entry]]:
        for child in _below(node).values():
            for entry_id in _ids(child):
                yield entry_id, self.entries[entry_id]
            yield from self._entries_below(child)

    def _mount(self, entry_id: str, path: Path) -> None:
        node, last = self._root, len(path) - 1
        for depth, name in enumerate(path):
            child = node.below.get(name)
            if depth == last and child is None:
                node.below[name] = entry_id
                return
            if not isinstance(child, _Mount):
                child = node.below[name] = _Mount() if child is None else _Mount(child)
            node = child
        if entry_id not in node.ids:
            node.ids = tuple(sorted((*node.ids, entry_id)))  # at one depth, later ids win


def _without(mount: _Mounted, entry_id: str, path: Path) -> _Mounted | None:
    """A mount without an entry at a path below it; None if nothing is left of it."""
    if isinstance(mount, str):
        return None
    if not path:
        mount.ids = tuple(i for i in mount.ids if i != entry_id)
    elif _without(mount.below[path[0]], entry_id, path[1:]) is None:
        del mount.below[path[0]]
    return mount if mount.ids or mount.below else None


class Stack:
    """All layers of all sources, lowest first, and the effective tree.

    Attributes:
        layers: Lowest first.
        tree: The merge of the layers' trees; never mutated, replaced by the next one.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers: tuple[Layer, ...] = tuple(layers)
        self.tree: dict[str, Any] = {}

    def refold(self, touched: Changes) -> Changes:
        """Bring `tree` up to date where layers changed; returns where it differs."""
        self.tree, changes = _fold(self.tree, [layer.tree for layer in self.layers], None, _NO_ENTRIES, touched)
        return changes

    def shape_changes(self) -> list[tuple[Path, str]]:
        """Where a higher layer replaces a table by something else, or the reverse: legal, rarely meant."""
        found: list[tuple[Path, str]] = []
        below: Any = {}
        for layer in self.layers:
            found += ((path, layer.name) for path in _clashes(below, layer.tree, ()))
            below = overlay(below, layer.tree)
        return found


def _clashes(low: Any, high: Any, path: Path) -> Iterator[Path]:
    for name, value in high.items():
        lower = low.get(name)
        if lower is None or value is None:
            continue
        if type(lower) is dict and type(value) is dict:
            yield from _clashes(lower, value, (*path, name))
        elif type(lower) is dict or type(value) is dict:
            yield (*path, name)


def _fold(
    old: Any, documents: list[Any], mount: _Mounted | None, entries: Mapping[str, Entry], touched: Changes
) -> tuple[Any, Changes]:
    """The tree at one place, and where it differs from before; looks only where it was touched.

    Args:
        old: The tree here before.
        documents: What the documents mounted above say here, lowest first.
        mount: What is mounted here and below.
        entries: The documents of all mounts, by id; `_NO_ENTRIES` where layers are folded. A layer's tree is shared
            as it is, since its unchanged subtrees are those of before; those of a new document are not.
        touched: Where `old` may be wrong.

    Returns:
        The tree, with every unchanged subtree of `old` as it is; ABSENT where nothing says anything here.
    """
    if touched is not None and not touched:
        return old, {}
    below = _NOTHING_BELOW
    if mount is not None:
        below = _below(mount)
        documents = [*documents, *[entries[i].value for i in _ids(mount)]]
    elif entries is _NO_ENTRIES and len(documents) == 1 and type(documents[0]) is type(old) is dict:
        return documents[0], touched  # only one layer says something here, and its tree is up to date already
    if documents and type(documents[-1]) is not dict and not below:
        return (old, {}) if same(old, documents[-1]) else (documents[-1], None)
    tables = _not_hidden(documents) if documents else documents
    if type(old) is not dict:
        new = _whole(tables, below, entries)
        return new, ({} if new is ABSENT and old is ABSENT else None)
    if touched is None:
        touched = dict.fromkeys([*old, *below, *(name for table in tables for name in table)])
    new, changes = _fold_names(old, tables, below, entries, touched)
    if not new and not tables:  # a table that only deeper keys made goes with the last of them
        return ABSENT, None
    return new, changes


def _fold_names(
    old: dict[str, Any],
    tables: list[Any],
    below: Mapping[str, _Mounted],
    entries: Mapping[str, Entry],
    touched: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    new = old
    changes: dict[str, Any] = {}
    for name, inner in touched.items():
        said = [table[name] for table in tables if name in table] if tables else tables
        after, differs = _fold(old.get(name, ABSENT), said, below.get(name), entries, inner)
        if differs is None or differs:
            new = dict(old) if new is old else new
            changes[name] = differs
            if after is ABSENT:
                del new[name]
            else:
                new[name] = after
    return new, changes


def _not_hidden(documents: list[Any]) -> list[Any]:
    """The tables above the last document that is none: a single value hides all that is lower."""
    for index in range(len(documents) - 1, -1, -1):
        if type(documents[index]) is not dict:
            return documents[index + 1 :]
    return documents


def _whole(tables: Sequence[Any], below: Mapping[str, _Mounted], entries: Mapping[str, Entry]) -> Any:
    """The tree at one place, of tables laid over one another and of what is mounted below them."""
    value: Any = ABSENT
    for table in tables:
        value = overlay(value, table)
    if not below:
        return value
    value = {} if value is ABSENT else dict(value)
    for name, mount in below.items():
        inner = value.get(name, ABSENT)
        for entry_id in _ids(mount):
            inner = overlay(inner, entries[entry_id].value)
        if deeper := _below(mount):
            inner = _whole([inner] if type(inner) is dict else [], deeper, entries)
        value[name] = inner
    return value
