"""Paths: a tuple of names inside, a dotted text outside.

A name that is not a plain word is quoted as JSON quotes it: ``log."sqlalchemy.engine"``. So the text is printable.
"""

from __future__ import annotations

import functools
import json
import re

from reactive_config._printable import printable
from reactive_config.errors import InvalidPath

Path = tuple[str, ...]

_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PLAIN = re.compile(r"[^\s.\"]+")
_PART = re.compile(r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*"|[^\s."]++)')


class KeyPath(tuple[str, ...]):
    """A path that is given to `locate` to ask where its last key stands, because the key is what is wrong."""

    __slots__ = ()


def format_path(path: Path) -> str:
    """The dotted text of a path; the empty text for the root."""
    return ".".join(map(_format_name, path))


def _format_name(name: str) -> str:
    if not name.isprintable():
        return json.dumps(name)  # with escapes for all but ASCII: a path is shown wherever there is something to say
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def parse_path(text: str) -> Path:
    """The path that a dotted text names; the inverse of `format_path`.

    Raises:
        InvalidPath: The text has an empty part or a quote that does not close.
    """
    names: list[str] = []
    position = 0
    while text and position <= len(text):
        part = _PART.match(text, position)
        if part is None or (part.end() < len(text) and text[part.end()] != "."):
            got = f"{printable(text)!r} (stuck at {position})"
            raise InvalidPath(f'expected a dotted path such as log."a.b".level, got {got}')
        name = part.group()
        try:
            names.append(json.loads(name) if name.startswith('"') else name)
        except ValueError:
            raise InvalidPath(
                f"expected a JSON string as a quoted part, got {printable(name)} in {printable(text)!r}"
            ) from None
        position = part.end() + 1
    return tuple(names)


@functools.lru_cache(maxsize=4096)
def spellings(field: str) -> tuple[str, ...]:
    """How a field's name may be spelt without case: as it is, and of one in camelCase, with `_` between its words."""
    words = _BETWEEN_WORDS.sub("_", field)
    return (fold(field),) if words == field else (fold(field), fold(words))


def fold(name: str) -> str:
    """A name as it is compared where case does not count."""
    return name.casefold().replace("-", "_")
