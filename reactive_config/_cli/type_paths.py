"""The dotted paths of a configuration's type, for completion in a shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reactive_config._core.lookup import plain_type
from reactive_config._core.paths import Path, format_path
from reactive_config._core.types import fields_of, mapping_types, root_type

_DEEPEST = 8
_MOST = 1_000


def type_paths(kind: Any) -> list[str]:
    """Every path that the type names, tables before what is in them; at most 1,000, and 8 names deep.

    What a table leaves open (`dict[str, Pool]`) has no names, so nothing below it is listed.
    """
    found: list[str] = []
    for path in _below(kind, ()):
        found.append(format_path(path))
        if len(found) == _MOST:
            break
    return found


def _below(kind: Any, path: Path) -> Iterator[Path]:
    plain = plain_type(kind)
    while (root := root_type(plain)) is not None:
        plain = plain_type(root)
    fields = None if mapping_types(plain) is not None else fields_of(plain)
    if fields is None or len(path) == _DEEPEST:
        return
    for name, field in fields.items():
        yield (*path, name)
        yield from _below(field.type, (*path, name))
