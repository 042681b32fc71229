"""Configurations as the commands print them: as core shows them, with durations as configurations write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reactive_config.core import showing
from reactive_config.core.plain import plain
from reactive_config.core.showing import Spot
from reactive_config.core.wording import duration_text


def show(spot: Spot) -> Any:
    """A new tree of str, int, float, bool, None, dicts and lists that may be printed; secrets hidden."""
    return showing.show(spot, _rendered)


def _rendered(value: Any) -> Any:
    return duration_text(value) if isinstance(value, timedelta) else plain(value)


def count_values(tree: Any) -> int:
    """How many values a shown tree has; a list counts as one."""
    return sum(map(count_values, tree.values())) if type(tree) is dict else 1
