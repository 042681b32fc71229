"""What an unquoted scalar of YAML 1.2 is: the core schema, as ryaml's parser reads it.

Known differences from the schema, kept so that both parsers give one tree: `0b101` and a signed `-0x1f` are integers.
Where ryaml would take `1e999` for text, or an integer of more than 128 bits for a float or for text, the document is
refused: `too_large`.
"""

from __future__ import annotations

import math
import re

from reactive_config._core.bounds import FINITE, INTEGER, integer_fits
from reactive_config._formats.yaml_events import Event, start
from reactive_config.errors import ParseError

Scalar = str | int | float | bool | None

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOT_FINITE = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?+(?:0x[0-9a-fA-F]++|0o[0-7]++|0b[01]++|0|[1-9][0-9]*+)")
_FLOAT = re.compile(r"[-+]?+(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?")
_PADDED = re.compile(r"[-+]?+0[0-9]++")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_DIGITS = 50  # 128 bits have 39; `int` takes time by the square of them
_TAG = "tag:yaml.org,2002:"
_ZEROS = bytes.maketrans(b"123456789E", b"000000000e")
# An integer beyond 64 bits has 19 digits or more; a float that overflows too, or its exponent has three.
_SIGNS_OF_LARGE = (b"0" * 19, b"e000", b"e+000")
_LONG_BASED = re.compile(r"0x[0-9a-fA-F]{17}|0o[0-7]{22}|0b[01]{65}")


def may_be_too_large(text: str) -> bool:
    """Whether some number of the document may be; False is proof that none is. A fraction of the parser's time."""
    zeros = text.encode().translate(_ZEROS)
    return any(sign in zeros for sign in _SIGNS_OF_LARGE) or (
        any(base in text for base in _BASES) and _LONG_BASED.search(text) is not None
    )


def too_large(text: str) -> str | None:
    """What is expected in place of an unquoted scalar without a tag that is a number which no tree may hold."""
    if _INTEGER.fullmatch(text):
        integer = _integer(text)
        return INTEGER if integer is None or not integer_fits(integer) else None
    if _FLOAT.fullmatch(text) and not _PADDED.fullmatch(text) and math.isinf(float(text)):
        return FINITE
    return None


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar without a tag."""
    if text in _NULL:
        return None
    if (flag := _BOOLEANS.get(text)) is not None:
        return flag
    number = _number(text)
    return text if number is None else number


def is_text(text: str) -> bool:
    """Whether an unquoted scalar without a tag is text."""
    return type(resolve(text)) is str


def scalar(event: Event) -> Scalar:
    """The value of a scalar's event; its tag, if any, is one of the core schema's.

    Raises:
        ParseError: It is not what its tag says.
    """
    text: str = event.value
    if event.tag is None:
        return text if event.style else resolve(text)
    name = event.tag.removeprefix(_TAG)
    if name == "str":
        return text
    found = _tagged(name, text)
    if found is None and not (name == "null" and text and text in _NULL):
        raise ParseError("a value of its tag", "another one", *start(event))
    return found


def _tagged(name: str, text: str) -> Scalar:
    if name == "bool":
        return _BOOLEANS.get(text)
    if name == "int":
        return _integer(text)
    return _float(text) if name == "float" else None


def _number(text: str) -> int | float | None:
    integer = _integer(text)
    if integer is not None and -(1 << 127) <= integer < 1 << 128:
        return integer
    return None if _PADDED.fullmatch(text) else _float(text)


def _integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    digits = text.lstrip("+-")
    base = _BASES.get(digits[:2], 10)
    if len(digits) > _DIGITS and (base == 10 or len(digits) > 3 * _DIGITS):
        return None
    value = int(digits, base)
    return -value if text[0] == "-" else value


def _float(text: str) -> float | None:
    if text in _NOT_FINITE:
        return _NOT_FINITE[text]
    if not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
