"""dotenv: lines of `NAME=value`, as shells and their many imitators read them, where these agree.

- `export ` before a name is skipped. Spaces around `=` are allowed.
- An unquoted value ends with its line or at a `#` after white space, and is stripped.
- 'Single quotes' keep everything and stay on one line. "Double quotes" may span lines and know
  `\\n \\r \\t \\" \\\\ \\$`; before any other character the backslash stays.
- `$NAME` is not expanded: what a file means must not depend on the process that reads it.
- A name without `=`, a name twice, or text after a closing quote is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from reactive_config._core.bounds import ONE_KEY, twice
from reactive_config._core.delta import Bare
from reactive_config._core.paths import KeyPath, Path
from reactive_config._formats.common import position, refusal, unreadable

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*")
_NAME = re.compile(r"(?:export[ \t]++(?![ \t]*=))?([A-Za-z_][A-Za-z0-9_]*+)")
_EQUALS = re.compile(r"[ \t]*+=[ \t]*+")
_SINGLE = re.compile(r"'([^'\r\n]*+)'")
_DOUBLE = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*)"', re.DOTALL)
_PLAIN = re.compile(r"[^#\n]*+(?:(?<![ \t])#[^#\n]*+)*")
_LINE_END = re.compile(r"[ \t]*+(?:(?<=[ \t])#[^\n]*+)?\r?(?:\n|\Z)")
_REST = re.compile(r"[^\n]*+")
_ESCAPE = re.compile(r'\\([nrt"\\$])')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class _Assignment(NamedTuple):
    name: str
    name_at: int
    value: str
    value_at: int


def parse(text: str) -> dict[str, Bare]:
    """A flat table of bare values, one per name.

    Raises:
        ParseError: A line is malformed, or a name stands twice.
    """
    tree: dict[str, Bare] = {}
    for line in _lines(text):
        if line.name in tree:
            first = next(earlier.name_at for earlier in _lines(text) if earlier.name == line.name)
            raise refusal(ONE_KEY, twice(line.name, position(text, first)[0]), text, line.name_at)
        tree[line.name] = Bare(line.value)
    return tree


def locate(text: str, path: Path) -> int | None:
    """Offset of the value of a name, or of the name if that is meant; None for any other path."""
    if not path:
        return 0
    found = next((line for line in _lines(text) if (line.name,) == path), None)
    if found is None:
        return None
    return found.name_at if isinstance(path, KeyPath) else found.value_at


def _lines(text: str) -> Iterator[_Assignment]:
    at = _end(_BLANK, text, 0)
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            raise refusal("a line NAME=value", _slips().instead_of_name(text, at), text, at)
        equals = _EQUALS.match(text, name.end())
        if equals is None:
            slip = _slips().instead_of_equals(text, name.end(), name[0])
            raise unreadable("= after the name", text, name.end(), slip)
        value, end = _value(text, equals.end())
        yield _Assignment(name[1], name.start(1), value, equals.end())
        at = _end(_BLANK, text, end)


def _slips() -> ModuleType:
    """What words a mistake. Loaded at the first one."""
    from reactive_config._formats import dotenv_slips

    return dotenv_slips


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that starts at an offset, and where its line ends."""
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        match = _PLAIN.match(text, at)
        end = match.end() if match else at
        return text[at:end].strip(" \t\r"), _end(_REST, text, end)
    quoted = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if quoted is None:
        searched = "on this line" if quote == "'" else "up to the end of the document"
        raise refusal("a closing quote", f"none {searched}", text, at)
    rest = _LINE_END.match(text, quoted.end())
    if rest is None:
        raise refusal(
            "the end of the line after the closing quote", "more text (a # wants a space before it)", text, quoted.end()
        )
    return (quoted[1] if quote == "'" else _unescape(quoted[1])), rest.end()


def _unescape(body: str) -> str:
    # A saved CRLF file means the same value as its LF twin.
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), body.replace("\r\n", "\n"))


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
