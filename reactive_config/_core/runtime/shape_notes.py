"""Notes of where a layer replaces a table by a value, or the reverse: that is legal, and rarely meant."""

from __future__ import annotations

from operator import is_not, itemgetter
from typing import Any

from reactive_config._core.layers import Stack
from reactive_config._core.paths import format_path
from reactive_config._printable import printable

SHAPES_TOLD = 20
"""Places that are told; the others are counted."""


class ShapeNotes:
    """Finds the places. To look costs a walk over all layers, so it looks again only if one of them has changed."""

    def __init__(self) -> None:
        self._trees: list[Any] = []
        self._notes: tuple[str, ...] = ()

    def notes(self, stack: Stack) -> tuple[str, ...]:
        """A line for each place, in the order of their paths; `SHAPES_TOLD` at most, and how many more there are."""
        trees = [layer.tree for layer in stack.layers]
        if len(trees) != len(self._trees) or any(map(is_not, trees, self._trees)):
            found = sorted(stack.shape_changes(), key=itemgetter(0))
            what = "replaces a table by a value, or the reverse"
            notes = [f"{printable(format_path(path))}: {printable(name)} {what}" for path, name in found[:SHAPES_TOLD]]
            if more := len(found) - len(notes):
                notes.append(f"... and {more:,} more place{'s' * (more > 1)} where a layer {what}")
            self._trees, self._notes = trees, tuple(notes)
        return self._notes
