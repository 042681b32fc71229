"""What people get wrong in documents of every format, in our own words.

A parser only knows where it gave up. What stands there is looked at by itself: the words of parsers change from version
to version, and may quote a secret. Nothing here quotes the document, but for words of a list that stands in the code.
"""

from __future__ import annotations

import re

from reactive_config._core.document_looks import TEMPLATES
from reactive_config._formats.common import position

_CONFLICT = re.compile(r"^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE)
_CURLY_QUOTES = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_ODD_SPACES = "\u00a0\u2007\u202f\u3000\u200b\ufeff"

_TRUTHS = dict.fromkeys(("True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), "true") | dict.fromkeys(
    ("False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), "false"
)
_NULLS = frozenset(("null", "Null", "NULL", "None", "nil", "undefined"))
_NO_NUMBERS = frozenset(("NaN", "nan", "Infinity", "-Infinity", "+Infinity", "inf", "-inf", "+inf"))

_LITERAL = re.compile(r"[^\s,:;=\[\]{}\"'#/]{1,40}")
_NUMBERS = (
    (re.compile(r"[+-]?0[xX]"), "a hexadecimal number"),
    (re.compile(r"[0-9]{4}-[0-9]{2}(?:-|$)"), "a date or time that does not exist, or is not written as one"),
    (re.compile(r"[+-]?0[0-9]"), "a number with a leading zero"),
    (re.compile(r"[+-]?\.[0-9]"), "a number that begins with a point"),
    (re.compile(r"[+-]?[0-9][0-9_]*\.(?![0-9])"), "a number that ends with a point"),
    (re.compile(r"[+-]?[0-9]+_"), "an underscore in a number"),
    (re.compile(r"[+-]?[0-9][0-9.]*[A-Za-z%]"), "a number with letters after it (text wants quotes)"),
    (re.compile(r"\+[0-9]"), "a plus sign before a number"),
    (re.compile(r"[+-]$"), "a sign without a number"),
)


def anywhere(text: str, at: int) -> str:
    """What stands at an offset, if it is wrong in every format; empty if nothing of that kind does."""
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        return f"marks of a merge conflict, from line {position(text, conflict.start())[0]}"
    character = text[at : at + 1]
    if character and character in _CURLY_QUOTES:
        return "curly quotes (write straight ones)"
    if character and character in _ODD_SPACES:
        return "a space that is no ordinary one (write it again)"
    return ""


def template(text: str, at: int) -> str:
    """That a template was not filled in, if one begins at an offset; otherwise empty."""
    return "what a template begins with (was it filled in?)" if text.startswith(TEMPLATES, at) else ""


def literal(text: str, at: int, language: str, *, null: str) -> str:
    """What is wrong with the number or the word that begins at an offset; empty if that is not known.

    Args:
        text: The document.
        at: Of its first character.
        language: The format's name.
        null: How it writes null; empty if it has none.
    """
    match = _LITERAL.match(text, at)
    if match is None:
        return ""
    word = match[0]
    if word in _TRUTHS:
        return f"{word} ({language} writes {_TRUTHS[word]})"
    if word in _NULLS:
        how = f"{language} writes {null}" if null else f"{language} has no null: leave the key out"
        return f"{word} ({how})"
    if word in _NO_NUMBERS:
        return f"{word} (no configuration may hold it)"
    return next((said for number, said in _NUMBERS if number.match(word)), "")


def line_at(text: str, at: int) -> tuple[str, int]:
    """The line around an offset, without its end, and where in the line the offset lies."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return text[start : len(text) if end < 0 else end].rstrip("\r"), at - start


def bracket(character: str) -> str:
    """What people call it."""
    return "brace" if character in "{}" else "bracket"
