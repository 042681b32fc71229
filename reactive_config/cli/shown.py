"""Configurations as the commands print them: as core shows them, with durations as configurations write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reactive_config.core import showing
from reactive_config.core.plain import plain
from reactive_config.core.showing import Spot

_UNITS = ((86400_000_000, "d"), (3600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us"))


def show(spot: Spot) -> Any:
    """A new tree of str, int, float, bool, None, dicts and lists that may be printed; secrets hidden."""
    return showing.show(spot, _rendered)


def _rendered(value: Any) -> Any:
    return duration_text(value) if isinstance(value, timedelta) else plain(value)


def duration_text(value: timedelta) -> str:
    """A duration as configurations write it, exactly: `1m30s`, `250ms`, `-5s`."""
    left = value // timedelta(microseconds=1)
    sign, left = ("-", -left) if left < 0 else ("", left)
    text = ""
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return sign + (text or "0s")


def count_values(tree: Any) -> int:
    """How many values a shown tree has; a list counts as one."""
    return sum(map(count_values, tree.values())) if type(tree) is dict else 1
