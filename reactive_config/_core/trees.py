"""Nested dicts as values: look inside, compare, overlay, and say where two of them differ.

Scalars are compared by type and value: `1`, `1.0` and `True` differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from decimal import Decimal
from math import copysign
from typing import Any, Final

import msgspec

from reactive_config._core.paths import Path

CLOSER = (float, datetime, time, Decimal, complex)
"""Types that `same_scalar` compares more closely than `==`."""


def same_scalar(old: Any, new: Any) -> bool:
    """Whether two scalars of one type are the same value; NaN is the same as NaN.

    Raises:
        BaseException: Whatever the `==` of an unknown type raises.
    """
    if isinstance(old, float):
        return (old == new or (old != old and new != new)) and copysign(1.0, old) == copysign(1.0, new)
    if isinstance(old, (datetime, time)):
        return old.replace(tzinfo=None) == new.replace(tzinfo=None) and old.fold == new.fold and _same_zone(old, new)
    if isinstance(old, Decimal):
        return bool(old.as_tuple() == new.as_tuple())
    if isinstance(old, complex):
        return same_scalar(old.real, new.real) and same_scalar(old.imag, new.imag)
    return bool(old == new)


def _same_zone(old: datetime | time, new: datetime | time) -> bool:
    # Offsets too: a zone of somebody's own may be equal to one with another offset.
    return old.tzinfo == new.tzinfo and old.utcoffset() == new.utcoffset()


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


Changes = dict[str, Any] | None
"""By name, what may differ below it; None stands for all of it, an empty dict for nothing."""


def add(changes: Changes, path: Path, inner: Changes = None) -> Changes:
    """Add what may differ at a path.

    Args:
        changes: What is known so far; written to.
        path: Where the addition stands.
        inner: What may differ there; kept, and perhaps written to.

    Returns:
        `changes`, or None where it now stands for everything.
    """
    if not path or changes is None:
        return union(changes, inner)
    node = changes
    for name in path[:-1]:
        node = node.setdefault(name, {})
        if node is None:  # a shorter path already says that all of this may have changed
            return changes
    name = path[-1]
    node[name] = union(node[name], inner) if name in node else inner
    return changes


def union(left: Changes, right: Changes) -> Changes:
    """What may differ by either; may write to `left`, and share the rest with both."""
    if left is None or right is None:
        return None
    if not left:
        return right
    for name, inner in right.items():
        left[name] = union(left[name], inner) if name in left else inner
    return left


def difference(old: Any, new: Any) -> Changes:
    """Where two trees differ; descends only where both are tables."""
    if old is new:
        return {}
    if type(old) is not dict or type(new) is not dict:
        return {} if same(old, new) else None
    found: dict[str, Any] = {}
    equal = []
    for name, value in new.items():
        before = old.get(name, ABSENT)
        if before is value:
            continue
        if before == value:
            equal.append(name)
        elif (inner := difference(before, value)) != {}:
            found[name] = inner
    # What is equal is nearly always the same, and for all of it together that is shown in two calls.
    if equal and not same_encoding([old[name] for name in equal], [new[name] for name in equal]):
        found |= {name: inner for name in equal if (inner := _difference_of_equals(old[name], new[name])) != {}}
    for name in old:
        if name not in new:
            found[name] = None
    return found


def _difference_of_equals(old: Any, new: Any) -> Changes:
    return {} if same(old, new) else difference(old, new)


def paths_of(changes: Changes, path: Path = ()) -> Iterator[Path]:
    """The shortest paths at which something may differ."""
    if changes is None:
        yield path
    else:
        for name, inner in changes.items():
            yield from paths_of(inner, (*path, name))
