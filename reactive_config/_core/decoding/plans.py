"""The contract of plans: how a type is decoded, part by part, from what changed.

A **plan** is compiled once from the type. What it makes of a subtree is a **part** if that has parts of its own, or
else the bare value. Decoding the next tree visits only what changed and keeps the values of the rest, so unchanged
values keep their identity and cost nothing.

A parent is always rebuilt by its constructor from the decoded values kept beside it, never from an instance whose
`__post_init__` ran: that is what makes the result the same as decoding the whole. A constructor that runs the user's
code is given values of its own: it may change them, and neither what is kept nor an older snapshot may change with
them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.decoding.unknown_keys import NONE, UnknownKeys
from reactive_config._core.paths import Path
from reactive_config._core.trees import Changes
from reactive_config._core.types import (
    is_immutable,
)

NOTHING: Final[Mapping[str, Any]] = {}

MISSING: Final = object()
"""In place of a value: there is none, or what should have become one does not fit."""


class DecodedPart(msgspec.Struct, eq=False):
    """What a plan made of a table, or of a value that is decoded as a whole and has unknown keys.

    Attributes:
        tree: The table, or the text that spells it.
        value: The decoded value; the same object as before where nothing changed.
        kept: The values of its names, never given to anybody: a published mapping is the user's to spoil.
        inner: Those of them that are parts too.
        own_code: Whether the user's code made the value: then only the value tells what changed, not what is kept.
        unknown: The keys in it that the type does not know.
    """

    tree: Any
    value: Any
    kept: Mapping[str, Any]
    inner: Mapping[str, DecodedPart]
    own_code: bool = False
    unknown: UnknownKeys = NONE

    def __repr__(self) -> str:  # not the value: it may hold a secret
        return "DecodedPart(...)"


Decoded = Any
"""A `DecodedPart`, or the value of what has no parts, or MISSING."""


def value_of(decoded: Decoded) -> Any:
    """The value itself."""
    return decoded.value if type(decoded) is DecodedPart else decoded


class DecodePlan(ABC):
    """How to decode one type.

    Attributes:
        kind: The type.
        may_ignore: Whether a key that it does not know may stand in its values, and be ignored.
    """

    kind: Any
    may_ignore: bool = False

    @cached_property
    def immutable(self) -> bool:
        """Whether nothing in its values can be changed in place."""
        return is_immutable(self.kind)

    @abstractmethod
    def anew(self, tree: Any, decoded: Decoded) -> Any:
        """The value of a subtree once more, sharing nothing with `decoded` that can be changed in place.

        Args:
            tree: The subtree.
            decoded: What this plan made of it.
        """

    @abstractmethod
    def decode(self, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]) -> Decoded:
        """Decode a subtree.

        Args:
            tree: The subtree; another object than before.
            old: What this plan made of the one before; MISSING decodes the whole.
            changes: Where the two may differ.
            path: Where the subtree stands.
            found: Takes what is wrong.

        Returns:
            The part or the value, `old`'s own where they are equal; MISSING if something was wrong.
        """


def same_or_new(old: Any, value: Any) -> Any:
    """The old value where the new one is equal to it, so that it keeps its identity."""
    return old if old is not MISSING and unchanged(old, value) else value
