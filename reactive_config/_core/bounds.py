"""What a document may hold, whatever source it comes from; `docs/bounds.md` lists all bounds.

Parsers of this package keep to it themselves. What a source of the program's own sends is examined here.
Integers are bounded as in the narrowest format and in the mirror: from -2**63 to 2**64 - 1.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

import msgspec

from reactive_config._core.delta import Bare, Entry, Malformed, Tree
from reactive_config._core.paths import Path
from reactive_config._printable import with_article

MAX_DEPTH = 128
"""Tables and lists inside one another, from the layer's root on: the names of a path count like tables."""

MAX_VALUES = 4 << 20
"""Values of one document, as many as a file of 8 MiB has at most; one that stands in many places counts at each."""

MAX_NAMES = 1_024
"""Characters of all names on the way to a value in a document, and of those on the way to the document.

Whoever names many values names this way for each: a name of a megabyte above 100,000 values is 100 GB of dotted paths.
"""

FREE_OF_THAT = 32 << 10
"""Bytes up to which a document is not looked at for that: all its dotted paths together are some 50 MB at most."""

_LEAST, _MOST = -(2**63), 2**64 - 1

NESTING = f"tables and lists nested at most {MAX_DEPTH} deep"
INTEGER = "an integer of at most 64 bits"
FINITE = "a finite number"
TEXT_KEY = "text as a key"
ONE_KEY = "every key once in its table"
_SHOWN = 60
SHORT_NAMES = f"names of at most {MAX_NAMES:,} characters together on the way to a value"

LEAVES = frozenset((str, int, float, bool, type(None), datetime, date, time, timedelta, Bare))
"""Exactly these: an IntEnum or a str of somebody's own compares in its own way."""

_CONTAINERS = (dict, list, tuple)
_NESTED = frozenset({dict, list})
_ALWAYS_SOUND = LEAVES - {int, float}

_KINDS = {dict: "a table", list: "a list", str: "text", bool: "true or false", int: "an integer", float: "a float"}


class BoundsFault(NamedTuple):
    """One thing in a tree that must not be published.

    Attributes:
        path: Where; list items by their number, and for a key that is no text, its table.
        expected: What would have fitted.
        got: What was there, as a kind.
    """

    path: Path
    expected: str
    got: str


def twice(name: str, line: int = 0) -> str:
    """What stands there if a table has a key again; names of keys may be shown, and long ones are cut.

    Args:
        name: The key.
        line: Where it stands first, from 1; 0 where unknown.
    """
    first = f", first on line {line}" if line else ""
    return f"the key {name if len(name) <= _SHOWN else name[:_SHOWN] + '...'!r} twice{first}"


def kind(value: object) -> str:
    """What a value is, without its content."""
    return "null" if value is None else _KINDS.get(type(value), "another value")


def integer_fits(value: int) -> bool:
    """Whether every format and the mirror can carry the integer."""
    return _LEAST <= value <= _MOST


def find_fault(tree: Tree, path: Path = (), levels: int = MAX_DEPTH) -> BoundsFault | None:
    """The first thing in document order that must not be published; None for a sound tree.

    Args:
        tree: Of values that a parser gives, and each container in one place only.
        path: Where it stands in its document.
        levels: How many containers may lie inside one another.
    """
    if levels <= 0 and _is_container(tree):
        return BoundsFault(path, NESTING, "deeper nesting")
    if type(tree) is dict:
        for name in tree:
            if type(name) is not str:
                return BoundsFault(path, TEXT_KEY, f"{kind(name)} as a key")
        children = iter(tree.items())
    elif type(tree) is list:
        children = iter((str(i), child) for i, child in enumerate(tree))
    else:
        return _scalar_fault(tree, path)
    for name, child in children:
        if type(child) in _ALWAYS_SOUND or (type(child) is int and _LEAST <= child <= _MOST):
            continue  # the most of a tree; a path for each would double the time
        fault = find_fault(child, (*path, name), levels - 1)
        if fault is not None:
            return fault
    return None


def _scalar_fault(value: object, path: Path) -> BoundsFault | None:
    if type(value) is float and not math.isfinite(value):
        return BoundsFault(path, FINITE, "infinity or not a number")
    if type(value) is int and not integer_fits(value):
        return BoundsFault(path, INTEGER, "a larger one")
    if type(value) not in LEAVES:
        return BoundsFault(path, "what a file could hold", with_article(type(value).__name__))
    return None


def too_deep(tree: Tree, levels: int = MAX_DEPTH) -> bool:
    """Whether containers nest deeper; by level, so that no depth can exhaust the stack.

    Args:
        tree: Each container in one place only.
        levels: How many containers may lie inside one another.
    """
    level = [tree] if isinstance(tree, _CONTAINERS) else []
    for _ in range(levels):
        if not level:
            return False
        level = _below(level)
    return bool(level)


def admitted(entry: Entry) -> Entry:
    """The entry, or a `Malformed` one in its place if it holds or nests more than a document may.

    Every entry of every source passes here. One whose source has counted its depth costs a comparison.
    """
    depth = entry.depth
    if depth < 0 and type(entry.value) in _ALWAYS_SOUND:
        depth = 0
    if depth >= 0:
        if len(entry.path) + depth > MAX_DEPTH:
            return _refused(entry, NESTING, _too_long(entry.path))
        if depth and sum(map(len, entry.path)) > MAX_NAMES:
            return _refused(entry, SHORT_NAMES, "longer ones above a document")
        return entry
    return entry if type(entry.value) is Malformed else _examined(entry)


def _examined(entry: Entry) -> Entry:
    levels = MAX_DEPTH - len(entry.path)
    if levels < 0:
        return _refused(entry, NESTING, _too_long(entry.path))
    if holds_too_much(entry.value, levels):
        return _refused(entry, f"a document of at most {MAX_VALUES:,} values", "a larger one")
    if too_deep(entry.value, levels):
        return _refused(entry, NESTING, "deeper nesting")
    fault = find_fault(entry.value, (), levels)
    if fault is None:
        long = _is_container(entry.value) and (sum(map(len, entry.path)) > MAX_NAMES or names_too_long(entry.value))
        return _refused(entry, SHORT_NAMES, "longer ones") if long else entry
    return _refused(msgspec.structs.replace(entry, path=(*entry.path, *fault.path)), fault.expected, fault.got)


def names_too_long(tree: Tree) -> bool:
    """Whether the names on the way to some value have more than `MAX_NAMES` characters; those of a list count nothing.

    Args:
        tree: Keys are text, and each container stands in one place only.
    """
    open_ = [(tree, 0)] if _is_container(tree) else []
    while open_:
        parent, above = open_.pop()
        if type(parent) is dict:
            if parent and above + max(map(len, parent)) > MAX_NAMES:
                return True
            open_ += [(child, above + len(name)) for name, child in parent.items() if type(child) in _NESTED]
        else:
            open_ += [(child, above) for child in parent if type(child) in _NESTED]
    return False


def holds_too_much(tree: Any, levels: int = MAX_DEPTH) -> bool:
    """Whether a tree has more than `MAX_VALUES` values on so many levels.

    A container may stand in several places, or in itself: each level is counted before it is walked.
    """
    level, total = [tree] if isinstance(tree, _CONTAINERS) else [], 0
    for _ in range(levels):
        if not level:
            return False
        total += sum(map(len, level))
        if total > MAX_VALUES:
            return True
        level = _below(level)
    return False


def _below(level: list[Any]) -> list[Any]:
    return [
        child
        for parent in level
        for child in (parent.values() if isinstance(parent, dict) else parent)
        if isinstance(child, _CONTAINERS)
    ]


def _is_container(tree: Tree) -> bool:
    return type(tree) is dict or type(tree) is list


def _too_long(path: Path) -> str:
    return f"{len(path):,} names" if len(path) > MAX_DEPTH else f"a deeper document below {len(path):,} names"


def _refused(entry: Entry, expected: str, got: str) -> Entry:
    return msgspec.structs.replace(
        entry, path=entry.path[:MAX_DEPTH], value=Malformed(expected, got), locate=None, depth=0
    )
