"""Decoding of one part as a whole."""

from __future__ import annotations

from typing import Any

from reactive_config.core.finite import check_finite
from reactive_config.core.instances import constructed
from reactive_config.core.lenient import convert, prepare
from reactive_config.core.types import may_hold_floats


def decode_leaf(value: Any, kind: Any) -> Any:
    """The value of type `kind` that a tree means.

    Raises:
        Exception: It does not fit. `faults` says why; the exception's own text may quote the value.
    """
    result = convert(constructed(prepare(value, kind), kind), kind)
    if may_hold_floats(kind):
        check_finite(result, value)
    return result
