"""Whether two decoded values are equal, and where they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec

from reactive_config.core.paths import Path
from reactive_config.core.secret import Secret
from reactive_config.core.types import fields_of, is_pydantic

_NOTHING = object()
_SIMPLE = frozenset({str, int, float, bool, type(None)})
"""Types whose `==` is all there is to equality."""


def unchanged(old: Any, new: Any) -> bool:
    """Whether two decoded values are equal with the same scalar types, in all their parts."""
    if old is new:
        return True
    kind = type(old)
    if kind is not type(new):
        return False
    if kind in _SIMPLE:
        return bool(old == new)
    if kind in (list, tuple):
        return len(old) == len(new) and all(map(unchanged, old, new))
    if isinstance(old, dict):
        return len(old) == len(new) and all(k in new and unchanged(v, new[k]) for k, v in old.items())
    if isinstance(old, (set, frozenset)):
        return {(type(item), item) for item in old} == {(type(item), item) for item in new}
    if isinstance(old, Secret):
        return unchanged(old.reveal(), new.reveal())
    return _same_attributes(old, new)


def _same_attributes(old: Any, new: Any) -> bool:
    names = _attributes(old)
    if names is None:
        try:
            return bool(old == new)
        except Exception:  # noqa: BLE001 - a comparison of the user's own; what cannot be compared has changed
            return False
    for name in names:
        before, after = getattr(old, name, None), getattr(new, name, None)
        if before is not after and not unchanged(before, after):
            return False
    return True


def changed_values(old: Any, new: Any, path: Path) -> list[Path]:
    """The shortest paths at which two decoded values differ; descends into records and mappings."""
    if old is new:
        return []
    found: list[Path] = []
    for name, before, after in _pairs(old, new):
        if before is not after:
            found += changed_values(before, after, (*path, str(name)))
    # What holds a value beside its names (as a model with extras does) may differ in that alone.
    return found or ([] if unchanged(old, new) else [path])


def _pairs(old: Any, new: Any) -> Iterator[tuple[Any, Any, Any]]:
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


def _attributes(value: Any) -> tuple[str, ...] | None:
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if is_pydantic(kind):
        return (*kind.model_fields, "__pydantic_extra__")
    if dataclasses.is_dataclass(kind):
        return tuple(f.name for f in dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(a.name for a in kind.__attrs_attrs__)
    return None
