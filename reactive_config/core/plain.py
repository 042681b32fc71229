"""Single values, names and tags as JSON can write them, in an order that is the same in every process.

Nothing here knows what is a secret: `showing` decides that first.
"""

from __future__ import annotations

import base64
import enum
import json
import math
from collections.abc import Collection, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from reactive_config.core.types import is_struct
from reactive_config.core.wording import duration_text

_WRITTEN = (date, time, timedelta, Decimal, UUID, int)  # a datetime is a date, and True an int


def plain(value: Any) -> Any:
    """A single value as str, int, finite float, bool or None: times as ISO 8601, bytes as base64.

    Of what is none of a configuration's types its class is named, because its repr is not ours to trust.
    """
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str.__str__(value)  # of a class of its own too
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # as a type's own default may be; JSON has no such number
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, _WRITTEN):
        return msgspec.to_builtins(value)
    return f"<{type(value).__name__}>"


def written(value: Any) -> Any:
    """The same, with durations as configurations write them: `30s`."""
    return duration_text(value) if isinstance(value, timedelta) else plain(value)


def named(table: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """The items of a mapping with names for its keys, sorted."""
    return sorted(((_name(key), item) for key, item in table.items()), key=itemgetter(0))


def _name(key: Any) -> str:
    if type(key) is str:
        return key
    if isinstance(key, (tuple, frozenset)):
        key = [plain(item) for item in key]
    text = key if type(key) is list else plain(key)
    return text if isinstance(text, str) else json.dumps(text)


def in_order(items: Collection[Any]) -> list[Any]:
    """By value where all are numbers or all are texts, else by kind and by what JSON makes of them."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=lambda item: (type(item).__name__, json.dumps(item, sort_keys=True)))


def tag_of(value: Any) -> dict[str, Any]:
    """The tag of a tagged Struct, by its name; empty for anything else."""
    config = getattr(type(value), "__struct_config__", None)
    return {} if config is None or config.tag is None else {config.tag_field or "type": config.tag}


def is_array_like(value: Any) -> bool:
    """Whether a Struct stands in a configuration as a list."""
    return is_struct(type(value)) and bool(type(value).__struct_config__.array_like)
