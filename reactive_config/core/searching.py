"""How much is decoded while faults are looked for, and what msgspec has already told of where one is.

Every level of a value that does not fit would otherwise be decoded once for each level above it.
"""

from __future__ import annotations

import re
from typing import Any

SOME = "[...]"
"""What msgspec says in place of a mapping's name."""

_TIMES = 4
_ROOM = 20_000

_ITEM = re.compile(r"\[([0-9]+)\]")


class Search:
    """Room for decoding, of a size in proportion to the value that is searched.

    What stays unseen is told at the level that was reached.
    """

    def __init__(self, value: Any) -> None:
        self._left = _ROOM + _TIMES * _size(value)

    def may_decode(self, value: Any) -> bool:
        """Whether there is room to decode a value; takes it."""
        if self._left <= 0:
            return False
        self._left -= _size(value)
        return True


def _size(value: Any) -> int:
    """How many values a tree has, itself included."""
    if type(value) is not dict and type(value) is not list:
        return 1
    total, open_ = 1, [value]
    while open_:
        parent = open_.pop()
        total += len(parent)
        children = parent.values() if type(parent) is dict else parent
        open_ += [child for child in children if type(child) is dict or type(child) is list]
    return total


def known_below(known: str, value: Any) -> bool:
    """Whether a place, in msgspec's spelling (`.a[3].b`, seen from the value), is one inside the value."""
    if type(value) is list:
        return known_item(known)[0] is not None
    return type(value) is dict and (known.startswith(SOME) or known_name(known, value)[0] is not None)


def known_item(known: str) -> tuple[int | None, str]:
    """The index with which a place begins, and the rest; None if it does not begin with one."""
    found = _ITEM.match(known)
    return (int(found[1]), known[found.end() :]) if found else (None, "")


def known_name(known: str, table: dict[str, Any]) -> tuple[str | None, str]:
    """The name in a table with which a place begins, and the rest; None if it is none, or not the only one.

    Args:
        known: The place.
        table: The table; a name in it may hold a dot or a bracket.
    """
    if not known.startswith("."):
        return None, ""
    found = [name for name in table if known.startswith(name, 1) and known[1 + len(name) :][:1] in ("", ".", "[")]
    return (found[0], known[1 + len(found[0]) :]) if len(found) == 1 else (None, "")
