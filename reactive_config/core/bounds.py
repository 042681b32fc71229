"""What every tree keeps to, and how a message says so.

Integers are bounded as in the narrowest format and in the mirror: from -2**63 to 2**64 - 1.
"""

from __future__ import annotations

MAX_DEPTH = 128
"""Tables and lists inside one another, the root included."""

NESTING = f"tables and lists nested at most {MAX_DEPTH} deep"
INTEGER = "an integer of at most 64 bits"
FINITE = "a finite number"
ONE_KEY = "every key once in its table"


def integer_fits(value: int) -> bool:
    """Whether every format and the mirror can carry the integer."""
    return -(2**63) <= value < 2**64
