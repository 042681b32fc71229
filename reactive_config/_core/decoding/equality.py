"""Whether two decoded values are equal, and where they differ.

Equal means equal in value and type, in every part. Types that a user wrote take part in a comparison: it ends for
values that contain themselves or never end, and what raises while it is compared has changed.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import msgspec

from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_refusal
from reactive_config._core.secret import Secret
from reactive_config._core.trees import CLOSER, same_scalar
from reactive_config._core.types import fields_of, is_pydantic

MOST = 1_000_000
"""Containers and records that one comparison visits; values with more of them count as changed."""

EXTRA = "__pydantic_extra__"
"""The attribute with what a pydantic model holds beside its fields: a mapping, or None."""

_PRIVATE = "__pydantic_private__"  # a mapping of its private attributes, or None

_DEEPEST = 128  # names on the way to a difference, as many as a tree may have
_NOTHING = object()
_SIMPLE = frozenset({str, int, bool, type(None), bytes, timedelta, date})
"""Types whose `==` is all there is to equality."""

_Pairs = Iterable[tuple[Any, Any]]
_DIFFERENT: _Pairs = ((None, _NOTHING),)


def unchanged(old: Any, new: Any) -> bool:
    """Whether two decoded values are equal in value and type, in all their parts.

    Floats are compared with their sign, datetimes and times with their zone and fold, Decimals with their exponent,
    mappings and sets without their order, records field by field; types that are not known here by `==`.
    """
    if old is new:
        return True
    kind = type(old)
    if kind is not type(new):
        return False
    try:
        return bool(old == new) if kind in _SIMPLE else _same(old, new)
    except BaseException as error:
        if not is_refusal(error):
            raise
        return False


def _same(old: Any, new: Any) -> bool:
    pending = [(old, new)]
    # The pairs visited, by their ids, which stay theirs while they are kept here.
    seen: dict[tuple[int, int], tuple[Any, Any]] = {}
    while pending:
        old, new = pending.pop()
        if old is new:
            continue
        kind = type(old)
        if kind is not type(new):
            return False
        if kind in _SIMPLE:
            if old != new:
                return False
            continue
        inner = None if isinstance(old, CLOSER) else _inner(old, new)
        if inner is None:
            if not same_scalar(old, new):
                return False
            continue
        ids = (id(old), id(new))
        if ids in seen:
            continue
        if len(seen) == MOST:
            return False
        seen[ids] = (old, new)
        pending.extend(inner)
    return True


def _inner(old: Any, new: Any) -> _Pairs | None:
    """What two values of one type are made of, in pairs; None for what has no parts."""
    if isinstance(old, (list, tuple, deque)):
        return zip(old, new, strict=True) if len(old) == len(new) else _DIFFERENT
    if isinstance(old, (dict, MappingProxyType)):
        return _entries(old, new)
    if isinstance(old, (set, frozenset)):
        return _items(old, new)
    if isinstance(old, Secret):
        return ((old.reveal(), new.reveal()),)
    kind: Any = type(old)
    names = attributes_of(kind)
    if names is None:
        return _spelled(old, new)
    if is_pydantic(kind):  # what a validator left in a private attribute is a part of the value too
        names = (*names, _PRIVATE)
    return [(getattr(old, name, None), getattr(new, name, None)) for name in names]


def _spelled(old: Any, new: Any) -> _Pairs | None:
    """The texts of two values whose `==` is not to the point, in a pair; None for other values.

    A path of Windows is equal in whatever case, and two time zones of one name are not, if the first was forgotten.
    """
    if isinstance(old, PurePath):
        return ((str(old), str(new)),)
    if type(old).__module__ == "zoneinfo" and getattr(old, "key", None) is not None:
        return ((old.key, new.key),)
    return None


def _entries(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> _Pairs:
    if old.keys() != new.keys():
        return _DIFFERENT
    values = [(value, new[key]) for key, value in old.items()]
    return values if {*map(type, old), *map(type, new)} <= {str} else [*_items(old, new), *values]


def _items(old: Collection[Any], new: Collection[Any]) -> _Pairs:
    """Hashable items in pairs that are equal by `==`."""
    if len(old) != len(new):
        return _DIFFERENT
    items = {item: item for item in new}
    return [(item, items.get(item, _NOTHING)) for item in old]


def changed_values(old: Any, new: Any, path: Path) -> list[Path]:
    """The shortest paths at which two decoded values differ; descends into records and mappings."""
    if old is new:
        return []
    try:
        if type(old) in _SIMPLE:
            return [] if unchanged(old, new) else [path]
        return _differences(old, new, path, len(path) + _DEEPEST, {})
    except BaseException as error:
        if not is_refusal(error):
            raise
        return [path]


def _differences(
    old: Any, new: Any, path: Path, deepest: int, seen: dict[tuple[int, int], tuple[Any, Any, bool]]
) -> list[Path]:
    """The same as `changed_values`.

    Args:
        old: One value.
        new: The other one.
        path: Where they stand.
        deepest: Names that a path may have.
        seen: The pairs visited, by their ids, with whether they differ; not yet, while they are being visited.
    """
    if old is new:
        return []
    if type(old) in _SIMPLE:
        return [] if unchanged(old, new) else [path]
    ids = (id(old), id(new))
    if ids in seen:
        return [path] if seen[ids][2] else []
    if len(seen) == MOST:
        return [path]
    seen[ids] = (old, new, False)
    found: list[Path] = []
    complete = False
    if len(path) < deepest:
        for name, before, after in _named(old, new):
            if before is not after:
                found += _differences(before, after, (*path, str(name)), deepest, seen)
        complete = _is_named(old, new)
    if not found and not complete and not unchanged(old, new):
        found = [path]
    seen[ids] = (old, new, bool(found))
    return found


def _named(old: Any, new: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The values of two records of one type, or of two mappings, by name; nothing for other values."""
    kind = type(old)
    if kind is not type(new) or kind in _SIMPLE:
        return
    if isinstance(old, dict):
        for name in {**old, **new}:
            yield name, old.get(name, _NOTHING), new.get(name, _NOTHING)
    else:
        for name, field in (fields_of(old.__class__) or {}).items():
            yield name, getattr(old, field.attribute), getattr(new, field.attribute)


def _is_named(old: Any, new: Any) -> bool:
    """Whether `_named` gives all that two values are made of; a model with extras holds more than its fields."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return {*map(type, old), *map(type, new)} <= {str}
    return isinstance(old, msgspec.Struct)


@lru_cache(maxsize=1024)
def attributes_of(kind: Any) -> tuple[str, ...] | None:
    """The attributes that a record of this type is made of; None for any other type."""
    if issubclass(kind, msgspec.Struct):
        return tuple(kind.__struct_fields__)
    if is_pydantic(kind):
        return (*kind.model_fields, EXTRA)
    if dataclasses.is_dataclass(kind):
        return tuple(f.name for f in dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(a.name for a in kind.__attrs_attrs__)
    return None
