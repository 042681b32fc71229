"""Flat names become a tree: `DATABASE__POOL__MAX_SIZE` stands at `database.pool.max_size`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reactive_config.core.bounds import MAX_DEPTH
from reactive_config.core.delta import Bare
from reactive_config.core.paths import Path, format_path
from reactive_config.errors import ParseError

SEPARATOR = "__"


def split(name: str) -> Path:
    """The parts of a flat name.

    Raises:
        ParseError: A part is empty (`A____B`, `__A`); it names the variable and never its value.
    """
    parts = tuple(name.split(SEPARATOR))
    if not all(parts):
        raise ParseError(f"names joined by `{SEPARATOR}`", f"an empty part in the name {name}")
    return parts


def nest(variables: Mapping[str, Bare], resolve: Callable[[Path], Path]) -> dict[str, Any]:
    """The tree that flat variables spell.

    Args:
        variables: Name to value, without the prefix that selected them.
        resolve: From names in any case to the configuration's own path, as `Feed.resolve`.

    Returns:
        A nested dict, owned by the caller; its leaves are the values given.

    Raises:
        ParseError: A name has an empty part or too many, two names mean one path, or one path is to be a value
            and a table; it names the variables and never their values.
    """
    tree: dict[str, Any] = {}
    values: dict[Path, str] = {}
    tables: dict[Path, str] = {}
    for name, value in variables.items():
        parts = split(name)
        if len(parts) > MAX_DEPTH:  # all that follows takes the square of it
            raise ParseError(f"at most {MAX_DEPTH} names joined by `{SEPARATOR}`", f"{len(parts):,}")
        path = resolve(parts)
        if path in values:
            raise ParseError(f"one name for {format_path(path)}", f"{values[path]} and {name}")
        above = [path[:length] for length in range(1, len(path))]
        # Both ways, because the order of the names is not ours.
        clash = tables.get(path) or next((values[p] for p in above if p in values), None)
        if clash is not None:
            raise ParseError("each name to be a value or a table", f"both, from {clash} and {name}")
        values[path] = name
        table = tree
        for part, prefix in zip(path, above, strict=False):
            tables[prefix] = name
            table = table.setdefault(part, {})
        table[path[-1]] = value
    return tree
