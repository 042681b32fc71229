"""Types and values in the words of people who write configuration files."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args, get_origin

from reactive_config._core.types.byte_sizes import BYTE_SIZE_WORDS, ByteSize
from reactive_config._core.types.kinds import (
    bare_type,
    is_secret,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
    root_type,
)
from reactive_config._core.types.records import fields_of
from reactive_config._core.types.text_types import text_type


@dataclass(frozen=True)
class Worded:
    """What a message says was expected, in place of a type's parts: `Annotated[RateText | Rate, Worded("a rate")]`.

    Attributes:
        text: Follows "expected"; it quotes no content.
    """

    text: str


_UNITS = ((86400_000_000, "d"), (3600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us"))


def describe(kind: Any) -> str:
    """What a person would call the type, in the words of configuration files."""
    if words := worded(kind):
        return words
    kind = bare_type(kind)
    if is_untyped(kind):
        return "anything"
    if kind is None or kind is type(None):
        return "null"
    if own := _spelling(kind):
        return own
    if is_secret(kind):
        return "a secret " + (describe(get_args(kind)[0]) if get_args(kind) else "value")
    if is_union(kind):
        return " or ".join(dict.fromkeys(describe(t) for t in get_args(kind)))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(v) for v in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(repr(m.value) for m in kind)
    return _describe_container(kind) or str(getattr(kind, "__name__", kind))


def _spelling(kind: Any) -> str:
    """What a type is called whose texts have a spelling of their own; empty for any other type."""
    if kind is timedelta:
        return "a duration (seconds, 30s, 10m, PT30S)"
    if kind is ByteSize:
        return BYTE_SIZE_WORDS
    known = text_type(kind)
    return "" if known is None else known.words


def worded(kind: Any) -> str:
    """What a `Worded` says of a type, also of an optional one; empty if none does."""
    if get_origin(kind) is Annotated:
        return next((mark.text for mark in kind.__metadata__ if isinstance(mark, Worded)), worded(kind.__origin__))
    members = [member for member in get_args(kind) if member is not type(None)] if is_union(kind) else []
    return worded(members[0]) if len(members) == 1 else ""


def _describe_container(kind: Any) -> str:
    if (root := root_type(kind)) is not None:
        return describe(root)
    if (items := item_types(kind)) is not None:
        return f"list of {describe(items[0])}" if items[-1] is Ellipsis and not is_untyped(items[0]) else "list"
    return "table" if mapping_types(kind) is not None or fields_of(kind) is not None else ""


def kind_of(value: Any) -> str:
    """What a person would call a value of a tree, without showing it."""
    names = {dict: "table", list: "list", type(None): "null", str: "str"}
    return names.get(type(value)) or ("text" if type(value).__name__ == "Bare" else type(value).__name__)


def duration_text(value: timedelta) -> str:
    """A duration as configurations write it, exactly: `1m30s`, `250ms`, `-5s`."""
    left = value // timedelta(microseconds=1)
    sign, left = ("-", -left) if left < 0 else ("", left)
    text = ""
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return sign + (text or "0s")
