"""The fields of record types, whichever library defined them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_origin
from uuid import UUID

import msgspec

from reactive_config._core.env_name import EnvName
from reactive_config._core.secret import Secret, Shown
from reactive_config._core.types.generics import annotations_of, cached, class_of, filled, is_hashable
from reactive_config._core.types.kinds import (
    bare_type,
    is_attrs,
    is_dataclass,
    is_pydantics,
    is_sealed,
    is_struct,
    is_typed_dict,
    is_untyped,
    item_types,
    mapping_types,
    root_type,
)
from reactive_config._core.types.pydantic_types import locations, primary_name, type_below
from reactive_config._core.types.text_types import text_type

MISSING: Any = dataclasses.MISSING

_MOST_TYPES = 3_000
_FLOATLESS = frozenset({str, int, bool, type(None), bytes, bytearray, datetime, date, time, timedelta, UUID, Secret})


class SharedDefault:
    """A default value that is the same object for every instance."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


class FieldType(typing.NamedTuple):
    """One field of a record type.

    Attributes:
        attribute: Its name in Python.
        type: What may stand there in the configuration.
        default: Makes the default value; None where the field is required.
    """

    attribute: str
    type: Any
    default: Callable[[], Any] | None


@cached
def fields_of(kind: Any) -> Mapping[str, FieldType] | None:
    """The fields of a record type, each by its first name in the configuration; None for any other type."""
    if is_struct(kind):
        return {f.encode_name: FieldType(f.name, f.type, _default(f)) for f in msgspec.structs.fields(kind)}
    if is_pydantics(kind):
        return None if root_type(kind) is not None else dict(_pydantic_fields(kind))
    if is_typed_dict(kind):
        return {name: _typed_dict_field(kind, name, hint) for name, hint in annotations_of(kind).items()}
    if is_dataclass(kind):
        hints = annotations_of(kind)
        fields: Any = dataclasses.fields(class_of(kind))  # type: ignore[arg-type]
        return {f.name: FieldType(f.name, hints[f.name], _default(f)) for f in fields if f.init}
    if is_attrs(kind):
        hints = annotations_of(kind)
        attributes = class_of(kind).__attrs_attrs__  # type: ignore[union-attr]
        return {a.alias: _attrs_field(a, hints.get(a.name, a.type or Any)) for a in attributes if a.init}
    return None


@cached
def inputs_of(kind: Any) -> Mapping[str, FieldType] | None:
    """The same by every name under which the configuration may give a field: pydantic knows several for one."""
    if not is_pydantics(kind) or root_type(kind) is not None:
        return fields_of(kind)
    found: dict[str, FieldType] = {}
    places: dict[str, list[tuple[Any, Any]]] = {}
    for name, field, accepted in locations(kind):
        for head, *rest in accepted:
            places.setdefault(str(head), []).append((tuple(rest), _pydantic_type(kind, field)))
            found.setdefault(str(head), FieldType(name, None, _pydantic_default(field)))
    return {head: field._replace(type=type_below(places[head])) for head, field in found.items()}


def _pydantic_fields(kind: Any) -> Iterator[tuple[str, FieldType]]:
    for name, field, places in locations(kind):
        yield primary_name(name, places), FieldType(name, _pydantic_type(kind, field), _pydantic_default(field))


def _pydantic_default(field: Any) -> Callable[[], Any] | None:
    if field.is_required():
        return None
    return partial(field.get_default, call_default_factory=True, validated_data={})  # pydantic 2.10 asks for both


def _pydantic_type(kind: Any, field: Any) -> Any:
    variables = getattr(class_of(kind), "__parameters__", ())
    return filled(field.rebuild_annotation(), dict(zip(variables, get_args(kind), strict=False)))


def _typed_dict_field(kind: Any, name: str, hint: Any) -> FieldType:
    # Where annotations are texts, __optional_keys__ does not know of NotRequired (before Python 3.14).
    optional = name in class_of(kind).__optional_keys__  # type: ignore[union-attr]
    while (origin := get_origin(hint)) in (typing.Required, typing.NotRequired):
        optional = origin is typing.NotRequired
        hint = get_args(hint)[0]
    return FieldType(name, hint, SharedDefault(None) if optional else None)


def _attrs_field(attribute: Any, hint: Any) -> FieldType:
    import attrs

    if attribute.converter is not None and not any(map(is_sealed, reachable(hint))):
        hint = _marked_like(hint, _taken_by(attribute.converter, hint))
    default = attribute.default
    if default is attrs.NOTHING:
        return FieldType(attribute.name, hint, None)
    made = isinstance(default, attrs.Factory)  # type: ignore[arg-type]
    return FieldType(attribute.name, hint, default.factory if made else SharedDefault(default))


def _marked_like(hint: Any, taken: Any) -> Any:
    """What a converter takes, with the marks that its field has."""
    marks = getattr(hint, "__metadata__", ())
    found = [mark for mark in marks if isinstance(mark, EnvName | Shown)] if taken is not hint else []
    return typing.Annotated.__class_getitem__((taken, *found)) if found else taken  # type: ignore[attr-defined]


def _taken_by(converter: Any, otherwise: Any) -> Any:
    """What a converter's parameter is annotated with."""
    try:
        parameters = inspect.signature(getattr(converter, "converter", converter), eval_str=True).parameters
    except (ValueError, TypeError, NameError):  # a builtin, or a name that exists only for type checkers
        return otherwise
    found = next(iter(parameters.values())).annotation if parameters else inspect.Parameter.empty
    return otherwise if found is inspect.Parameter.empty or isinstance(found, TypeVar) else found


def _default(field: Any) -> Callable[[], Any] | None:
    absent = (MISSING, msgspec.NODEFAULT)
    if field.default_factory not in absent:
        return field.default_factory  # type: ignore[no-any-return]
    return None if field.default is MISSING or field.default is msgspec.NODEFAULT else SharedDefault(field.default)


@cached
def may_hold_floats(kind: Any) -> bool:
    """Whether a number with a fraction may stand anywhere in a value of this type, as far as the type tells."""
    return any(isinstance(one, type) and not _is_known_floatless(one) for one in reachable(kind))


def _is_known_floatless(kind: Any) -> bool:
    if is_untyped(kind) or kind in _FLOATLESS or issubclass(kind, enum.Enum) or text_type(kind) is not None:
        return True
    if is_pydantics(kind) or is_attrs(kind):  # what their own code makes of a value may be one
        return False
    return fields_of(kind) is not None or mapping_types(kind) is not None or item_types(kind) is not None


@cached
def reachable(kind: Any) -> tuple[Any, ...]:
    """Every bare type that may stand somewhere in a value of this type, itself included, Literals left out."""
    found: dict[Any, Any] = {}
    waiting = [kind]
    while waiting:
        plain = bare_type(waiting.pop())
        known = plain if is_hashable(plain) else id(plain)
        if known in found or get_origin(plain) is Literal:
            continue
        found[known] = plain
        if len(found) > _MOST_TYPES:
            names = {one.__qualname__ for one in map(class_of, found.values()) if one and fields_of(one) is not None}
            raise TypeError(
                f"more than {_MOST_TYPES:,} types in {', '.join(sorted(names)[:9])}: does one hold a larger self?"
            )
        inputs = inputs_of(plain)
        if inputs is not None:
            waiting += [field.type for field in inputs.values()]
        elif (root := root_type(plain)) is not None:
            waiting.append(root)
        else:
            waiting += [one for one in item_types(plain) or get_args(plain) if one is not Ellipsis]
    return tuple(found.values())
