"""Units tried on top of what is in force: applied, decoded, and kept or taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from reactive_config._core.acceptance.source_records import PendingChange, SourceRecord
from reactive_config._core.decoding.decode import decode
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.decoding.plans import DecodedPart, DecodePlan
from reactive_config._core.delta import Entry, Unit
from reactive_config._core.layers import Stack
from reactive_config._core.paths import Path
from reactive_config._core.trees import ABSENT, Changes, get, union

UnitKey = tuple[int, Unit]
"""A unit of all sources: the index of its record, and its name there."""


class Trial:
    """Some units on top of the accepted state.

    They stay applied until `undo`, so that it can be asked which value stands where, and who brought it.

    Attributes:
        units: What is applied, in the order given.
        changes: Where the effective tree differs; known once decoded.
        part: What came of it; None if it does not fit.
        faults: Why it does not fit.
    """

    def __init__(self, stack: Stack, records: Sequence[SourceRecord]) -> None:
        self.units: dict[UnitKey, Collection[PendingChange]] = {}
        self.changes: Changes = {}
        self.part: DecodedPart | None = None
        self.faults: list[Fault] = []
        self._accounts = records
        self._stack = stack
        # What stood where an entry was put, by the source's index and the entry's id.
        self._before: dict[tuple[int, str], Entry | None] = {}
        self._touched: Changes = {}
        self._unseen: list[Changes] = []  # what is not in it yet: it is seldom asked for
        self._differs: Changes = {}
        self._tree = stack.tree
        self._trees = [layer.tree for layer in stack.layers]

    def apply(self, units: Iterable[UnitKey]) -> None:
        """Put the pending entries of units, and bring the layers up to date."""
        for key in units:
            index, unit = key
            record = self._accounts[index]
            self.units[key] = changes = record.units[unit].values()
            for entry_id, entry, _, _ in changes:
                self._before[index, entry_id] = record.put(entry_id, entry)
        for layer in self._stack.layers:
            entries = layer.touched
            if entries is None or entries:
                differs = layer.refold()
                self._differs = union(self._differs, differs)
                self._unseen += (entries, differs)

    @property
    def touched(self) -> Changes:
        """Where entries and layers differ from before, even if others hide it."""
        for changes in self._unseen:
            self._touched = union(self._touched, changes)
        self._unseen.clear()
        return self._touched

    def sort(self, units: Iterable[UnitKey]) -> None:
        """Bring the units into another order."""
        self.units = {key: self.units[key] for key in units}

    def decode(self, plan: DecodePlan, old: DecodedPart | None) -> None:
        """Find out whether it fits.

        Args:
            plan: Of the configuration's type.
            old: The part in force.
        """
        self.changes = self._stack.refold(self._differs)
        self.part, self.faults = decode(plan, self._stack.tree, old, self.changes)

    def undo(self) -> None:
        """Take all of it back: trees by reference, mounts by putting the old entries again."""
        for (index, entry_id), entry in self._before.items():
            self._accounts[index].put(entry_id, entry)
        self._stack.tree = self._tree
        for layer, before in zip(self._stack.layers, self._trees, strict=True):
            layer.restore(before)

    def before(self, key: UnitKey, change: PendingChange) -> Entry | None:
        """What stood where a change of a unit was put."""
        return self._before[key[0], change.entry_id]

    def steps(self) -> Iterator[tuple[UnitKey, Path, Any, Any]]:
        """For every change its unit, the path at which something differs, and the old and new document there."""
        for key, changes in self.units.items():
            for change in changes:
                old, new = self.before(key, change), change.entry
                if old is not None and new is not None and old.path == new.path:
                    yield key, old.path, old.value, new.value
                else:
                    for entry in (old, new):
                        if entry is not None:
                            at = self._reshaped(key[0], entry)
                            yield key, at, ABSENT, entry.value if at == entry.path else None

    def _reshaped(self, index: int, entry: Entry) -> Path:
        """Where an entry that came or went makes a difference.

        That is its path, unless its layer says a single value above: the table that the entry makes there, or leaves,
        shows or hides what lower layers say beside it.
        """
        number = self._stack.layers.index(self._accounts[index].layers[entry.layer])
        before, after = self._trees[number], self._stack.layers[number].tree
        for depth in range(1, len(entry.path)):
            above = entry.path[:depth]
            if any(type(get(tree, above)) is not dict and get(tree, above) is not ABSENT for tree in (before, after)):
                return above
        return entry.path

    def of(self, index: int) -> Iterator[tuple[UnitKey, Collection[PendingChange]]]:
        """The units of one source."""
        return ((key, changes) for key, changes in self.units.items() if key[0] == index)
