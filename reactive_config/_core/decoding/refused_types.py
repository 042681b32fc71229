"""Where in a configuration's type something stands that cannot be decoded, and what to do about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.paths import Path, format_path
from reactive_config._core.types import (
    bare_type,
    class_of,
    fields_of,
    is_pydantic,
    is_pydantics,
    is_sealed,
    is_secret,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
    members_of,
)
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
