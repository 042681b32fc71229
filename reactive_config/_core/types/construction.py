"""Which code of a type's own runs when a value of it is made, and what is made by the type's own constructor.

msgspec fills Structs, dataclasses and attrs classes by itself and then calls `__post_init__`. That is what their own
constructor does, save for attrs classes (converters, aliases), pydantic's dataclasses (validation), and dataclasses
whose constructor is not the generated one. Those have to be made by their constructor; msgspec takes instances as
they are.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any
from uuid import UUID

from reactive_config._core.types.byte_sizes import ByteSize
from reactive_config._core.types.generics import annotations_of, cached, class_of, inherits_parameters
from reactive_config._core.types.kinds import (
    is_attrs,
    is_dataclass,
    is_named_tuple,
    is_pydantic_dataclass,
    is_secret,
    is_struct,
    is_typed_dict,
    is_union,
)
from reactive_config._core.types.records import fields_of, reachable
from reactive_config._core.types.text_types import text_type

_FIXED = {str, int, float, bool, bytes, type(None), tuple, frozenset, datetime, date, time, timedelta, Decimal, UUID}


@cached
def own_code(kind: Any) -> bool:
    """Whether code of its author's runs in the making of a Struct or dataclass, which may change what it is given."""
    return hasattr(class_of(kind), "__post_init__") or own_constructor(kind)


@cached
def own_constructor(kind: Any) -> bool:
    """Whether values are made by calling the class (or by pydantic): msgspec would pass over something of it."""
    cls: Any = class_of(kind)
    if is_attrs(kind) or is_pydantic_dataclass(kind):
        return True
    return is_dataclass(kind) and (
        not _is_generated(cls.__init__)
        or cls.__new__ is not object.__new__
        or type(cls).__call__ is not type.__call__
        or (cls.__setattr__ is not object.__setattr__ and not cls.__dataclass_params__.frozen)
        or not all(field.init for field in dataclasses.fields(cls))
    )


def _is_generated(method: Any) -> bool:
    code = getattr(method, "__code__", None)
    return code is not None and code.co_filename == "<string>"


@cached
def is_immutable(kind: Any) -> bool:
    """Whether nothing in a value of this type can be changed in place; False where that is not known."""
    return all(map(_is_fixed, reachable(kind)))


def _is_fixed(plain: Any) -> bool:
    """The same of one type alone."""
    cls: Any = class_of(plain)
    if is_union(plain) or cls in _FIXED or is_secret(plain) or is_named_tuple(plain):
        return True
    if is_struct(plain):
        return bool(cls.__struct_config__.frozen)
    if is_dataclass(plain):
        return bool(cls.__dataclass_params__.frozen)
    if plain is ByteSize or text_type(plain) is not None:
        return True
    return cls is not None and issubclass(cls, enum.Enum)


@cached
def constructs(kind: Any) -> bool:
    """Whether a value of this type may hold something that has its own constructor."""
    return any(map(own_constructor, reachable(kind)))


def not_served(kind: Any) -> str | None:  # noqa: C901 - one question for each library
    """What of a record type's own code would be passed over, in words; None if nothing is.

    Args:
        kind: One bare type; those inside it are not looked at.
    """
    cls: Any = class_of(kind)
    if cls is re.Pattern and text_type(kind) is None:
        return "a pattern of bytes"
    if is_typed_dict(kind) or is_pydantic_dataclass(kind):
        if inherits_parameters(kind):
            return "a base with type parameters, whose fields its library leaves untyped"
    elif is_named_tuple(kind):
        below = takewhile(lambda base: "_fields" not in base.__dict__, cls.__mro__)
        if any("__new__" in base.__dict__ or "__init__" in base.__dict__ for base in below):
            return "a constructor of its own"
    elif is_attrs(kind):
        if any(getattr(attribute.default, "takes_self", False) for attribute in cls.__attrs_attrs__):
            return "a default that takes the instance (takes_self)"
        hints = annotations_of(kind)
        if missing := [attribute.name for attribute in cls.__attrs_attrs__ if attribute.name not in hints]:
            return f"a field without an annotation ({missing[0]})"
        return _refusing_constructor(kind)
    elif is_dataclass(kind):
        if any(one._field_type is dataclasses._FIELD_INITVAR for one in cls.__dataclass_fields__.values()):  # type: ignore[attr-defined]
            return "InitVar"
        return _refusing_constructor(kind)
    return None


def _refusing_constructor(kind: Any) -> str | None:
    fields = fields_of(kind) or {}
    signature = inspect.signature(class_of(kind))  # type: ignore[arg-type]
    required = [name for name, field in fields.items() if field.default is None]
    for names in (fields, required):
        try:
            signature.bind(**dict.fromkeys(names))
        except TypeError as error:
            return f"a constructor that does not take exactly its fields, by their names ({error}),"
    return None
