"""Trees that a program hands over: checked, copied, and taken apart into entries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from reactive_config._core.bounds import LEAVES, MAX_DEPTH, MAX_VALUES, holds_too_much, integer_fits
from reactive_config._core.delta import Entry
from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import ABSENT
from reactive_config._printable import printable, with_article


def owned(tree: Any) -> Any:
    """A copy that the core may keep.

    Raises:
        TypeError: A key is not a str, or a value is not one that a configuration file could hold.
        ValueError: A float is not finite, an integer beyond 64 bits, or the tree nests deeper than 128 levels or
            has too many values.
    """
    if holds_too_much(tree):
        raise ValueError(f"expected at most {MAX_VALUES:,} values, got more")
    return _owned(tree, ())


def _owned(tree: Any, path: Path) -> Any:
    if isinstance(tree, (Mapping, list, tuple)) and len(path) >= MAX_DEPTH:
        raise ValueError(f"expected at most {MAX_DEPTH} levels, got more at {_shown(path[:3])}...")
    if isinstance(tree, Mapping):
        for name in tree:
            if type(name) is not str:
                raise TypeError(f"{_shown(path)}: expected str keys, got {with_article(type(name).__name__)}")
        return {name: _owned(value, (*path, name)) for name, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_owned(item, (*path, str(index))) for index, item in enumerate(tree)]
    if isinstance(tree, float) and not math.isfinite(tree):
        raise ValueError(f"{_shown(path)}: expected a finite number, got one that is not")
    if type(tree) is int and not integer_fits(tree):
        raise ValueError(f"{_shown(path)}: expected an integer of at most 64 bits, got a larger one")
    if type(tree) in LEAVES:
        return tree
    raise TypeError(f"{_shown(path)}: expected what a file could hold, got {with_article(type(tree).__name__)}")


def _shown(path: Path) -> str:
    return printable(format_path(path)) or "(root)"


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
    entries = {}
    for at, value in leaves(tree, path):
        place, depth = format_path(at), MAX_DEPTH - len(at) if type(value) is list else 0  # as `owned` saw to
        entries[place] = Entry(at, value, revision, revision, place=place, depth=depth)
    return entries
