"""Decoding of one part as a whole."""

from __future__ import annotations

import math
from typing import Any

from reactive_config.core.lenient import convert, prepare


def decode_leaf(value: Any, kind: Any) -> Any:
    """The value of type `kind` that a tree means.

    Raises:
        Exception: It does not fit. `faults` says why; the exception's own text may quote the value.
    """
    result = convert(prepare(value, kind), kind)
    if not is_sound(result):
        raise ValueError("not finite")
    return result


def is_sound(value: Any) -> bool:
    """Whether a scalar is no float that is not finite: NaN would differ from itself for ever."""
    return not isinstance(value, float) or math.isfinite(value)
