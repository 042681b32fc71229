"""Where things stand in a TOML document: the standard library's parser gives no positions.

It reads just enough of the grammar to step from key to key, and trusts that the parser has accepted the
document. Before that it is only asked for the first key or value that is too much for the parser, and
stops at what it does not understand.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Generator, Iterator
from typing import NamedTuple

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.paths import KeyPath, Path

_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*")
_NAME = re.compile(r"\"[^\"\\\r\n]*+(?:\\.[^\"\\\r\n]*+)*\"|'[^'\r\n]*+'|[A-Za-z0-9_-]++")
_STRING = re.compile(
    r'"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*"{3,5}'
    r"|'''[^']*+(?:'(?!'')[^']*+)*'{3,5}"
    r'|"[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*"'
    r"|'[^'\r\n]*+'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]++")
_LONG_INTEGER = re.compile(r"[+-]?[0-9_]{1000}")


class TomlPlace(NamedTuple):
    """One table, list or value.

    Attributes:
        path: Its path; items of lists and of arrays of tables by their number.
        at: Offset of the value; of the header or key where that makes the table.
        key: Offset of the header or key; of the item of a list, its own.
    """

    path: Path
    at: int
    key: int


class _LostError(Exception):
    """The text is not what the scanner expects; it knows nothing beyond."""


class _LongKeyError(_LostError):
    """A key of more parts than any published tree is deep: paths through it cost the square of its length."""

    def __init__(self, at: int) -> None:
        self.at = at


def places(text: str) -> Iterator[TomlPlace]:
    """Every place in document order, containers before what they hold; a table may come more than once."""
    try:
        yield TomlPlace((), 0, 0)
        yield from _statements(text)
    except _LostError:
        return


def find(text: str, path: Path) -> int | None:
    """Offset of the first place with this path; of its key, if it is a table or a list, or if the key is meant."""
    found = next((place for place in places(text) if place.path == path), None)
    if found is None:
        return None
    return found.key if text[found.at : found.at + 1] in ("{", "[") or isinstance(path, KeyPath) else found.at


def find_long_key(text: str) -> int | None:
    """Offset of the first place that lies deeper than any published tree may be."""
    try:
        return next((place.at for place in _statements(text) if len(place.path) > MAX_DEPTH), None)
    except _LongKeyError as error:
        return error.at
    except (_LostError, RecursionError):
        return None  # the parser gives up there as well


def last_key(text: str, end: int) -> Path:
    """The path of the statement, a header or a pair, that goes on until an offset; empty if unknown."""
    base: Path = ()
    path: Path = ()
    rows: dict[Path, int] = {}
    try:
        at = _skip(_BLANK, text, 0)
        while at < end:
            if text[at] == "[":
                base, after = _header(text, at, rows)
                path = base[:-1] if base[:-1] in rows else base  # without the number of a row
            else:
                path = (*base, *_key(text, at)[0])
                after = _end(_pair(text, at, ()))
            at = _skip(_BLANK, text, after)
    except (_LostError, RecursionError):
        pass
    return path


def _end(steps: Steps) -> int:
    """The offset after what is read, whose places nobody wants."""
    while True:
        try:
            next(steps)
        except StopIteration as over:
            return int(over.value)


def find_depth(text: str) -> int:
    """Offset of the first container below `MAX_DEPTH`; 0 where there is none."""
    return find_long_key(text) or 0


def find_long_integer(text: str) -> int:
    """Offset of the first integer of more than a thousand digits; 0 where there is none."""
    return next((place.at for place in places(text) if _LONG_INTEGER.match(text, place.at)), 0)


def _statements(text: str) -> Iterator[TomlPlace]:
    base: Path = ()
    rows: dict[Path, int] = {}  # array of tables to the number of its latest row
    at = _skip(_BLANK, text, 0)
    while at < len(text):
        if text[at] == "[":
            base, end = _header(text, at, rows)
            yield from (TomlPlace(base[:size], at, at) for size in range(1, len(base) + 1))
        else:
            end = yield from _pair(text, at, base)
        at = _skip(_BLANK, text, end)


def _header(text: str, at: int, rows: dict[Path, int]) -> tuple[Path, int]:
    """The table that a header opens, and the offset after it."""
    double = text.startswith("[[", at)
    names, end = _key(text, _skip(_SPACE, text, at + 1 + double))
    if not text.startswith("]" * (1 + double), end):
        raise _LostError
    path: Path = ()
    for number, name in enumerate(names):
        path = (*path, name)
        if double and number == len(names) - 1:
            rows[path] = rows.get(path, -1) + 1
        if path in rows:
            path = (*path, str(rows[path]))
    return path, end + 1 + double


Steps = Generator[TomlPlace, None, int]
"""Yields places and returns the offset after what it read."""


def _pair(text: str, at: int, base: Path) -> Steps:
    names, end = _key(text, at)
    if not text.startswith("=", end):
        raise _LostError
    path = (*base, *names)
    yield from (TomlPlace(path[:size], at, at) for size in range(len(base) + 1, len(path)))
    return (yield from _value(text, _skip(_SPACE, text, end + 1), path, at))


def _key(text: str, at: int) -> tuple[list[str], int]:
    """The parts of a dotted key, and the offset after it and its spaces."""
    names: list[str] = []
    start = at
    while True:
        match = _NAME.match(text, at)
        if match is None:
            raise _LostError
        names.append(_plain(match[0]))
        if len(names) > MAX_DEPTH:
            raise _LongKeyError(start)
        at = _skip(_SPACE, text, match.end())
        if not text.startswith(".", at):
            return names, at
        at = _skip(_SPACE, text, at + 1)


def _plain(name: str) -> str:
    if "\\" in name and name[0] == '"':
        try:
            return str(tomllib.loads(f"k={name}")["k"])
        except tomllib.TOMLDecodeError:
            raise _LostError from None
    return name[1:-1] if name[0] in "\"'" else name


def _value(text: str, at: int, path: Path, key: int) -> Steps:
    yield TomlPlace(path, at, key)
    if text.startswith(("[", "{"), at):
        return (yield from _container(text, at, path))
    match = _STRING.match(text, at) or _SCALAR.match(text, at)
    if match is None:
        raise _LostError
    return match.end()


def _container(text: str, at: int, path: Path) -> Steps:
    """The items of a list or of an inline table."""
    table, number = text[at] == "{", 0
    at = _skip(_BLANK, text, at + 1)
    while not text.startswith("}" if table else "]", at):
        if table:
            at = yield from _pair(text, at, path)
        else:
            at = yield from _value(text, at, (*path, str(number)), at)
        number += 1
        at = _skip(_BLANK, text, at)
        if text.startswith(",", at):
            at = _skip(_BLANK, text, at + 1)
        elif not text.startswith(("]", "}"), at):
            raise _LostError
    return at + 1


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
