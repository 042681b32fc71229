"""Proofs that a tree keeps the bounds of `core/bounds.py`.

The rule for speed: a check in C proves the usual document sound; only one that fails it is walked in Python.
"""

from __future__ import annotations

import orjson

from reactive_config.core.bounds import MAX_DEPTH
from reactive_config.core.delta import Tree


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


def surely_sound(tree: Tree) -> bool:
    """Whether it is proved that `find_fault` finds nothing; False only means that it must look."""
    compact = encoded(tree)
    return compact is not None and b"null" not in compact
