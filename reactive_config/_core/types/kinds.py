"""What a type is: a record of which library, a mapping, a list, a union, a scalar."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

import msgspec

from reactive_config._core.env_name import EnvName
from reactive_config._core.secret import Secret, Shown
from reactive_config._core.types.byte_sizes import ByteSize
from reactive_config._core.types.generics import annotations_of, cached, class_of, filled
from reactive_config._core.types.text_types import text_type

_LISTS = (
    list,
    set,
    frozenset,
    tuple,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Set,
    collections.abc.MutableSet,
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_FOREIGN_SECRETS = frozenset({"Secret", "SecretStr", "SecretBytes"})
_SINGLE = (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID, ByteSize)
_QUALIFIERS = frozenset({"Final", "Required", "NotRequired", "ReadOnly"})


def bare_type(kind: Any) -> Any:
    """The type without `Annotated`, `Final` and the like, without a NewType's or alias's name, without variables.

    `ByteSize` stays: its values are read in a way of its own.
    """
    while (inner := _unwrapped(kind)) is not kind:
        kind = inner
    return kind


def unmarked(kind: Any) -> Any:
    """The type without an `Annotated` that says nothing but `Shown()` and `EnvName(...)`."""
    while get_origin(kind) is typing.Annotated and all(isinstance(mark, Shown | EnvName) for mark in kind.__metadata__):
        kind = kind.__origin__
    return kind


def is_constrained(kind: Any) -> bool:
    """Whether the type carries constraints, which `bare_type` loses."""
    while not any(isinstance(one, msgspec.Meta) for one in getattr(kind, "__metadata__", ())):
        if (inner := _unwrapped(kind)) is kind:
            return False
        kind = inner
    return True


def _unwrapped(kind: Any) -> Any:
    """The type without the outermost of what `bare_type` takes away; the same object if there is nothing."""
    origin = get_origin(kind)
    if origin is None:
        if isinstance(kind, typing.NewType):
            return kind if kind is ByteSize else kind.__supertype__
        if isinstance(kind, TypeVar):  # nothing stands for it
            return Any if kind.__bound__ is None else kind.__bound__
        if _is_alias(kind):
            return kind.__value__
        return Any if kind is typing.Final else kind
    if _is_alias(origin):
        return filled(origin.__value__, dict(zip(origin.__type_params__, get_args(kind), strict=False)))
    return get_args(kind)[0] if origin is typing.Annotated or _is_qualifier(origin) else kind


def _is_alias(kind: Any) -> bool:
    return type(kind).__name__ == "TypeAliasType"  # `type X = ...`, Python 3.12 and up


def unserved_alias(kind: Any, above: tuple[Any, ...] = ()) -> str | None:
    """Why an alias among a type and its parameters cannot be decoded, in words; None if there is no such alias.

    Args:
        kind: Records in it are not looked into.
        above: The aliases that it stands in.
    """
    alias = get_origin(kind) or kind
    if _is_alias(alias):
        if type(alias) is not getattr(typing, "TypeAliasType", None):
            return f"{alias} cannot be decoded: a TypeAliasType of typing_extensions is not served"
        if alias in above:
            return f"{alias} cannot be decoded: a type alias that holds itself is not served, a Struct that does is"
        above = (*above, alias)
    inner = _unwrapped(kind)
    for one in get_args(kind) if inner is kind else (inner,):
        if (reason := unserved_alias(one, above)) is not None:
            return reason
    return None


def _is_qualifier(origin: Any) -> bool:
    return not isinstance(origin, type) and getattr(origin, "_name", None) in _QUALIFIERS


def is_struct(kind: Any) -> bool:
    cls = class_of(kind)
    return cls is not None and issubclass(cls, msgspec.Struct)


def is_array(kind: Any) -> bool:
    """Whether it is a Struct that is written as a list."""
    return is_struct(kind) and bool(class_of(kind).__struct_config__.array_like)  # type: ignore[union-attr]


def is_pydantic(kind: Any) -> bool:
    """Whether it is a pydantic model."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_core_schema__") and hasattr(kind, "model_validate")


def is_pydantic_dataclass(kind: Any) -> bool:
    """Whether pydantic made its constructor; one that `dataclasses.dataclass` decorated after that is a plain one."""
    for base in getattr(class_of(kind), "__mro__", ()):
        if "__dataclass_fields__" in base.__dict__:
            return "__pydantic_validator__" in base.__dict__
    return False


def is_pydantics(kind: Any) -> bool:
    """Whether pydantic decodes it: a model or a dataclass of pydantic's."""
    return is_pydantic(kind) or is_pydantic_dataclass(kind)


def root_type(kind: Any) -> Any:
    """What stands in the configuration for a pydantic `RootModel`; None for any other type."""
    if not (is_pydantic(kind) and getattr(kind, "__pydantic_root_model__", False)):
        return None
    return kind.model_fields["root"].rebuild_annotation()


def is_dataclass(kind: Any) -> bool:
    """Whether it is a dataclass of the standard library's."""
    cls = class_of(kind)
    return cls is not None and dataclasses.is_dataclass(cls) and not is_pydantics(kind)


def is_attrs(kind: Any) -> bool:
    return hasattr(class_of(kind), "__attrs_attrs__")


def is_typed_dict(kind: Any) -> bool:
    cls = class_of(kind)
    return cls is not None and issubclass(cls, dict) and hasattr(cls, "__total__")


def is_named_tuple(kind: Any) -> bool:
    cls = class_of(kind)
    return cls is not None and issubclass(cls, tuple) and hasattr(cls, "_fields")


def is_secret(kind: Any) -> bool:
    return kind is Secret or get_origin(kind) is Secret


def is_sealed(kind: Any) -> bool:
    """Whether a type's values are secrets: `Secret`, pydantic's secret types, and what is derived from them."""
    return any(
        base is Secret or (base.__name__ in _FOREIGN_SECRETS and base.__module__.startswith("pydantic"))
        for base in getattr(class_of(kind), "__mro__", ())
    )


def is_untyped(kind: Any) -> bool:
    return kind is Any or kind is object


def is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def members_of(kind: Any) -> tuple[Any, ...]:
    """The bare types of a union's members, also of those that are unions by another name; of any other type, itself."""
    plain = bare_type(kind)
    return tuple(one for member in get_args(plain) for one in members_of(member)) if is_union(plain) else (plain,)


def is_scalar(kind: Any) -> bool:
    """Whether its values are single ones that msgspec's strict conversion gives back as they are, or refuses."""
    plain = bare_type(kind)
    if get_origin(plain) is Literal or (isinstance(plain, type) and issubclass(plain, enum.Enum)):
        return True
    if is_union(plain):
        return all(map(is_scalar, get_args(plain)))
    return plain in (str, int, float, bool, None, type(None))


def is_single(kind: Any) -> bool:
    """Whether its values are single ones, neither tables nor lists, as far as the type is known here."""
    plain = bare_type(kind)
    if is_union(plain):
        return all(map(is_single, get_args(plain)))
    return is_scalar(plain) or plain in _SINGLE or text_type(plain) is not None


def wants_text(kind: Any) -> bool:
    """Whether every value of a bare type is written as a text, whatever characters it has."""
    return kind is str or text_type(kind) is not None


def may_be_float(kind: Any) -> bool:
    """Whether a scalar of this type may be a float."""
    return any(member is float for member in members_of(kind))


def mapping_types(kind: Any) -> tuple[Any, Any] | None:
    """The key's and the value's type of a mapping type, otherwise None."""
    origin = get_origin(kind) or kind
    if origin not in _MAPPINGS:
        return None
    return get_args(kind) or (str, Any)


def item_types(kind: Any) -> tuple[Any, ...] | None:
    """The items' types of what is written as a list: one type and Ellipsis, or one each; otherwise None."""
    if is_named_tuple(kind) or is_array(kind):
        return _fields_in_order(kind)
    origin = get_origin(kind) or kind
    if origin not in _LISTS:
        return None
    args = get_args(kind)
    if origin is tuple and args and args[-1] is not Ellipsis:
        return args
    return (args[0] if args else Any, Ellipsis)


@cached
def _fields_in_order(kind: Any) -> tuple[Any, ...]:
    cls: Any = class_of(kind)
    if is_named_tuple(kind):
        hints = annotations_of(kind)
        types = tuple(hints.get(name, Any) for name in cls._fields)
    else:
        tag = () if cls.__struct_config__.tag is None else (str,)
        types = (*tag, *(field.type for field in msgspec.structs.fields(kind)))
    return types or (Any, Ellipsis)
