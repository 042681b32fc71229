"""Paths: a tuple of names inside, a dotted text outside.

A name that is not a plain word is quoted as JSON quotes it: ``log."sqlalchemy.engine"``.
"""

from __future__ import annotations

import json
import re

from reactive_config.errors import InvalidPath

Path = tuple[str, ...]

_PLAIN = re.compile(r"[^\s.\"]+")
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s."]+)')


def format_path(path: Path) -> str:
    """The dotted text of a path; the empty text for the root."""
    return ".".join(n if _PLAIN.fullmatch(n) else json.dumps(n, ensure_ascii=False) for n in path)


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
            raise InvalidPath(f'expected a dotted path such as log."a.b".level, got {text!r} (stuck at {position})')
        name = part.group()
        try:
            names.append(json.loads(name) if name.startswith('"') else name)
        except ValueError:
            raise InvalidPath(f"expected a JSON string as a quoted part, got {name} in {text!r}") from None
        position = part.end() + 1
    return tuple(names)
