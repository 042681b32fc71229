"""What a configuration may say about a feature flag, and what its rule answers for a key.

The answer is pure, and the same in every process and on every version of Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated
from uuid import UUID

import msgspec

from reactive_config._core.types.wording import Worded
from reactive_config.errors import InvalidValue

Percentage = Annotated[float, msgspec.Meta(ge=0, le=100)]
Weight = Annotated[float, msgspec.Meta(ge=0)]


class Flag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom a feature is on. The first line that speaks of a key decides.

    | rule | the key is |
    |---|---|
    | `on` is false | off |
    | the key is in `deny` | off |
    | the key is in `allow` | on |
    | the key's place, 0 to 100, is below `percentage` | on |
    | otherwise | off |

    Attributes:
        on: False is off for everybody, `allow` included.
        percentage: Of the keys that no list names; 0 to 100.
        allow: Keys that have it in any case.
        deny: Keys that have it in no case.
        variants: Name to weight; those who have the feature are split between them in proportion.
        salt: Gives this flag places of its own; empty for the one given to `switch`. Another salt, other places.
    """

    on: bool = True
    percentage: Percentage = 100.0
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    variants: dict[str, Weight] = {}
    salt: str = ""

    def __post_init__(self) -> None:
        if self.variants and not any(weight > 0 for weight in self.variants.values()):
            raise InvalidValue("a weight above 0", at="variants")


FlagRule = Annotated[bool | Percentage | Flag, Worded("true, false, 0 to 100, or a table")]
"""A flag in short or in full: on or off, a percentage, or a table."""


Key = str | int | UUID


def is_on(rule: bool | float | Flag | None, salt: str, key: Key) -> bool:
    """Whether the feature is on for a key.

    Args:
        rule: None is off.
        salt: Used where the rule has none.
        key: The empty text stands for all.

    Raises:
        TypeError: The key is of another type, and the rule depends on it.
    """
    if isinstance(rule, Flag):
        return _on(rule, rule.salt or salt, _text(key))
    if rule is None or isinstance(rule, bool):
        return bool(rule)
    return _on_by_place(rule, salt, key)


def variant_of(rule: bool | float | Flag | None, salt: str, key: Key) -> str | None:
    """The variant that a key has; None where the feature is off for it, or has no variants."""
    if not isinstance(rule, Flag) or not rule.variants:
        return None
    text, salt = _text(key), rule.salt or salt
    return _heaviest(rule.variants, salt, text) if _on(rule, salt, text) else None


def _on(flag: Flag, salt: str, key: str) -> bool:
    if not flag.on or key in flag.deny:
        return False
    return key in flag.allow or _on_by_place(flag.percentage, salt, key)


def _on_by_place(percentage: float, salt: str, key: Key) -> bool:
    # A place is above 0 and below 1, so that nobody is in 0 % and everybody in 100 %, whatever the rounding.
    return percentage > 0 and (percentage >= 100 or 100 * _place(b"percentage", salt, _text(key)) < percentage)


def _heaviest(variants: Mapping[str, float], salt: str, key: str) -> str:
    """Weighted rendezvous hashing: each variant draws for the key, by itself, and the best draw has it."""
    return max(variants, key=lambda name: variants[name] / -math.log(_place(b"variant", salt, key, name)))


def _place(use: bytes, *texts: str) -> float:
    """Where a key stands between 0 and 1, both excluded; `use` keeps the places of different questions apart."""
    data = "\0".join(texts).encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(blake2b(data, digest_size=8, person=use, usedforsecurity=False).digest(), "big")
    return ((drawn >> 12) + 0.5) / 2**52  # 53 bits, which a float holds without rounding


def _text(key: Key) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, (int, UUID)) and not isinstance(key, bool):
        return str(key)
    # The text of any other object may hold its address, and so differ from process to process.
    raise TypeError(f"expected a key of type str, int or UUID, got {type(key).__name__}")
