"""How long one expression takes."""

from __future__ import annotations

import timeit
from typing import Any

TOGETHER = 50
"""Times that the expression stands in the body of the loop, so that the loop itself is 2 % of what is measured."""


def nanoseconds(expression: str, names: dict[str, Any], calls: int) -> float:
    """Nanoseconds of one evaluation, the garbage collector left on.

    Args:
        expression: Python; it is the whole line.
        names: What it refers to; they are globals.
        calls: How often it is evaluated, rounded up to whole loops.
    """
    loops = -(-calls // TOGETHER)
    timer = timeit.Timer("\n".join([expression] * TOGETHER), "import gc; gc.enable()", globals=names)
    return timer.timeit(loops) / (loops * TOGETHER) * 1e9
