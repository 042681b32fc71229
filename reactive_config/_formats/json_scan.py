"""Where things stand in a JSON document that a parser has accepted.

One regular expression makes the tokens; nothing here recurses, so no depth can exhaust the stack.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from reactive_config._core.bounds import integer_fits
from reactive_config._core.json_text import STRING
from reactive_config._core.paths import KeyPath, Path

_LEXEME = re.compile(rf'[ \t\n\r]*+({STRING}|[{{}}\[\],:]|[^ \t\n\r{{}}\[\],:"]++)', re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_INTEGER = re.compile(r"-?[0-9]{19,}+(?![.eE])")
# What the searches below need and no more: they meet documents of megabytes, made to be slow.
_KEY_OR_TABLE = re.compile(rf"({STRING})([ \t\n\r]*+:)?|[{{}}]", re.DOTALL)
_STRING_OR_INTEGER = re.compile(rf"{STRING}|(?<![0-9.eE+-])-?[0-9]{{19,}}+(?![.eE])", re.DOTALL)


def lexemes(text: str, end: int | None = None) -> Iterator[re.Match[str]]:
    """The lexemes of a text before an offset, each as the first group.

    White space at the end is left out: the expression would try again at every character of it.
    """
    return _LEXEME.finditer(text, 0, len(text[:end].rstrip(" \t\n\r")))


class JsonPlace(NamedTuple):
    """One value in the document.

    Attributes:
        path: Its path; list items by their number.
        key: Offset of its key; None in a list and at the root.
        at: Offset of the value.
    """

    path: Path
    key: int | None
    at: int


def places(text: str) -> Iterator[JsonPlace]:
    """Every value in document order, containers before what they hold.

    Of a document that is not JSON it yields what precedes the trouble, and possibly nonsense after it.
    """
    stack: list[tuple[Path, bool]] = []  # path, and whether it is a table
    counts: list[int] = []
    key: tuple[str, int] | None = None
    for match in lexemes(text):
        lexeme, at = match[1], match.start(1)
        if lexeme in ",:":
            continue
        if lexeme in "}]":
            stack.pop()
            counts.pop()
            continue
        if stack and stack[-1][1] and key is None:
            key = (_name(lexeme), at)
            continue
        path: Path = ()
        if stack:
            path = (*stack[-1][0], key[0] if key else str(counts[-1]))
            counts[-1] += 1
        yield JsonPlace(path, key[1] if key else None, at)
        key = None
        if lexeme in "{[":
            stack.append((path, lexeme == "{"))
            counts.append(0)


def find(text: str, path: Path) -> int | None:
    """Offset of the value at a path; of its key, if it has one and is a table or a list, or if the key is meant."""
    found = next((place for place in places(text) if place.path == path), None)
    if found is None or found.key is None:
        return None if found is None else found.at
    return found.key if text[found.at] in "{[" or isinstance(path, KeyPath) else found.at


def find_duplicate(text: str) -> tuple[int, str, int] | None:
    """Offset and name of the first key that its table already has, and the offset of the one that it has."""
    tables: list[dict[str, int]] = []
    for match in _KEY_OR_TABLE.finditer(text):
        if match[0] == "{":
            tables.append({})
        elif match[0] == "}":
            tables.pop()
        elif match[2]:
            name = _name(match[1])
            first = tables[-1].setdefault(name, match.start())
            if first != match.start():
                return match.start(), name, first
    return None


def find_large_integer(text: str) -> int | None:
    """Offset of the first integer beyond 64 bits."""
    for match in _STRING_OR_INTEGER.finditer(text):
        digits = match[0]
        if not digits.startswith('"') and (len(digits) > 20 or not integer_fits(int(digits))):
            return match.start()
    return None


def is_too_large(text: str, at: int) -> bool:
    """Whether a number stands at an offset that is infinite as a float."""
    match = _NUMBER.match(text, at)
    return match is not None and math.isinf(float(match[0]))


def is_integer(text: str, at: int) -> bool:
    """Whether the number at an offset is a long integer."""
    return _INTEGER.match(text, at) is not None


def _name(token: str) -> str:
    return str(json.loads(token)) if "\\" in token else token[1:-1]
