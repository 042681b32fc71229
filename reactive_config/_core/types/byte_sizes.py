"""Sizes in bytes, and how configurations write them."""

from __future__ import annotations

import re
from typing import Any, Final, NewType

from reactive_config._core.bounds import integer_fits

ByteSize = NewType("ByteSize", int)
"""A number of bytes, 0 or more: an `int` when the program runs, and a type of its own for a type checker.

A configuration writes it as a whole number or as a text with a unit: `10MB`, `10 MiB`, `1.5GiB`. `kB`, `MB`, `GB`,
`TB`, `PB` and `EB` are powers of 1,000, those with an `i` powers of 1,024, in whatever case. msgspec's constraints
hold for it: `Annotated[ByteSize, Meta(ge=1024)]`.
"""

BYTE_SIZE_WORDS: Final = "a byte size (1048576, 10MB, 1.5GiB)"
"""What a message says was expected."""

_LONGEST = 50  # characters; a longer text is no size
_SIZE = re.compile(r"([0-9]+)(?:\.([0-9]+))? ?([a-z]*)", re.IGNORECASE | re.ASCII)
_POWERS = ("k", "m", "g", "t", "p", "e")
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate(_POWERS, start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate(_POWERS, start=1)},
}


def byte_count(value: Any) -> int | None:
    """The number of bytes that a whole number or a text means; None if it means none, or a part of a byte."""
    if type(value) is int:
        return value if value >= 0 and integer_fits(value) else None
    text = value.strip() if type(value) is str and len(value) <= _LONGEST else ""
    found = _SIZE.fullmatch(text)
    unit = None if found is None else _UNITS.get(found[3].lower())
    if found is None or unit is None:
        return None
    decimals = found[2] or ""
    count, part = divmod(int(found[1] + decimals) * unit, 10 ** len(decimals))
    return count if not part and integer_fits(count) else None
