"""Where things stand in a JSON document that a parser has accepted.

One regular expression makes the tokens; nothing here recurses, so no depth can exhaust the stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from reactive_config.core.paths import Path
from reactive_config.formats.tree import MAX_DEPTH, integer_fits

_TOKEN = re.compile(r'[ \t\n\r]*+("(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^ \t\n\r{}\[\],:"]++)')
_INTEGER = re.compile(r"-?[0-9]{19,}+(?![.eE])")


class Place(NamedTuple):
    """One value in the document.

    Attributes:
        path: Its path; list items by their number.
        key: Offset of its key; None in a list and at the root.
        at: Offset of the value.
    """

    path: Path
    key: int | None
    at: int


def places(text: str) -> Iterator[Place]:
    """Every value in document order, containers before what they hold.

    Of a document that is not JSON it yields what precedes the trouble, and possibly nonsense after it.
    """
    stack: list[tuple[Path, bool]] = []  # path, and whether it is a table
    counts: list[int] = []
    key: tuple[str, int] | None = None
    for match in _TOKEN.finditer(text):
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
        yield Place(path, key[1] if key else None, at)
        key = None
        if lexeme in "{[":
            stack.append((path, lexeme == "{"))
            counts.append(0)


def find(text: str, path: Path) -> int | None:
    """Offset of the value at a path."""
    return next((place.at for place in places(text) if place.path == path), None)


def find_duplicate(text: str) -> int | None:
    """Offset of the first key that its table already has."""
    names: dict[int, set[str]] = {}  # by depth: a new table replaces the finished one at its depth
    for place in places(text):
        depth = len(place.path)
        if text[place.at] == "{":
            names[depth] = set()
        if place.key is None:
            continue
        if place.path[-1] in names[depth - 1]:
            return place.key
        names[depth - 1].add(place.path[-1])
    return None


def find_large_integer(text: str) -> int | None:
    """Offset of the first integer beyond 64 bits."""
    for place in places(text):
        match = _INTEGER.match(text, place.at)
        if match and (len(match[0]) > 20 or not integer_fits(int(match[0]))):
            return place.at
    return None


def is_integer(text: str, at: int) -> bool:
    """Whether the number at an offset is a long integer."""
    return _INTEGER.match(text, at) is not None


def find_depth(text: str) -> int:
    """Offset of the first container below `MAX_DEPTH`; 0 where there is none."""
    for place in places(text):
        if len(place.path) >= MAX_DEPTH and text[place.at] in "{[":
            return place.at
    return 0


def _name(token: str) -> str:
    return str(json.loads(token)) if "\\" in token else token[1:-1]
