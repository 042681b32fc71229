"""Which types and values are secrets, and which types have one somewhere."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Literal, get_args, get_origin

from reactive_config._core.secret import Secret
from reactive_config._core.types import FieldType, bare_type, fields_of, is_pydantic, is_sealed, mapping_types


def revealed(value: Any) -> Any:
    """The plain value of a `Secret` or of one of pydantic's; of anything else, itself."""
    if isinstance(value, Secret):
        return value.reveal()
    return value.get_secret_value() if is_sealed(type(value)) else value


def holds_secret(kind: Any) -> bool:
    """Whether a Secret, or pydantic's own secret types, may stand anywhere in a value of this type."""
    return holds(kind, is_sealed)


def holds_secret_names(kind: Any) -> bool:
    """Whether a table may stand anywhere in it whose names are secrets."""
    return holds(kind, _has_secret_names)


def _has_secret_names(kind: Any) -> bool:
    mapping = mapping_types(kind)
    return mapping is not None and holds_secret(mapping[0])


def holds(kind: Any, wanted: Callable[[Any], bool]) -> bool:
    """Whether a type is wanted, or made of one that is: fields, items, members, arguments, those of its bases."""
    try:
        return _cached_holds(kind, wanted)
    except TypeError:  # what stands in an Annotated or a Literal need not be hashable
        return _holds(kind, [], wanted)


@lru_cache(maxsize=4096)
def _cached_holds(kind: Any, wanted: Callable[[Any], bool]) -> bool:
    return _holds(kind, [], wanted)


def _holds(kind: Any, seen: list[Any], wanted: Callable[[Any], bool]) -> bool:
    kind = bare_type(kind)
    if any(kind is known or kind == known for known in seen) or get_origin(kind) is Literal:
        return False
    seen.append(kind)
    return wanted(kind) or any(_holds(inner, seen, wanted) for inner in _made_of(kind))


def _made_of(kind: Any) -> list[Any]:
    """The types that a type names."""
    found = list(get_args(kind))
    origin = get_origin(kind) or kind
    if type(origin).__name__ == "TypeAliasType":
        found.append(origin.__value__)
    found += [argument for base in getattr(origin, "__orig_bases__", ()) for argument in get_args(base)]
    if is_pydantic(origin):  # whatever its fields are called in a configuration
        return [*found, *(field.rebuild_annotation() for field in origin.model_fields.values())]
    fields = fields_of(kind) or fields_of(origin) or positions_of(origin) or {}
    return [*found, *(field.type for field in fields.values())]


def positions_of(kind: Any) -> Mapping[str, FieldType] | None:
    """The fields of a NamedTuple, in their order; None for any other type."""
    if not (isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return None
    hints = typing.get_type_hints(kind, include_extras=True)
    defaults: Mapping[str, Any] = getattr(kind, "_field_defaults", {})
    return {
        n: FieldType(n, hints.get(n, Any), partial(defaults.get, n) if n in defaults else None) for n in kind._fields
    }
