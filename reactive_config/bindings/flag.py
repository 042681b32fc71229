"""What a configuration may say about a feature flag."""

from __future__ import annotations

from typing import Annotated

import msgspec

from reactive_config.core.worded import Worded
from reactive_config.errors import Unfit

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
            raise Unfit("a weight above 0", at="variants")


FlagRule = Annotated[bool | Percentage | Flag, Worded("true, false, 0 to 100, or a table")]
"""A flag in short or in full: on or off, a percentage, or a table."""
