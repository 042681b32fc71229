"""JSON, by orjson, and what orjson lets pass: keys given twice, integers that it rounds, deep nesting.

The rule for speed: a check in C proves the usual document sound; only a document that fails it is read again.
"""

from __future__ import annotations

import json
import re
from types import ModuleType

import orjson

from reactive_config._core.bounds import FINITE, INTEGER, MAX_DEPTH, NESTING, ONE_KEY, integer_fits, too_deep, twice
from reactive_config._core.delta import Tree
from reactive_config._core.json_text import find_depth
from reactive_config._core.paths import Path
from reactive_config._formats.common import encoded, position, refusal, unreadable
from reactive_config.errors import ParseError

_SHORT = 8 << 10
_LONG_DIGITS = re.compile(r"[0-9]{19,}+")  # as every integer beyond 64 bits has
_LONG_ZEROS = b"0" * 19
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_ESCAPED_COLON = re.compile(r"\\u003[aA]")


class _UnsoundError(Exception):
    """Carries no text: raised inside the standard library's decoder to stop it."""


def parse(text: str) -> Tree:
    """The tree of a JSON document.

    Raises:
        ParseError: Not JSON, a key twice in one table, an integer beyond 64 bits, a float that overflows,
            or containers nested deeper than `MAX_DEPTH`.
    """
    tree, error = _loads(text)
    if error is not None:
        raise error
    compact = encoded(tree, shallow=_surely_shallow(text))
    if compact is None and too_deep(tree):
        raise refusal(NESTING, "deeper nesting", text, find_depth(text))
    if not _surely_sound(text, compact) and not _sound(text):
        raise _first_fault(text)
    return tree


def _scan() -> ModuleType:
    """What finds places in a text. Loaded when somebody asks for one: its expressions take long to compile."""
    from reactive_config._formats import json_scan

    return json_scan


def locate(text: str, path: Path) -> int | None:
    """Offset of the value at a path; None where there is none."""
    offset: int | None = _scan().find(text, path)
    return offset


def _loads(text: str) -> tuple[Tree, ParseError | None]:
    try:
        return orjson.loads(text), None
    except orjson.JSONDecodeError as error:
        at = error.pos  # the library's words are neither shown nor compared: they differ from version to version
    depth = find_depth(text)
    if 0 < depth <= at:
        return None, refusal(NESTING, "deeper nesting", text, depth)
    if _scan().is_too_large(text, at):
        expected = INTEGER if _scan().is_integer(text, at) else FINITE
        return None, refusal(expected, "a larger one", text, at)
    return None, unreadable("valid JSON", text, at, _slip(text, at))


def _slip(text: str, at: int) -> str:
    from reactive_config._formats import json_slips

    return json_slips.slip(text, at)


def _surely_shallow(text: str) -> bool:
    """Whether there are too few brackets to nest too deep; in a long document counting costs more than it saves."""
    return len(text) <= _SHORT and text.count("{") + text.count("[") <= MAX_DEPTH


def _surely_sound(text: str, compact: bytes | None) -> bool:
    """Prove in C that no key was dropped and no integer rounded; False only means "look closer".

    What a program wrote is often what orjson writes of it, byte by byte: then all of it was kept. A dropped key takes
    its colon with it, so the document then has more colons than what orjson kept of it; colons inside of strings
    are on both sides, unless they were escaped.

    Args:
        text: The document.
        compact: Its tree, written again.
    """
    if compact is None:
        return False
    data = text.encode()
    return data == compact or (
        data.count(b":") == compact.count(b":")
        and not _may_be_rounded(text, data)
        and _ESCAPED_COLON.search(text) is None
    )


def _may_be_rounded(text: str, data: bytes) -> bool:
    """Whether the text has a run of digits as long as an integer beyond 64 bits, not after a decimal point."""
    if _LONG_ZEROS not in data.translate(_ZEROS):  # eight times faster than the expression alone
        return False
    return any(text[match.start() - 1] != "." for match in _LONG_DIGITS.finditer(text))


def _sound(text: str) -> bool:
    """The verdict itself, by the standard library's decoder: five times slower, exact."""
    try:
        json.loads(text, object_pairs_hook=_table, parse_int=_integer)
    except _UnsoundError:
        return False
    return True


def _table(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _UnsoundError


def _integer(digits: str) -> int:
    if len(digits) > 20 or not integer_fits(int(digits)):
        raise _UnsoundError
    return 0


def _first_fault(text: str) -> ParseError:
    again, large = _scan().find_duplicate(text), _scan().find_large_integer(text)
    if again is not None and (large is None or again[0] < large):
        at, name, first = again
        return refusal(ONE_KEY, twice(name, position(text, first)[0]), text, at)
    return refusal(INTEGER, "a larger one", text, large or 0)
