"""Trees that a program hands over: checked, copied, and taken apart into entries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from reactive_config.core.bounds import MAX_DEPTH
from reactive_config.core.delta import Bare, Entry
from reactive_config.core.paths import Path, format_path
from reactive_config.core.trees import ABSENT

_LEAVES = (str, int, float, bool, type(None), datetime, date, time, timedelta, Bare)


def owned(tree: Any, path: Path = ()) -> Any:
    """A copy that the core may keep.

    Raises:
        TypeError: A key is not a str, or a value is not one that a configuration file could hold.
        ValueError: A float is not finite, or the tree is nested deeper than 128.
    """
    if len(path) > MAX_DEPTH:
        raise ValueError(f"expected at most {MAX_DEPTH} levels, got more at {format_path(path[:3])}...")
    if isinstance(tree, Mapping):
        for name in tree:
            if type(name) is not str:
                raise TypeError(f"{format_path(path) or '(root)'}: expected str keys, got a {type(name).__name__}")
        return {name: owned(value, (*path, name)) for name, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [owned(item, (*path, str(index))) for index, item in enumerate(tree)]
    if isinstance(tree, float) and not math.isfinite(tree):
        raise ValueError(f"{format_path(path)}: expected a finite number, got one that is not")
    if type(tree) in _LEAVES:  # exactly: an IntEnum or a str of somebody's own compares in its own way
        return tree
    raise TypeError(f"{format_path(path)}: expected what a file could hold, got a {type(tree).__name__}")


def leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is not a table with something in it; the root itself is none."""
    if type(tree) is dict and tree:
        for name, value in tree.items():
            yield from leaves(value, (*path, name))
    elif path and tree is not ABSENT:
        yield path, tree


def entries_of(tree: Any, revision: int, path: Path = ()) -> dict[str, Entry]:
    """One entry for each leaf, so that whatever is held is held leaf by leaf.

    Args:
        tree: Owned by the core from now on; ABSENT for none.
        revision: Of the unit that brings them, and its name.
        path: Where the tree stands.

    Returns:
        Dotted path to entry.
    """
    found = leaves(tree, path)
    return {format_path(at): Entry(at, value, revision, revision, place=format_path(at)) for at, value in found}
