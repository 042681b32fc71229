"""What is in force, value by value, as people may see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.paths import Path, format_path
from reactive_config._core.redaction import show, spot_of, written
from reactive_config.errors import Origin


class Setting(msgspec.Struct, frozen=True):
    """One value in force.

    Attributes:
        path: Dotted.
        value: As JSON has it, durations as configurations write them (`30s`); secrets hidden, by type or name.
        origin: Where it stands, without line and column; None where it is the type's default.
    """

    path: str
    value: Any
    origin: Origin | None


def settings(value: Any, kind: Any, acceptance: Acceptance) -> Iterator[Setting]:
    """Every value of a configuration of type `kind`, defaults included; a list is one value, so is an empty table."""
    for path, shown in _values(show(spot_of(value, kind), written), ()):
        yield Setting(format_path(path), shown, _origin(acceptance, path))


def _values(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if type(tree) is dict and tree:
        for name, value in tree.items():
            yield from _values(value, (*path, name))
    elif path:
        yield path, tree


def _origin(acceptance: Acceptance, path: Path) -> Origin | None:
    tree = acceptance.stack.tree
    for depth, name in enumerate(path):
        if type(tree) is not dict:  # one text holds a whole table, as JSON in an environment variable does
            return acceptance.origin(path[:depth], locate=False)
        if name not in tree:
            return None
        tree = tree[name]
    return acceptance.origin(path, locate=False)
