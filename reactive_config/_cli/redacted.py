"""Configurations as the commands print them, and what differs between two.

Durations are printed as configurations write them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from reactive_config._core import redaction
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.paths import Path
from reactive_config._core.redaction import Spot, below, spot_of, written
from reactive_config._core.trees import ABSENT


def show(spot: Spot) -> Any:
    """A new tree of str, int, float, bool, None, dicts and lists that may be printed; secrets hidden."""
    return redaction.show(spot, written)


def count_values(tree: Any) -> int:
    """How many values a shown tree has; a list counts as one."""
    return sum(map(count_values, tree.values())) if type(tree) is dict else 1


def without_secrets(change: dict[str, Any], kind: Any = dict) -> dict[str, Any]:
    """A difference between two releases, as it may be printed.

    Args:
        change: Path, before and after.
        kind: The configuration's type; where none is known, what sounds like a secret is one.
    """
    path = tuple(change["path"])
    sides: dict[str, Any] = {
        side: show(spot_of(change[side], kind, path)) for side in ("before", "after") if side in change
    }
    return {**change, **sides}


class ValueChange(NamedTuple):
    """One value that differs.

    Attributes:
        path: Of the value; a list is one value.
        before: As it may be shown; ABSENT where nothing stood.
        after: As it may be shown; ABSENT where nothing stands now.
    """

    path: Path
    before: Any
    after: Any

    @property
    def word(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is ABSENT:
            return "added"
        return "removed" if self.after is ABSENT else "changed"


def changes(old: Spot, new: Spot, path: Path = ()) -> Iterator[ValueChange]:
    """Every value that differs, in the order of the new configuration, what is gone last.

    Costs little where the two share objects, as snapshots do.
    """
    if old.value is new.value or unchanged(old.value, new.value):
        return
    before, after = below(old), below(new)
    if before is None or after is None:
        yield from _replaced(old, before, new, after, path)
        return
    for name, inner in after.items():
        if name in before:
            yield from changes(before[name], inner, (*path, name))
        else:
            yield from _whole(inner, (*path, name), added=True)
    for name, inner in before.items():
        if name not in after:
            yield from _whole(inner, (*path, name), added=False)


def _replaced(
    old: Spot, before: dict[str, Spot] | None, new: Spot, after: dict[str, Spot] | None, path: Path
) -> Iterator[ValueChange]:
    """One change where neither is a table with something in it; else what the table is made of."""
    if not before and not after:
        yield ValueChange(path, show(old), show(new))
        return
    if new.value is not None or after is not None:
        yield from _whole(new, path, added=True)
    if old.value is not None or before is not None:
        yield from _whole(old, path, added=False)


def _whole(spot: Spot, path: Path, *, added: bool) -> Iterator[ValueChange]:
    """All values of what came or went."""
    table = below(spot)
    if table:
        for name, inner in table.items():
            yield from _whole(inner, (*path, name), added=added)
    elif added:
        yield ValueChange(path, ABSENT, show(spot))
    else:
        yield ValueChange(path, show(spot), ABSENT)
