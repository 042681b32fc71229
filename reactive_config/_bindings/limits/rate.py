"""What a configuration may say about a rate; what it may not say is refused when it is decoded."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any

import msgspec

from reactive_config._bindings.binding import got
from reactive_config._core.decoding.bare_values import duration
from reactive_config._core.decoding.leaf import decode_leaf
from reactive_config._core.runtime.live import Live
from reactive_config._core.types.wording import Worded
from reactive_config.errors import InvalidValue

MOST = 1e15
"""The highest limit; beyond it a float can no longer tell neighbouring whole numbers apart."""

_EXPECTED = "a rate such as 100/s, 100/10s or 5/m, a table of limit and per, or null"

_MICROSECOND = timedelta(microseconds=1)


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many within so long.

    Attributes:
        limit: How many; 0 lets nothing through.
        per: Within how long, above 0; one second unless said.
        burst: How many may come together after a quiet time, 1 or more; for the bucket algorithms. None is `limit`
            for the token bucket (at least 1), and 1 for the leaky one.
    """

    limit: Annotated[float, msgspec.Meta(ge=0, le=MOST)]
    per: timedelta = timedelta(seconds=1)
    burst: Annotated[int, msgspec.Meta(ge=1, le=int(MOST))] | None = None

    def __post_init__(self) -> None:
        # The constructor does not check the constraints above; programs make rates too.
        limit: Any = self.limit
        if type(limit) not in (int, float) or not 0 <= limit <= MOST:
            raise InvalidValue(f"a number, 0 to {MOST:g}", at="limit")
        per: Any = self.per
        if not isinstance(per, timedelta) or per <= timedelta(0):
            raise InvalidValue("a duration above 0", at="per")
        burst: Any = self.burst
        if burst is not None and (type(burst) is not int or not 1 <= burst <= MOST):
            raise InvalidValue("a whole number, 1 or more, or None", at="burst")

    @property
    def window(self) -> int:
        """`per` in nanoseconds."""
        return self.per // _MICROSECOND * 1000

    @property
    def exact(self) -> Fraction:
        """`limit` as it is written: 0.1 is a tenth, not the float next to it."""
        return Fraction(str(self.limit))


# A text that matches is a rate: neither side can be too large, and the window is never 0.
RateText = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,9})?/([1-9][0-9]{0,5})?(us|ms|s|m|h|d|w)\Z", max_length=40)
]

RateRule = Annotated[RateText | Rate | None, Worded(_EXPECTED)]
"""A rate in short (`100/s`, `5000/h`, `100/10s`), as a table (`limit`, `per`, `burst`), or null for no limit."""


def rate_of(value: object, live: Live[Any] | None = None) -> Rate | None:
    """The rate that a value of a configuration means, typed or untyped; None for no limit.

    Args:
        value: The value.
        live: Where it comes from, which decides what a message may show of it.

    Raises:
        InvalidValue: It means none. The text shows the value if `got` does.
    """
    if value is None or isinstance(value, Rate):
        return value
    try:
        found: str | Rate | None = decode_leaf(value, RateRule)
    except Exception:  # noqa: BLE001 - its text may quote the value
        raise InvalidValue(f"{_EXPECTED}, got {got(value, live)}", at="rate") from None
    return _read(found) if isinstance(found, str) else found


def _read(text: str) -> Rate:
    limit, _, per = text.partition("/")
    window = duration(per if per[0].isdigit() else "1" + per)
    assert window is not None
    return Rate(float(limit) if "." in limit else int(limit), window)
