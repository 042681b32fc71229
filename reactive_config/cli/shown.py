"""Configurations as the commands print them: as core shows them, with durations as configurations write them."""

from __future__ import annotations

from typing import Any

from reactive_config.core import showing
from reactive_config.core.plain import written
from reactive_config.core.showing import Spot


def show(spot: Spot) -> Any:
    """A new tree of str, int, float, bool, None, dicts and lists that may be printed; secrets hidden."""
    return showing.show(spot, written)


def count_values(tree: Any) -> int:
    """How many values a shown tree has; a list counts as one."""
    return sum(map(count_values, tree.values())) if type(tree) is dict else 1
