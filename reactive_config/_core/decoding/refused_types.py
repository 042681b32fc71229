"""Where in a configuration's type something stands that cannot be decoded, and what to do about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from reactive_config._core.decoding.bare_values import duration
from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.paths import Path, format_path
from reactive_config._core.types import (
    ByteSize,
    FieldType,
    bare_type,
    class_of,
    describe,
    fields_of,
    is_dataclass,
    is_pydantic,
    is_pydantics,
    is_sealed,
    is_secret,
    is_struct,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
    members_of,
    own_code,
    reachable,
)
from reactive_config._core.types.byte_sizes import byte_count
from reactive_config._core.types.text_types import text_type

_ANY_NAME = "*"
"""In place of the names of a mapping."""


class RefusedType(NamedTuple):
    """A type that cannot be decoded.

    Attributes:
        path: Where it stands in the configuration; `*` for any name of a mapping.
        kind: The type.
        reason: What msgspec says of it; empty if it only does not know it.
    """

    path: Path
    kind: Any
    reason: str

    def __str__(self) -> str:
        name = _name(self.kind)
        text = f"{format_path(self.path)}: " if self.path else ""
        text += f"expected a type that can be decoded, got {name}"
        if self.reason:
            text += f": {self.reason}"
        return f"{text}; {_ways_out(self.kind)}"


def _ways_out(kind: Any) -> str:
    if is_union(bare_type(kind)):
        return "give the field one type: one of those that docs/guide.md lists, or a class of your own with a decoder"
    if mapping_types(bare_type(kind)) is not None:
        return "write dict[str, ...]"
    name = getattr(class_of(kind), "__name__", "TYPE")
    return (
        f"write open_config(..., decoders={{{name}: FUNCTION}}), make it a pydantic model, or take a type that "
        "docs/guide.md lists"
    )


def is_known(cls: Any, decoders: Collection[type]) -> bool:
    """Whether a class that msgspec does not know is decoded nevertheless."""
    return is_secret(cls) or is_pydantic(cls) or text_type(cls) is not None or class_of(cls) in decoders


def has_custom_names(kind: Any) -> bool:
    """Whether a type for the names of a table is one that msgspec does not know, and so would not make."""
    return any(_is_unknown(member) and not is_sealed(member) for member in members_of(kind))


def find_refused(kind: Any, decoders: Collection[type]) -> RefusedType | None:
    """The first type on the way down from a type that cannot be decoded; None if there is none.

    Args:
        kind: A configuration's type.
        decoders: The classes that the program decodes.
    """
    waiting: deque[tuple[Path, Any]] = deque([((), kind)])
    seen: list[Any] = []
    while waiting:
        path, declared = waiting.popleft()
        plain = bare_type(declared)
        if plain in seen or is_pydantics(plain):  # what is inside of a model is pydantic's
            continue
        seen.append(plain)
        if (mapping := mapping_types(plain)) is not None and has_custom_names(mapping[0]):
            return RefusedType(path, declared, "msgspec leaves the names of a table as they are")
        below = list(_below(plain))
        if not below and (reason := _refusal(declared, decoders)) is not None:
            return RefusedType(path, declared, reason)
        if is_union(plain) and (reason := _refusal(declared, decoders)):
            return RefusedType(path, declared, reason)
        waiting.extend(((*path, *names), inner) for names, inner in below)
    return None


def _below(plain: Any) -> Iterator[tuple[Path, Any]]:
    """The types that a bare type is made of, with the names that lead to them."""
    if (fields := fields_of(plain)) is not None:
        yield from (((name,), field.type) for name, field in fields.items())
    elif (mapping := mapping_types(plain)) is not None:
        yield (_ANY_NAME,), mapping[1]
    elif (items := item_types(plain)) is not None:
        yield from (((), one) for one in items if one is not Ellipsis)
    elif is_union(plain):
        yield from (((), member) for member in members_of(plain))


def _refusal(kind: Any, decoders: Collection[type]) -> str | None:
    """Why one type, with nothing below it, cannot be decoded: empty if nobody knows it, None if it can."""
    try:
        info = msgspec.inspect.type_info(kind)
    except (TypeError, NameError, NotImplementedError, RecursionError) as error:
        return str(error)
    unknown = isinstance(info, msgspec.inspect.CustomType) and not is_known(bare_type(kind), decoders)
    return "" if unknown else None


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def text_default(kind: Any) -> str | None:
    """What to say of the first default that is a text where its field has a type that only a configuration spells so.

    Nobody converts a default, so the program would be given the text. A type with code of its own may convert it, and
    so may pydantic and attrs.

    Args:
        kind: A configuration's type.
    """
    for inner in reachable(kind):
        if not (is_struct(inner) or is_dataclass(inner)) or is_pydantics(inner) or own_code(inner):
            continue
        for field in (fields_of(inner) or {}).values():
            if type(getattr(field.default, "value", None)) is str and (wanted := _instead(field)):
                name = f"{getattr(class_of(inner), '__name__', inner)}.{field.attribute}"
                return (
                    f"{name}: expected a default that is {describe(field.type)}, got a text, which stays one: {wanted}"
                )
    return None


def _instead(field: FieldType) -> str:
    """What to write instead of a text as default; empty where a text may stand, or nobody knows whether it may."""
    members = [member for member in members_of(field.type) if member is not type(None)]
    text = field.default() if field.default is not None else ""
    if not all(one in (timedelta, ByteSize) or text_type(one) is not None or is_struct(one) for one in members):
        return ""
    if ByteSize in members:
        size = byte_count(text)
        return f"write ByteSize({'...' if size is None else f'{size:_}'})"
    if timedelta in members:
        found = duration(text)
        return f"write timedelta(seconds={'...' if found is None else f'{found.total_seconds():g}'})"
    return f"write {_name(members[0])}(...)" if members and text_type(members[0]) is not None else ""


def check_decoders(decoders: Decoders) -> None:
    """Refuse decoders that would never be called.

    Raises:
        TypeError: They are no mapping; a key is no class, or one that is decoded already; a value is no function.
    """
    if not isinstance(decoders, Mapping):
        raise TypeError(
            f"decoders: expected a dict of functions by class, {{CLASS: FUNCTION}}, got {_name(type(decoders))}"
        )
    for cls, decoder in decoders.items():
        if not isinstance(cls, type):
            raise TypeError(f"decoders: expected a class, got {cls!r}")
        if not callable(decoder):
            raise TypeError(f"decoders: expected a function for {cls.__name__}, got {type(decoder).__name__}")
        if is_untyped(cls) or is_sealed(cls) or is_known(cls, ()) or not _is_unknown(cls):
            raise TypeError(
                f"decoders: {cls.__name__} is decoded without one: derive a class of your own from it, or wrap it"
            )


def _is_unknown(cls: Any) -> bool:
    try:
        return isinstance(msgspec.inspect.type_info(cls), msgspec.inspect.CustomType)
    except (TypeError, NameError, NotImplementedError, RecursionError):
        return False
