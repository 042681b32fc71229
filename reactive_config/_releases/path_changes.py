"""What differs between two contents, path by path, and which differences are larger than usual."""

from __future__ import annotations

from collections.abc import Iterator
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


def changes_between(before: Contents, after: Contents) -> list[PathChange]:
    """What differs, in the order of the paths."""
    return sorted(_changes(before, after), key=lambda change: change.path)


def _changes(before: Contents, after: Contents) -> Iterator[PathChange]:
    for name, old, new in _differing(before, after):
        left, right = _tree(name, old), _tree(name, new)
        for path in paths_of(difference(left, right)):
            yield PathChange(path, get(left, path), get(right, path))


def _differing(before: Contents, after: Contents) -> Iterator[tuple[str, TopLevel | None, TopLevel | None]]:
    for name in before.names.keys() | after.names.keys():
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


def check_size(before: Contents, after: Contents) -> None:
    """Refuse what nobody does by intention, as a rule: to remove much, or to make one name much larger.

    Raises:
        NeedsForce: It is so.
    """
    removed = sum(_count(change.before) for change in _changes(before, after) if change.after is ABSENT)
    if removed >= MANY_REMOVED and removed * SHARE_REMOVED > (total := _count(before.tree)):
        raise NeedsForce(f"it removes {removed:,} of {total:,} values")
    for name, old, new in _differing(before, after):
        was, is_ = _size(old), _size(new)
        if was and is_ > TIMES_GROWN * was and is_ - was > BYTES_GROWN:
            raise NeedsForce(f"{printable(name)} grows from {was:,} to {is_:,} bytes")


def _count(tree: Any) -> int:
    """The values of a tree that are no tables."""
    return sum(map(_count, tree.values())) if type(tree) is dict else 1


def _size(top: TopLevel | None) -> int:
    return 0 if top is None else sum(len(document.raw) for document in top.documents.values())
