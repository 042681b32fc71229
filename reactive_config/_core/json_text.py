"""JSON inside of a bare text, with the rules that JSON documents have: nothing is dropped or changed silently."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from reactive_config._core.bounds import FINITE, INTEGER, MAX_DEPTH, NESTING, ONE_KEY, integer_fits

# One that nobody closed goes to the end of the text: else a search would try again at each quote in it.
STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*["\\]?+'
"""The expression of a string, for one with `re.DOTALL`."""

_STRING_OR_BRACKET = re.compile(rf"{STRING}|[\[\]{{}}]", re.DOTALL)


class JsonRefusedError(ValueError):
    """The text is JSON, but no document could hold what it says. Quotes nothing.

    Attributes:
        expected: What would have fitted.
        got: What stands there instead, as a kind.
    """

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got


def decode_json(text: str) -> dict[str, Any] | list[Any] | None:
    """The table or list that a text spells; None if it spells neither.

    Raises:
        JsonRefusedError: A key twice in one table, an integer beyond 64 bits, a number that overflows, or tables and
            lists nested deeper than `MAX_DEPTH`.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    if find_depth(text):
        raise JsonRefusedError(NESTING, "deeper nesting")
    try:
        # The standard library's decoder shows what msgspec's drops and changes; msgspec's is the stricter one.
        json.loads(text, object_pairs_hook=_table, parse_int=_integer, parse_float=_float)
        tree = msgspec.json.decode(text)
    except JsonRefusedError:
        raise
    except (ValueError, msgspec.DecodeError):
        return None
    return tree if type(tree) is dict or type(tree) is list else None


def find_depth(text: str) -> int:
    """Offset of the first container below `MAX_DEPTH`; 0 where there is none.

    By one expression, without recursion, so that no depth can exhaust the stack.
    """
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return 0
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return match.start()
        elif match[0] in "]}":
            depth -= 1
    return 0


def _table(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise JsonRefusedError(ONE_KEY, "a key twice")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not integer_fits(int(digits)):
        raise JsonRefusedError(INTEGER, "a larger one")
    return 0


def _float(digits: str) -> float:
    if math.isinf(float(digits)):
        raise JsonRefusedError(FINITE, "a larger one")
    return 0.0
