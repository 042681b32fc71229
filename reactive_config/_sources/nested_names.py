"""Flat names become a tree: `DATABASE__POOL__MAX_SIZE` stands at `database.pool.max_size`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Bare, Tree
from reactive_config._core.paths import Path, format_path, spellings
from reactive_config._core.trees import overlay
from reactive_config._sources.json_tables import ShapeAt, beside_others, may_be_table, read_table
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


def joined(path: Path) -> str:
    """The flat name, in capitals, that stands at a path: the inverse of `split`, as far as case allows."""
    return SEPARATOR.join(spellings(name)[-1] for name in path).upper()


Where = Callable[[str], tuple[int, int]]
"""Line and column of a variable, both from 1; zeros where nobody can tell."""


def nest(
    variables: Mapping[str, Bare], resolve: Callable[[Path], Path], shape: ShapeAt, where: Where = lambda _: (0, 0)
) -> dict[str, Any]:
    """The tree that flat variables spell. Tables in JSON come first, and deeper names are laid over them.

    Args:
        variables: Name to value, without the prefix that selected them.
        resolve: From names in any case to the configuration's own path, as `Feed.resolve`.
        shape: What fits at a path, as `Feed.shape`.
        where: Where a variable stands, for what is refused.

    Returns:
        A nested dict, owned by the caller; its leaves are the values given, or those of JSON. With JSON it may nest
        too deep.

    Raises:
        ParseError: A name has an empty part or too many, two names mean one path, one path is to be a value
            and a table, or JSON cannot be read; it names the variables and never their values.
    """
    names = _paths(variables, resolve, where)
    beside = beside_others(names)
    values = {
        path: _value(variables[name], path, name, shape, where, beside=path in beside) for path, name in names.items()
    }
    tree: dict[str, Any] = {}
    for path in sorted(names, key=len):
        table = tree
        for length in range(1, len(path)):
            above = values.get(path[:length])
            if above is not None and type(above) is not dict:
                both = f"both, from {names[path[:length]]} and {names[path]}"
                raise ParseError("each name to be a value or a table", both, *where(names[path]))
            inner = table.get(path[length - 1])
            if type(inner) is not dict:  # a single value that JSON says: the deeper name wins
                inner = table[path[length - 1]] = {}
            table = inner
        table[path[-1]] = overlay(table.get(path[-1]), values[path])
    return tree


def _paths(variables: Mapping[str, Bare], resolve: Callable[[Path], Path], where: Where) -> dict[Path, str]:
    """Which variable stands at which path."""
    names: dict[Path, str] = {}
    for name in variables:
        parts = split(name)
        if len(parts) > MAX_DEPTH:  # all that follows takes the square of it
            raise ParseError(f"at most {MAX_DEPTH} names joined by `{SEPARATOR}`", f"{len(parts):,}")
        path = resolve(parts)
        first = names.setdefault(path, name)
        if first != name:
            raise ParseError(f"one name for {format_path(path)}", f"{first} and {name}", *where(name))
    return names


def _value(value: Bare, path: Path, name: str, shape: ShapeAt, where: Where, *, beside: bool) -> Tree:
    if not may_be_table(value, path, shape, beside=beside):
        return value
    try:
        return read_table(value)
    except ParseError as error:
        expected, got = f"{error.expected} in {name}", error.got
    raise ParseError(expected, got, *where(name))  # out of the handler, so that it has no context
