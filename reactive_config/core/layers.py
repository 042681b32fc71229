"""Layers: many mounted documents become one tree, many trees become the effective one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reactive_config.core.delta import Entry
from reactive_config.core.paths import Path
from reactive_config.core.trees import ABSENT, diff, get, narrow, overlay, refold

FEW, SHARE = 64, 0.25
"""Up to so many changed paths, or so large a share of the entries, are folded one by one; more of them as a whole."""


class _Mount:
    """One path at which documents are mounted, or below which some are. There is one for each key: it is small.

    Attributes:
        ids: The entries mounted here, in their order.
        below: By name; shared and empty where nothing is.
    """

    __slots__ = ("below", "ids")

    def __init__(self) -> None:
        self.ids: tuple[str, ...] = ()
        self.below: dict[str, _Mount] = _NOTHING_BELOW

    def child(self, name: str) -> _Mount:
        """The mount of a name below this one, made if there is none."""
        if not self.below:
            self.below = {}
        if (child := self.below.get(name)) is None:
            child = self.below[name] = _Mount()
        return child


_NOTHING_BELOW: dict[str, _Mount] = {}


class Layer:
    """One source's layer: entries mounted at paths, and the tree that they make together.

    Entries merge from shallow to deep, and at one depth in the order of their ids; later wins. A table
    that only deeper entries made goes with the last of them.

    Attributes:
        name: As the source calls it.
        entries: The entries in force, by id.
        tree: What they make; never mutated, replaced by the next one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: dict[str, Entry] = {}
        self.tree: dict[str, Any] = {}
        self._root = _Mount()

    def put(self, entry_id: str, entry: Entry | None) -> list[Path]:
        """Set or delete one entry, without recomputing the tree.

        Returns:
            The paths that may have another value now, for `refold`.
        """
        old = self.entries.get(entry_id)
        if old is not None and (entry is None or entry.path != old.path):
            self._unmount(entry_id, old.path)
        if entry is None:
            self.entries.pop(entry_id, None)
            return [old.path] if old else []
        self.entries[entry_id] = entry
        if old is None or entry.path != old.path:
            self._mount(entry_id, entry.path)
        if old is None:
            return [entry.path]
        if old.path != entry.path:
            return [old.path, entry.path]
        return list(diff(old.value, entry.value, entry.path))

    def refold(self, touched: Sequence[Path]) -> list[Path]:
        """Bring `tree` up to date; returns the paths at which it differs."""
        if len(touched) > max(FEW, SHARE * len(self.entries)):
            touched = [()]
        self.tree, changed = refold(self.tree, self._fold, touched)
        return changed

    def entries_at(self, path: Path) -> Iterator[tuple[str, Entry]]:
        """The entries that say something at a path, lowest first; what stands only below it counts too."""
        node: _Mount | None = self._root
        for depth in range(len(path) + 1):
            if node is None:
                return
            for entry_id in node.ids:
                entry = self.entries[entry_id]
                if get(entry.value, path[depth:]) is not ABSENT:
                    yield entry_id, entry
            if depth < len(path):
                node = node.below.get(path[depth])
        yield from self._entries_below(node) if node else ()

    def _entries_below(self, node: _Mount) -> Iterator[tuple[str, Entry]]:
        for child in node.below.values():
            for entry_id in child.ids:
                yield entry_id, self.entries[entry_id]
            yield from self._entries_below(child)

    def _mount(self, entry_id: str, path: Path) -> None:
        node = self._root
        for name in path:
            node = node.child(name)
        if entry_id not in node.ids:
            node.ids = tuple(sorted((*node.ids, entry_id)))  # at one depth, later ids win

    def _unmount(self, entry_id: str, path: Path) -> None:
        trail = [self._root]
        for name in path:
            trail.append(trail[-1].below[name])
        trail[-1].ids = tuple(i for i in trail[-1].ids if i != entry_id)
        for name, parent, node in zip(reversed(path), reversed(trail[:-1]), reversed(trail), strict=False):
            if node.ids or node.below:
                break
            del parent.below[name]

    def _fold(self, path: Path) -> Any:
        value: Any = ABSENT
        node: _Mount | None = self._root
        for depth in range(len(path) + 1):
            if node is None:
                return value
            for entry_id in node.ids:
                value = narrow(value, self.entries[entry_id].value, path[depth:])
            if depth < len(path):
                node = node.below.get(path[depth])
        return self._fold_below(node, value) if node else value

    def _fold_below(self, node: _Mount, value: Any) -> Any:
        if not node.below:
            return value
        table = dict(value) if type(value) is dict else {}
        for name, child in node.below.items():
            inner = table.get(name, ABSENT)
            for entry_id in child.ids:
                inner = overlay(inner, self.entries[entry_id].value)
            table[name] = self._fold_below(child, inner) if child.below else inner
        return table


class Stack:
    """All layers of all sources, lowest first, and the effective tree.

    Attributes:
        layers: Lowest first.
        tree: The merge of the layers' trees; never mutated, replaced by the next one.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self.tree: dict[str, Any] = {}

    def refold(self, touched: Sequence[Path]) -> list[Path]:
        """Bring `tree` up to date where layers changed; returns the paths at which it differs."""
        self.tree, changed = refold(self.tree, self._fold, touched)
        return changed

    def _fold(self, path: Path) -> Any:
        value: Any = ABSENT
        for layer in self.layers:
            value = narrow(value, layer.tree, path)
        return value

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
