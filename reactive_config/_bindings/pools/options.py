"""What a configuration says about a pool becomes the keyword arguments of its library."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from reactive_config._core.types import fields_of, is_sealed
from reactive_config._core.types.sealed import revealed

Arguments = dict[str, Any]


def arguments_of(value: object) -> Arguments:
    """Keyword arguments out of a value's own fields.

    | the value holds | the library is given |
    |---|---|
    | a field of a Struct, dataclass, attrs class or pydantic model | an argument of its name in Python |
    | a key of a mapping | an argument of that name |
    | None, or msgspec's UNSET | nothing: its own default holds |
    | a `Secret`, or pydantic's `SecretStr`, `SecretBytes` | the plain value |
    | a timedelta | seconds, a float |
    | any of these inside another, or in a list, tuple or set | the same, as a dict, list, tuple or set of its own |
    | anything else | the object itself |

    Raises:
        TypeError: The value is none of the first two rows; the text names only its kind.
    """
    arguments = _plain(value)
    if not isinstance(arguments, dict):
        raise TypeError(f"options: expected a Struct, a dataclass or a mapping, got {type(value).__name__}")
    return arguments


def _plain(value: Any) -> Any:
    if is_sealed(type(value)):
        return _plain(revealed(value))
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return _given(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_plain(item) for item in value)
    kind: Any = type(value)
    fields = fields_of(kind)
    if fields is not None:
        return _given({field.attribute: getattr(value, field.attribute) for field in fields.values()})
    return value


def _given(items: Mapping[Any, Any]) -> Arguments:
    return {name: _plain(item) for name, item in items.items() if item is not None and item is not msgspec.UNSET}
