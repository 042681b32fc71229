"""What differs between two contents, path by path, and which differences are larger than usual."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import ABSENT, difference, get, paths_of
from reactive_config._printable import printable
from reactive_config._releases.contents import Contents, TopLevel
from reactive_config._releases.key_store import StoreError

SHARE_REMOVED, MANY_REMOVED = 10, 10
"""A change that removes more than one value in so many, and so many at least, needs a reason."""

TIMES_GROWN, BYTES_GROWN = 2, 64 * 1024
"""So does one after which a top-level name has more than so many times its bytes, and so many more at least."""


class PathChange(msgspec.Struct, frozen=True):
    """One difference.

    Attributes:
        path: The shortest path at which something differs.
        before: What stood there; ABSENT for nothing.
        after: What stands there; ABSENT for nothing.
    """

    path: Path
    before: Any
    after: Any

    def __repr__(self) -> str:
        return f"PathChange({format_path(self.path)!r})"  # the values may be secrets


class NeedsForce(StoreError):
    """A change is larger than usual, so that it needs a reason. The text says in which way."""


def changes_between(before: Contents, after: Contents, names: Collection[str] | None = None) -> list[PathChange]:
    """What differs, in the order of the paths.

    Args:
        before: What there was.
        after: What there is.
        names: Top-level names that may differ, for who knows them; None for all.
    """
    changes = []
    for name, old, new in _differing(before, after, names):
        left, right = _tree(name, old), _tree(name, new)
        changes += [PathChange(path, get(left, path), get(right, path)) for path in paths_of(difference(left, right))]
    return sorted(changes, key=lambda change: change.path)


def _differing(
    before: Contents, after: Contents, names: Collection[str] | None
) -> Iterator[tuple[str, TopLevel | None, TopLevel | None]]:
    for name in before.names.keys() | after.names.keys() if names is None else names:
        old, new = before.names.get(name), after.names.get(name)
        if old is not new:
            yield name, old, new


def _tree(name: str, top: TopLevel | None) -> dict[str, Any]:
    return {} if top is None or top.tree is ABSENT else {name: top.tree}


def value_at(contents: Contents, path: Path) -> Any:
    """What stands at a path; ABSENT for nothing. Only the documents of its top-level name are read."""
    if not path:
        return contents.tree
    top = contents.names.get(path[0])
    return ABSENT if top is None else get(_tree(path[0], top), path)


def check_size(before: Contents, after: Contents, names: Collection[str], changes: list[PathChange]) -> None:
    """Refuse what nobody does by intention, as a rule: to remove much, or to make one name much larger.

    Args:
        before: What there was.
        after: What there shall be.
        names: Top-level names that may differ.
        changes: What differs, as `changes_between` says it.

    Raises:
        NeedsForce: It is so.
    """
    removed = sum(_removed(change) for change in changes)
    if removed >= MANY_REMOVED and removed * SHARE_REMOVED > (total := _count(before.tree)):
        raise NeedsForce(f"it removes {removed:,} of {total:,} values")
    for name, old, new in _differing(before, after, names):
        was, is_ = _size(old), _size(new)
        if was and is_ > TIMES_GROWN * was and is_ - was > BYTES_GROWN:
            raise NeedsForce(f"{printable(name)} grows from {was:,} to {is_:,} bytes")


def _removed(change: PathChange) -> int:
    """Values that a change takes away: also those of a table that becomes a single value."""
    if change.before is ABSENT or type(change.after) is dict:
        return 0
    if change.after is ABSENT:
        return _count(change.before)
    return _count(change.before) if type(change.before) is dict else 0


def _count(tree: Any) -> int:
    """The values of a tree that are no tables."""
    return sum(map(_count, tree.values())) if type(tree) is dict else 1


def _size(top: TopLevel | None) -> int:
    return 0 if top is None else sum(len(document.raw) for document in top.documents.values())
