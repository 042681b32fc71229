"""Decoded values as JSON can write them, in an order that is the same in every process."""

from __future__ import annotations

import base64
import enum
import json
import math
from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from pathlib import PurePath
from typing import Any

import msgspec

from reactive_config.core.secret import HIDDEN, Secret
from reactive_config.core.types import fields_of, is_struct

_FOREIGN_SECRETS = ("SecretStr", "SecretBytes")


def plain(value: Any) -> Any:
    """The value as a new tree of dicts with str keys, lists, str, int, finite float, bool and None.

    Records become dicts, sets lists that are sorted; mappings are sorted by key. A secret type is hidden. Of what is
    none of a configuration's types its class is named, because its repr is not ours to trust.
    """
    if isinstance(value, Secret) or type(value).__name__ in _FOREIGN_SECRETS:
        return HIDDEN
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
    return _container(value)


def _container(value: Any) -> Any:
    kind: Any = type(value)
    if isinstance(value, Mapping):
        return dict(sorted(((_key(name), plain(inner)) for name, inner in value.items()), key=itemgetter(0)))
    if isinstance(value, (set, frozenset)):
        return _sorted([plain(item) for item in value])
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if is_struct(kind) and kind.__struct_config__.array_like:
        return [inner for _, inner in _fields(value)]
    if fields_of(kind) is not None:
        return dict(_fields(value))
    return _scalar(value)


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    kind: Any = type(record)
    config = getattr(kind, "__struct_config__", None)
    if config is not None and config.tag is not None:
        yield config.tag_field or "type", config.tag
    for name, field in (fields_of(kind) or {}).items():
        inner = getattr(record, field.attribute, msgspec.UNSET)
        if inner is not msgspec.UNSET:
            yield name, plain(inner)


def _scalar(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value)  # numbers, texts, and the types of dates, durations, UUIDs, decimals
    except (TypeError, ValueError):
        return f"<{type(value).__name__}>"


def _key(name: Any) -> str:
    text = plain(name)
    return text if isinstance(text, str) else json.dumps(text)


def _sorted(items: Collection[Any]) -> list[Any]:
    """By value where all are numbers or all are texts, else by kind and by what JSON makes of them."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=lambda item: (type(item).__name__, json.dumps(item, sort_keys=True)))
