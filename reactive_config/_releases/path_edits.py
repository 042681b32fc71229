"""From what a path shall say to the keys to write and delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from reactive_config._core.bounds import MAX_DEPTH, MAX_NAMES, SHORT_NAMES, too_deep
from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import ABSENT, get
from reactive_config._printable import printable
from reactive_config._releases.contents import Contents, TopLevel
from reactive_config._releases.document_edits import UnwritableContent, nested, placed, plan_edits, without
from reactive_config._releases.key_store import MOST_BYTES, StoreError, StoreTooLarge
from reactive_config._releases.path_changes import PathChange

TOP_LEVEL = "expected a top-level name that is not empty, has no `/` and no `_` at its begin"

UNPRINTABLE = "expected names of printable characters"


class NothingThere(StoreError, LookupError):
    """What is to be changed or deleted is not there.

    Attributes:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"there is nothing at {printable(format_path(path)) or 'this path'}")


def edits_at(contents: Contents, path: Path, value: Any) -> dict[str, bytes | None]:
    """The edits after which a path says a value.

    Args:
        contents: What there is.
        path: Where; empty for the whole environment, which is a table.
        value: ABSENT for nothing.

    Raises:
        NothingThere: It is to be deleted, and is not there.
        UnwritableContent: Something above the path is no table, or no document can say the value.
    """
    if not path:
        return _edits_of_all(contents, value)
    return edits_of_several(contents, {path: value})


def _tree_with(before: Any, path: Path, value: Any, *, deletes_others: bool) -> Any:
    """What a top-level name says once a path says a value; ABSENT for nothing."""
    if value is ABSENT:
        there = get(before, path[1:]) if before is not ABSENT else ABSENT
        if there is ABSENT:
            if deletes_others:
                return before
            raise NothingThere(path)
        return without(before, path[1:]) if path[1:] else ABSENT
    if "/" in path[0] or path[0].startswith("_") or not path[0]:
        raise UnwritableContent(path[:1], TOP_LEVEL)
    if too_deep(value, MAX_DEPTH - len(path)):
        raise UnwritableContent(path, f"expected at most {MAX_DEPTH} levels, those of the path included")
    _check_tables_above(before, path)
    return nested(path[1:], value) if before is ABSENT else placed(before, path[1:], value)


def check_bytes(value: Any) -> None:
    """Refuse what is too large for any release, before somebody plans it.

    Raises:
        StoreTooLarge: It is so.
    """
    size = len(orjson.dumps(value, default=str))
    if size > MOST_BYTES:
        raise StoreTooLarge(f"expected at most {MOST_BYTES:,} bytes in one release, got {size:,}")


def check_nothing_unreadable(contents: Contents, path: Path) -> None:
    """Refuse a path at which stands what nobody can read.

    Raises:
        UnwritableContent: It is so.
    """
    top = contents.names.get(path[0])
    for key in top.unreadable if top is not None else ():
        if top is not None and top.documents[key].path == path:
            reason = "what stands here cannot be read; replace or delete it with POST .../releases"
            raise UnwritableContent(path, reason)


def _edits_of_all(contents: Contents, tree: Any) -> dict[str, bytes | None]:
    if tree is ABSENT:
        return {document.key: None for document in contents}
    if type(tree) is not dict:
        raise UnwritableContent((), "expected a table, which an environment is")
    # What nobody can read is not in the tree that somebody has seen.
    gone = (name for name in contents.names.keys() - tree.keys() if contents.names[name].tree is not ABSENT)
    return plan_edits(contents, {**dict.fromkeys(gone, ABSENT), **tree})


def _doomed(top: TopLevel, path: Path, *, deleting: bool) -> frozenset[str]:
    """Keys that nobody can read, and that go because the path names them.

    Raises:
        UnwritableContent: One stands above the path, so that nobody knows what is there.
    """
    doomed = set()
    for key in top.unreadable:
        at = top.documents[key].path
        if at == path or (deleting and at[: len(path)] == path):
            doomed.add(key)
        elif path[: len(at)] == at:
            raise UnwritableContent(at, "what stands here cannot be read; replace it as a whole, or delete it, first")
    return frozenset(doomed)


def _check_tables_above(tree: Any, path: Path) -> None:
    for depth, name in enumerate(path[1:], 1):
        if tree is ABSENT:
            return
        if type(tree) is not dict:
            raise UnwritableContent(path[:depth], "expected a table, because a path goes on below it")
        tree = tree.get(name, ABSENT)


def edits_of_several(contents: Contents, wanted: Mapping[Path, Any]) -> dict[str, bytes | None]:
    """The edits of several paths together, the shortest first: what is deeper comes later, and wins.

    Raises:
        NothingThere: As `edits_at`.
        UnwritableContent: As `edits_at`.
    """
    trees: dict[str, Any] = {}
    doomed: frozenset[str] = frozenset()
    for path, value in sorted(wanted.items(), key=lambda item: len(item[0])):
        name = path[0]
        top = contents.names.get(name)
        if name not in trees:
            trees[name] = ABSENT if top is None else top.tree
        going = frozenset() if top is None else _doomed(top, path, deleting=value is ABSENT)
        trees[name] = _tree_with(trees[name], path, value, deletes_others=bool(going))
        doomed |= going
    changed = {name: tree for name, tree in trees.items() if not (tree is ABSENT and name not in contents.names)}
    return plan_edits(contents, changed, doomed)


def check_new_names(changes: list[PathChange]) -> None:
    """Refuse new names that are too long for a path, or have characters that a person could not see.

    Names that are empty, `.` or `..` are taken, though no path of a URL leads there: `""` may be a root logger.

    Raises:
        UnwritableContent: There is one.
    """
    for change in changes:
        for path in _new_paths(change):
            if not path[-1].isprintable():
                raise UnwritableContent(path, UNPRINTABLE)
            if sum(map(len, path)) > MAX_NAMES:
                raise UnwritableContent(path, f"expected {SHORT_NAMES}")


def _new_paths(change: PathChange) -> Iterator[Path]:
    if change.after is ABSENT:
        return
    if change.path and change.before is ABSENT:
        yield change.path
    yield from _paths_below(change.path, change.after)


def _paths_below(path: Path, tree: Any) -> Iterator[Path]:
    if type(tree) is dict:
        for name, value in tree.items():
            yield (*path, name)
            yield from _paths_below((*path, name), value)


def name_trouble(name: str) -> str:
    """Why a name cannot be a part of a path; empty if it can."""
    if not name or {".", ".."} & set(name.split("/")):  # some proxies decode a slash, and then tidy up the path
        return "expected names that are not empty, `.` or `..`, nor have such parts"
    if not name.isprintable():
        return UNPRINTABLE
    return ""
