"""Plain trees as entries: one entry for each leaf, so that whatever is held is held leaf by leaf."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reactive_config.core.delta import Entry
from reactive_config.core.paths import Path, format_path


def copied(tree: Mapping[str, Any], path: Path = ()) -> dict[str, Any]:
    """A copy that the core may own.

    Raises:
        TypeError: A key is not a str; it names the path.
    """
    for name in tree:
        if type(name) is not str:
            raise TypeError(f"{format_path(path) or '(root)'}: expected str keys, got a {type(name).__name__}")
    return {
        name: copied(value, (*path, name)) if isinstance(value, Mapping) else copy.deepcopy(value)
        for name, value in tree.items()
    }


def leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is not a table with something in it; the root itself is none."""
    if type(tree) is dict and tree:
        for name, value in tree.items():
            yield from leaves(value, (*path, name))
    elif path:
        yield path, tree


def entries_of(tree: Any, revision: int, path: Path = ()) -> dict[str, Entry]:
    """The entries that one unit brings; ids and places are the dotted paths.

    Args:
        tree: Owned by the core from now on.
        revision: Of the unit, and its name.
        path: Where the tree stands.
    """
    found = leaves(tree, path)
    return {format_path(at): Entry(at, value, revision, revision, place=format_path(at)) for at, value in found}


def overwritten(old: Mapping[str, Entry], come: Iterable[Entry]) -> list[str]:
    """The ids of entries that make no sense beside new ones: a scalar above, or whatever stood below a new scalar."""
    above = {entry.path[:depth] for entry in come for depth in range(len(entry.path))}
    ends = {entry.path for entry in come if not _is_table(entry)}
    return [
        entry_id
        for entry_id, entry in old.items()
        if (entry.path in above and not _is_table(entry)) or any(entry.path[:n] in ends for n in range(len(entry.path)))
    ]


def _is_table(entry: Entry) -> bool:
    # Content that cannot be read is no table: what is set below it takes its place.
    return type(entry.value) is dict
