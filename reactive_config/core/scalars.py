"""Whether two scalars are the same value, where `==` is too generous.

`==` takes 0.0 for -0.0, one moment in two time zones for one value, and Decimal("1.1") for Decimal("1.10").
"""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from math import copysign
from typing import Any

CLOSER = (float, datetime, time, Decimal, complex)
"""Types that `same_scalar` compares more closely than `==`."""


def same_scalar(old: Any, new: Any) -> bool:
    """Whether two scalars of one type are the same value; NaN is the same as NaN.

    Raises:
        BaseException: Whatever the `==` of an unknown type raises.
    """
    if isinstance(old, float):
        return (old == new or (old != old and new != new)) and copysign(1.0, old) == copysign(1.0, new)
    if isinstance(old, (datetime, time)):
        return old.replace(tzinfo=None) == new.replace(tzinfo=None) and old.fold == new.fold and _same_zone(old, new)
    if isinstance(old, Decimal):
        return bool(old.as_tuple() == new.as_tuple())
    if isinstance(old, complex):
        return same_scalar(old.real, new.real) and same_scalar(old.imag, new.imag)
    return bool(old == new)


def _same_zone(old: datetime | time, new: datetime | time) -> bool:
    # Offsets too: a zone of somebody's own may be equal to one with another offset.
    return old.tzinfo == new.tzinfo and old.utcoffset() == new.utcoffset()
