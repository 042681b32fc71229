"""Nested dicts as values: look inside, compare, overlay.

Nothing here mutates a tree that it was given. Unchanged subtrees keep their identity, which is what
makes everything above incremental: ``old is new`` answers for a whole subtree at once.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, Final

import msgspec

from reactive_config.core.paths import Path
from reactive_config.core.scalars import same_scalar

_encode = msgspec.json.Encoder().encode


class _Absent:
    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Nothing stands there; not the same as null, which is a value."""


def same(left: Any, right: Any) -> bool:
    """Whether two trees are equal in value and type: 1, 1.0 and True all differ, and so do 0.0 and -0.0.

    Times are compared with their offset, not with the rules of the zone that it comes from: no format has those.
    """
    if left is right:
        return True
    kind = type(left)
    if kind is not type(right) or left != right:
        return False
    if kind is dict:
        return same_encoding(left, right) or all(same(v, right[k]) for k, v in left.items())
    if kind is list:
        return all(map(same, left, right))
    if kind is float:
        return same_scalar(left, right)
    return kind not in (datetime, time) or left.utcoffset() == right.utcoffset()


def same_encoding(left: Any, right: Any) -> bool:
    """Whether two equal trees also have equal types, signs and offsets.

    JSON tells that without a step of Python for each value. Encodings also differ where it does not matter (the order
    of names), so False says nothing.
    """
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
