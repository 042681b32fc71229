"""What a published tree may hold, and where one breaks the rules.

Its bounds are those of every tree (`core/bounds.py`), named here for the formats.

The rule for speed: a check in C proves the usual document sound; only one that fails it is walked in Python.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import orjson

from reactive_config.core.bounds import FINITE as FINITE
from reactive_config.core.bounds import INTEGER as INTEGER
from reactive_config.core.bounds import MAX_DEPTH as MAX_DEPTH
from reactive_config.core.bounds import NESTING as NESTING
from reactive_config.core.bounds import ONE_KEY as ONE_KEY
from reactive_config.core.bounds import integer_fits as integer_fits
from reactive_config.core.delta import Tree
from reactive_config.core.paths import Path

TEXT_KEY = "text as a key"

_KINDS = {dict: "a table", list: "a list", str: "text", bool: "true or false", int: "an integer", float: "a float"}


class Fault(NamedTuple):
    """One thing in a tree that must not be published.

    Attributes:
        path: Where; list items by their number, and for a key that is no text, its table.
        expected: What would have fitted.
        got: What was there, as a kind.
    """

    path: Path
    expected: str
    got: str


def kind(value: object) -> str:
    """What a value is, without its content."""
    return "null" if value is None else _KINDS.get(type(value), "another value")


def encoded(tree: Tree, *, shallow: bool = False) -> bytes | None:
    """The tree as compact JSON, where infinity and NaN are null.

    Args:
        tree: Of the types that formats give.
        shallow: Whether it is known not to nest too deep; it costs less then.

    Returns:
        None if it may break any other of the rules: orjson refuses keys that are no text, integers beyond 64 bits, and
        more levels than `_WRITABLE`; lists around the tree use up those above `MAX_DEPTH`.
    """
    try:
        if shallow:
            return orjson.dumps(tree)
        return orjson.dumps(_inside(tree, _SPARE))[_SPARE:-_SPARE] if _EXACT else None
    except TypeError:
        return None


def _inside(tree: Tree, lists: int) -> Tree:
    for _ in range(lists):
        tree = [tree]
    return tree


def _writes(tree: Tree, lists: int) -> bool:
    try:
        orjson.dumps(_inside(tree, lists))
    except TypeError:
        return False
    return True


_WRITABLE = 254
_SPARE = _WRITABLE - MAX_DEPTH
# Another version may have another limit, or not count a container that is empty: then all is walked.
_EXACT = all(
    _writes(leaf, _WRITABLE - levels) and not _writes(leaf, _WRITABLE - levels + 1)
    for leaf, levels in ((None, 0), ([], 1), ({}, 1), ([None], 1), ({"": None}, 1))
)


def too_deep(tree: Tree) -> bool:
    """Whether containers nest deeper than `MAX_DEPTH`; by level, so that no depth can exhaust the stack."""
    level = [tree] if type(tree) in (dict, list) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def surely_sound(tree: Tree) -> bool:
    """Whether it is proved that `find_fault` finds nothing; False only means that it must look."""
    compact = encoded(tree)
    return compact is not None and b"null" not in compact


def find_fault(tree: Tree, path: Path = ()) -> Fault | None:
    """The first thing in document order that must not be published; None for a sound tree."""
    if type(tree) is dict:
        if len(path) >= MAX_DEPTH:
            return Fault(path, NESTING, "deeper nesting")
        for name in tree:
            if type(name) is not str:
                return Fault(path, TEXT_KEY, f"{kind(name)} as a key")
        children = iter(tree.items())
    elif type(tree) is list:
        if len(path) >= MAX_DEPTH:
            return Fault(path, NESTING, "deeper nesting")
        children = iter((str(i), child) for i, child in enumerate(tree))
    else:
        return _scalar_fault(tree, path)
    for name, child in children:
        if type(child) is str or type(child) is bool or child is None:
            continue  # the most of a tree; a path for each would double the time
        fault = find_fault(child, (*path, name))
        if fault is not None:
            return fault
    return None


def _scalar_fault(value: object, path: Path) -> Fault | None:
    if type(value) is float and not math.isfinite(value):
        return Fault(path, FINITE, "infinity or not a number")
    if type(value) is int and not integer_fits(value):
        return Fault(path, INTEGER, "a larger one")
    return None
