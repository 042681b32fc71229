"""Units tried on top of what is in force: applied, decoded, and kept or taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from reactive_config.core.accounts import Account, Change
from reactive_config.core.changes import Changes, union
from reactive_config.core.decode import decode
from reactive_config.core.delta import Entry, Unit
from reactive_config.core.faults import Fault
from reactive_config.core.layers import Stack
from reactive_config.core.plans import Part, Plan

UnitKey = tuple[int, Unit]
"""A unit of all sources: the index of its account, and its name there."""


class Trial:
    """Some units on top of the accepted state.

    They stay applied until `undo`, so that it can be asked which value stands where, and who brought it.

    Attributes:
        units: What is applied, in the order given.
        touched: Where the layers differ from before, whether or not a higher layer hides it.
        changes: Where the effective tree differs; known once decoded.
        part: What came of it; None if it does not fit.
        faults: Why it does not fit.
    """

    def __init__(self, stack: Stack, accounts: Sequence[Account]) -> None:
        self.units: dict[UnitKey, Collection[Change]] = {}
        self.touched: Changes = {}
        self.changes: Changes = {}
        self.part: Part | None = None
        self.faults: list[Fault] = []
        self._accounts = accounts
        self._stack = stack
        # What stood where an entry was put, by the source's index and the entry's id.
        self._before: dict[tuple[int, str], Entry | None] = {}
        self._trees = (stack.tree, [layer.tree for layer in stack.layers])

    def apply(self, units: Iterable[UnitKey]) -> None:
        """Put the pending entries of units, and bring the layers up to date."""
        for key in units:
            index, unit = key
            account = self._accounts[index]
            self.units[key] = changes = account.units[unit].values()
            for entry_id, entry, _, _ in changes:
                self._before[index, entry_id] = account.put(entry_id, entry)
        for layer in self._stack.layers:
            self.touched = union(self.touched, layer.refold())

    def sort(self, units: Iterable[UnitKey]) -> None:
        """Bring the units into another order."""
        self.units = {key: self.units[key] for key in units}

    def decode(self, plan: Plan, old: Part | None) -> None:
        """Find out whether it fits.

        Args:
            plan: Of the configuration's type.
            old: The part in force.
        """
        self.changes = self._stack.refold(self.touched)
        self.part, self.faults = decode(plan, self._stack.tree, old, self.changes)

    def undo(self) -> None:
        """Take all of it back: trees by reference, mounts by putting the old entries again."""
        for (index, entry_id), entry in self._before.items():
            self._accounts[index].put(entry_id, entry)
        tree, trees = self._trees
        self._stack.tree = tree
        for layer, before in zip(self._stack.layers, trees, strict=True):
            layer.restore(before)

    def before(self, key: UnitKey, change: Change) -> Entry | None:
        """What stood where a change of a unit was put."""
        return self._before[key[0], change.entry_id]

    def steps(self) -> Iterator[tuple[UnitKey, Entry | None, Entry | None]]:
        """Unit, old and new entry of every change."""
        for key, changes in self.units.items():
            for change in changes:
                yield key, self.before(key, change), change.entry

    def of(self, index: int) -> Iterator[tuple[UnitKey, Collection[Change]]]:
        """The units of one source."""
        return ((key, changes) for key, changes in self.units.items() if key[0] == index)
