"""What a configuration type is made of, whichever library defined it.

Everything that asks "which fields has this type, and what may stand there" asks here.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from reactive_config.core.secret import Secret, Shown

MISSING: Any = dataclasses.MISSING

_LISTS = (list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.Collection, collections.abc.Set)
_FLOATLESS = frozenset(
    {str, int, bool, type(None), bytes, bytearray, datetime, date, time, timedelta, uuid.UUID, Secret}
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class FieldType(typing.NamedTuple):
    """One field of a record type.

    Attributes:
        attribute: Its name in Python.
        type: What may stand there.
        default: Makes the default value; None where the field is required.
    """

    attribute: str
    type: Any
    default: Callable[[], Any] | None


def bare_type(kind: Any) -> Any:
    """The type without `Annotated` and without a NewType's or alias's name."""
    while True:
        if get_origin(kind) is typing.Annotated:
            kind = get_args(kind)[0]
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif type(kind).__name__ == "TypeAliasType":  # `type X = ...`, Python 3.12 and up
            kind = kind.__value__
        else:
            return kind


def unmarked(kind: Any) -> Any:
    """The type without an `Annotated` that says nothing but `Shown()`."""
    while get_origin(kind) is typing.Annotated and all(isinstance(mark, Shown) for mark in kind.__metadata__):
        kind = kind.__origin__
    return kind


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "__pydantic_core_schema__") and hasattr(kind, "model_validate")


def is_typed_dict(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__")


def is_secret(kind: Any) -> bool:
    return kind is Secret or get_origin(kind) is Secret


def is_untyped(kind: Any) -> bool:
    return kind is Any or kind is object


def is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def is_scalar(kind: Any) -> bool:
    """Whether its values are single ones that msgspec's strict conversion gives back as they are, or refuses."""
    plain = bare_type(kind)
    if get_origin(plain) is Literal or (isinstance(plain, type) and issubclass(plain, enum.Enum)):
        return True
    if is_union(plain):
        return all(map(is_scalar, get_args(plain)))
    return plain in (str, int, float, bool, None, type(None))


def may_be_float(kind: Any) -> bool:
    """Whether a scalar of this type may be a float."""
    plain = bare_type(kind)
    return plain is float or (is_union(plain) and any(map(may_be_float, get_args(plain))))


def mapping_types(kind: Any) -> tuple[Any, Any] | None:
    """The key's and the value's type of a mapping type, otherwise None."""
    origin = get_origin(kind) or kind
    if origin not in _MAPPINGS:
        return None
    return get_args(kind) or (str, Any)


def item_types(kind: Any) -> tuple[Any, ...] | None:
    """The items' types of a list-like type: one type and Ellipsis, or one each; otherwise None."""
    origin = get_origin(kind) or kind
    if origin not in _LISTS:
        return None
    args = get_args(kind)
    if origin is tuple and args and args[-1] is not Ellipsis:
        return args
    return (args[0] if args else Any, Ellipsis)


@lru_cache(maxsize=1024)
def fields_of(kind: Any) -> Mapping[str, FieldType] | None:
    """The fields of a record type by their names in the configuration; None for any other type."""
    if is_struct(kind):
        return {f.encode_name: FieldType(f.name, f.type, _default(f)) for f in msgspec.structs.fields(kind)}
    if is_pydantic(kind):
        return {f.alias or n: FieldType(n, f.rebuild_annotation(), _lazy(f)) for n, f in kind.model_fields.items()}
    if is_typed_dict(kind):
        return {n: _typed_dict_field(kind, n, t) for n, t in typing.get_type_hints(kind, include_extras=True).items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return {f.name: FieldType(f.name, hints[f.name], _default(f)) for f in dataclasses.fields(kind) if f.init}
    if isinstance(kind, type) and hasattr(kind, "__attrs_attrs__"):
        hints = typing.get_type_hints(kind, include_extras=True)
        return {
            a.name: FieldType(a.name, hints.get(a.name, Any), _attrs_default(a)) for a in kind.__attrs_attrs__ if a.init
        }
    return None


def _typed_dict_field(kind: Any, name: str, hint: Any) -> FieldType:
    # Where annotations are texts, __optional_keys__ does not know of NotRequired (before Python 3.14).
    optional = name in kind.__optional_keys__
    while (origin := get_origin(hint)) in (typing.Required, typing.NotRequired):
        optional = origin is typing.NotRequired
        hint = get_args(hint)[0]
    return FieldType(name, hint, (lambda: None) if optional else None)


def _default(field: Any) -> Callable[[], Any] | None:
    absent = (MISSING, msgspec.NODEFAULT)
    if field.default_factory not in absent:
        return field.default_factory  # type: ignore[no-any-return]
    if field.default is MISSING or field.default is msgspec.NODEFAULT:
        return None
    value = field.default
    return lambda: value


def _lazy(field: Any) -> Callable[[], Any] | None:
    """A pydantic field's default."""
    if field.is_required():
        return None
    return partial(field.get_default, call_default_factory=True, validated_data={})  # pydantic 2.10 asks for both


def _attrs_default(attribute: Any) -> Callable[[], Any] | None:
    import attrs

    return None if attribute.default is attrs.NOTHING else lambda: attribute.default


def plain_dataclass(kind: Any) -> bool:
    """A dataclass whose constructor takes exactly its fields."""
    return (
        isinstance(kind, type)
        and dataclasses.is_dataclass(kind)
        and not is_pydantic(kind)
        and not hasattr(kind, "__pydantic_validator__")
        and kind.__dataclass_params__.init  # type: ignore[attr-defined]
        and "__new__" not in kind.__dict__
        and all(f.init for f in dataclasses.fields(kind))
        and not any(isinstance(h, dataclasses.InitVar) for h in inspect.get_annotations(kind).values())
        and not any("InitVar" in h for h in inspect.get_annotations(kind).values() if isinstance(h, str))
    )


def plain_struct(kind: Any) -> bool:
    """A Struct that is a table of its fields and nothing else."""
    if not is_struct(kind):
        return False
    config = kind.__struct_config__
    return not config.array_like and config.tag is None and "__init__" not in kind.__dict__


@lru_cache(maxsize=4096)
def may_hold_floats(kind: Any) -> bool:
    """Whether a number with a fraction may stand anywhere in a value of this type, as far as the type tells."""
    return _holds(kind, set(), lambda t: isinstance(t, type) and not _is_known_floatless(t))


def _is_known_floatless(kind: Any) -> bool:
    if is_untyped(kind) or kind in _FLOATLESS or issubclass(kind, enum.Enum):
        return True
    return not is_pydantic(kind) and (
        fields_of(kind) is not None or mapping_types(kind) is not None or item_types(kind) is not None
    )


def _holds(kind: Any, seen: set[Any], wanted: Callable[[Any], bool]) -> bool:
    kind = bare_type(kind)
    try:
        if kind in seen:
            return False
        seen.add(kind)
    except TypeError:  # an unhashable argument of a Literal or the like holds nothing
        return False
    if wanted(kind):
        return True
    fields = fields_of(kind)
    inner = [f.type for f in fields.values()] if fields is not None else list(get_args(kind))
    if get_origin(kind) is Literal:
        return False
    return any(_holds(t, seen, wanted) for t in inner)


def describe(kind: Any) -> str:
    """What a person would call the type, in the words of configuration files."""
    kind = bare_type(kind)
    if is_untyped(kind):
        return "anything"
    if kind is None or kind is type(None):
        return "null"
    if kind is timedelta:
        return "a duration (seconds, 30s, 10m, PT30S)"
    if is_secret(kind):
        return "a secret " + (describe(get_args(kind)[0]) if get_args(kind) else "value")
    if is_union(kind):
        return " or ".join(dict.fromkeys(describe(t) for t in get_args(kind)))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(v) for v in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(repr(m.value) for m in kind)
    if (items := item_types(kind)) is not None:
        return "list" if is_untyped(items[0]) else f"list of {describe(items[0])}"
    if mapping_types(kind) is not None or fields_of(kind) is not None:
        return "table"
    return str(getattr(kind, "__name__", kind))


def kind_of(value: Any) -> str:
    """What a person would call a value of a tree, without showing it."""
    names = {dict: "table", list: "list", type(None): "null", str: "str"}
    return names.get(type(value)) or ("text" if type(value).__name__ == "Bare" else type(value).__name__)
