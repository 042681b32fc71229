"""Nested dicts as values: compare, differ, overlay, and change one path without touching the rest.

Nothing here mutates a tree that it was given. Unchanged subtrees keep their identity, which is what
makes everything above incremental: ``old is new`` answers for a whole subtree at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from reactive_config.core.paths import Path

_encode = msgspec.json.Encoder().encode


class _Absent:
    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Nothing stands there; not the same as null, which is a value."""

Fold = Callable[[Path], Any]
"""The value that some ordered documents give to a path together, or ABSENT."""


def same(left: Any, right: Any) -> bool:
    """Whether two trees are equal with the same scalar types: 1, 1.0 and True all differ."""
    if left is right:
        return True
    kind = type(left)
    if kind is not type(right):
        return False
    if kind is dict:
        if _surely_same(left, right):
            return True
        return len(left) == len(right) and all(k in right and same(v, right[k]) for k, v in left.items())
    if kind is list:
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _surely_same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two tables are `same`, found without a step of Python for each value; False where that takes a look.

    Equal tables can still differ in the types of numbers, and then their encodings do. These also differ where it
    does not matter (the order of names, the zone of equal times), so False says nothing.
    """
    if left != right:
        return False
    try:
        return _encode(left) == _encode(right)
    except Exception:  # noqa: BLE001 - something that JSON cannot say
        return False


def get(tree: Any, path: Path) -> Any:
    """The value at a path, or ABSENT."""
    for name in path:
        if type(tree) is not dict:
            return ABSENT
        tree = tree.get(name, ABSENT)
    return tree


def diff(old: Any, new: Any, path: Path = ()) -> Iterator[Path]:
    """The shortest paths at which two trees differ; descends only where both are tables."""
    if old is new:
        return
    if type(old) is dict and type(new) is dict:
        if _surely_same(old, new):
            return
        for name, value in new.items():
            before = old.get(name, ABSENT)
            if before is not value:
                yield from diff(before, value, (*path, name))
        for name in old:
            if name not in new:
                yield (*path, name)
    elif not same(old, new):
        yield path


def overlay(low: Any, high: Any) -> Any:
    """Merge two values; the higher one wins.

    ======== ======== =========================
    low      high     result
    ======== ======== =========================
    anything ABSENT   low
    table    table    merged, key by key
    list     list     high (replaced)
    anything null     null
    table    other    high
    other    table    high
    ======== ======== =========================
    """
    if high is ABSENT:
        return low
    if type(low) is not dict or type(high) is not dict or not low:
        return high
    merged = dict(low)
    for name, value in high.items():
        merged[name] = overlay(low.get(name, ABSENT), value)
    return merged


def narrow(low: Any, document: Any, path: Path) -> Any:
    """What becomes of `low`, standing at `path`, when `document` is laid over it.

    A scalar or list of the document above the path hides everything lower, so the result is ABSENT.
    """
    for name in path:
        if type(document) is not dict:
            return ABSENT
        document = document.get(name, ABSENT)
        if document is ABSENT:
            return low
    return overlay(low, document)


class Editor:
    """A batch of changes to one tree; copies each table at most once.

    Args:
        root: The tree to start from; stays as it is.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        # Tables that this batch made and may therefore write to. They are kept alive here, because a
        # freed table's id could otherwise come back as somebody else's.
        self._own: dict[int, dict[str, Any]] = {}

    def set(self, path: Path, value: Any) -> None:
        """Put a value; whatever stands in the way of the path becomes a table."""
        if not path:
            self.root = value
            return
        self._table(path[:-1])[path[-1]] = value

    def delete(self, path: Path) -> None:
        """Remove a path that exists; its parent stays, even when empty."""
        del self._table(path[:-1])[path[-1]]

    def _table(self, path: Path) -> dict[str, Any]:
        table = self.root = self._owned(self.root)
        for name in path:
            child = self._owned(table.get(name))
            table[name] = child
            table = child
        return table

    def _owned(self, table: Any) -> dict[str, Any]:
        if id(table) in self._own:
            return table  # type: ignore[no-any-return]
        mine = dict(table) if type(table) is dict else {}
        self._own[id(mine)] = mine
        return mine


def refold(tree: dict[str, Any], fold: Fold, touched: Iterable[Path]) -> tuple[dict[str, Any], list[Path]]:
    """Bring a folded tree up to date where its documents were touched.

    Args:
        tree: The result of `fold` everywhere before the touch; stays as it is.
        fold: Gives the new value of any path.
        touched: Paths at which some document changed.

    Returns:
        The new tree, and the paths at which it really differs.
    """
    editor = Editor(tree)
    changed: list[Path] = []
    for start in touched:
        path, new = _settle(editor.root, fold, start)
        for found in list(diff(get(editor.root, path), new, path)):  # a list: the editor writes to its own tables
            value = get(new, found[len(path) :])
            if value is ABSENT:
                editor.delete(found)
            else:
                editor.set(found, value)
            changed.append(found)
    return editor.root, changed


def _settle(root: dict[str, Any], fold: Fold, path: Path) -> tuple[Path, Any]:
    """The path to really recompute, and its value: a table comes and goes with its only key."""
    while path and type(get(root, path[:-1])) is not dict:
        path = path[:-1]
    new = fold(path)
    while new is ABSENT and len(path) > 1 and get(root, path[:-1]).keys() <= {path[-1]}:
        path = path[:-1]
        new = fold(path)
    return path, ({} if new is ABSENT and not path else new)
