"""Tables that a bare text spells in JSON: `{"max_size": 20}` in a variable, a mounted value or a line of dotenv.

They are read at once, not when they are decoded, so that they merge with tables of lower layers and with deeper names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeGuard

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Bare, Tree
from reactive_config._core.lookup import Shape
from reactive_config._core.paths import Path
from reactive_config._formats.registry import parse

ShapeAt = Callable[[Path], Shape]
"""As `Feed.shape`."""


def may_be_table(value: Tree, path: Path, shape: ShapeAt, *, beside: bool = False) -> TypeGuard[Bare]:
    """Whether a value is a text that must be read as a table. What may be a text remains one.

    Args:
        value: Of the source.
        path: Where it stands.
        shape: What fits where.
        beside: Whether the source says something above or below it, too: that makes a table of the place.
    """
    if not isinstance(value, Bare) or not value.text.lstrip().startswith("{"):
        return False
    fits = shape(path)
    return fits == "table" or (fits == "any" and beside)


def read_table(value: Bare) -> Tree:
    """The table that a text spells, for which `may_be_table` is true. It may nest too deep for its path.

    Raises:
        ParseError: It is not JSON as documents must be; with line and column in the text.
    """
    return parse(value.text.encode(), ".json")


def beside_others(paths: Collection[Path]) -> set[Path]:
    """Those of the paths that lie above or below another one. The empty path, and one too long to be taken, is none."""
    taken = {path for path in paths if 0 < len(path) <= MAX_DEPTH}
    above = {path[:length] for path in taken for length in range(1, len(path))}
    below = {path for path in taken if any(path[:length] in taken for length in range(1, len(path)))}
    return (taken & above) | below
