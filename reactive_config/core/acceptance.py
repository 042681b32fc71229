"""What is accepted and what is held: the rejection rule, without a loop or a task.

Each source has a current state (what it last said) and an accepted one (what is in force); the
difference is pending. Every attempt tries all pending changes of all sources together. If that fails,
the units that touch a failing path are held and the rest is tried again; an error that no unit touches
holds them all. A held unit keeps its last accepted values until it fits or is overwritten.
"""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from reactive_config.core.decode import changed_paths, changes_of, decode
from reactive_config.core.delta import Delta, Entry, Malformed, Replace, Unit
from reactive_config.core.layers import Layer, Stack
from reactive_config.core.leaf import Fault
from reactive_config.core.paths import Path, format_path
from reactive_config.core.plans import Part, Plan
from reactive_config.core.status import Held
from reactive_config.core.trees import same
from reactive_config.errors import Origin, Problem

_LOCATING = 0.02
"""Seconds that one attempt may spend on lines and columns; problems after that come without."""


class Change(NamedTuple):
    """One entry whose current state is not the accepted one.

    Attributes:
        entry: The current one; None if it is gone.
        unit: The unit that changed it.
        relist: Whether it came with a `Replace`.
    """

    entry: Entry | None
    unit: Unit
    relist: bool


GONE: Final = ("what is gone",)
"""The unit of what a `Replace` lacks: nobody knows which transactions deleted it."""


class Account:
    """One source's states.

    Attributes:
        name: The source's, unique.
        layers: Its layers, lowest first; their entries are the accepted state.
        optional: Whether its layers may be empty.
        pending: Id to what differs from the accepted state.
        revision: The store's, of the current state; None before the first delta.
        accepted_at: Counts the acceptances that changed something.
    """

    def __init__(self, name: str, layers: Sequence[str], *, optional: bool) -> None:
        self.name = name
        self.layers = [Layer(layer) for layer in layers]
        self.optional = optional
        self.pending: dict[str, Change] = {}
        self.revision: int | None = None
        self.accepted_at = 0

    @property
    def accepted(self) -> Mapping[str, Entry]:
        """The entries in force; a live view."""
        if len(self.layers) == 1:
            return self.layers[0].entries
        return ChainMap(*(layer.entries for layer in self.layers))

    def find(self, entry_id: str) -> Entry | None:
        """The accepted entry of an id."""
        for layer in self.layers:
            if (entry := layer.entries.get(entry_id)) is not None:
                return entry
        return None

    def take(self, delta: Delta) -> None:
        """Make the delta the current state; what then differs from the accepted one is pending."""
        if isinstance(delta, Replace):
            for entry_id in {*self.accepted, *self.pending} - delta.entries.keys():
                self._record(entry_id, Change(None, GONE, relist=True))
            for entry_id, entry in delta.entries.items():
                self._record(entry_id, Change(entry, entry.unit, relist=True))
        else:
            for entry_id, entry in delta.set.items():
                self._record(entry_id, Change(entry, entry.unit, relist=False))
            for entry_id, unit in delta.deleted.items():
                self._record(entry_id, Change(None, unit, relist=False))
        self.revision = delta.revision

    def _record(self, entry_id: str, change: Change) -> None:
        accepted = self.find(entry_id)
        entry = change.entry
        if entry is not None and not 0 <= entry.layer < len(self.layers):
            raise ValueError(f"{self.name}: expected a layer from 0 to {len(self.layers) - 1}, got {entry.layer}")
        if accepted is None and entry is None:
            self.pending.pop(entry_id, None)
        elif (
            accepted is not None
            and entry is not None
            and entry.path == accepted.path
            and entry.layer == accepted.layer
            and same(entry.value, accepted.value)
        ):
            self.pending.pop(entry_id, None)
            # Only where it came from is new. The old value stays, for its identity.
            self.layers[entry.layer].entries[entry_id] = msgspec.structs.replace(entry, value=accepted.value)
        else:
            self.pending[entry_id] = change

    def put(self, entry_id: str, entry: Entry | None) -> Iterator[tuple[Layer, list[Path]]]:
        """Set or delete an accepted entry, wherever it stood; gives the paths touched in each layer."""
        for index, layer in enumerate(self.layers):
            if entry is not None and entry.layer == index:
                yield layer, layer.put(entry_id, entry)
            elif entry_id in layer.entries:
                yield layer, layer.put(entry_id, None)


UnitKey = tuple[int, Unit]
Pending = tuple[Account, str, Change]


class _Trial(NamedTuple):
    part: Part | None
    changed: list[Path]
    faults: list[tuple[Problem, list[UnitKey]]]


class Acceptance:
    """Every source's account, the effective tree, and the decoded part in force.

    Attributes:
        accounts: Lowest first.
        stack: The accepted layers of all of them.
        part: The decoded configuration; None before the first acceptance.
        held: The units that wait, with why.
    """

    def __init__(self, plan: Plan, accounts: Sequence[Account], clock: Callable[[], datetime] | None = None) -> None:
        self.plan = plan
        self.accounts = list(accounts)
        self.stack = Stack([layer for account in accounts for layer in account.layers])
        self.part: Part | None = None
        self.held: dict[UnitKey, Held] = {}
        self._now = clock or (lambda: datetime.now(UTC))

    def start(self) -> list[Problem]:
        """Accept everything or nothing, for the first time.

        Returns:
            What is wrong; empty once all is accepted.
        """
        units = self._units()
        malformed = [problem for changes in units.values() for problem in self._malformed(changes)]
        if malformed:
            return malformed
        trial = self._try(units)
        if trial.part is None:
            return [problem for problem, _ in trial.faults]
        self._commit(units, trial, {})
        return []

    def attempt(self) -> list[Path]:
        """Try all that is pending; hold what does not fit.

        Returns:
            The paths whose decoded values changed; empty if nothing did.
        """
        units = self._units()
        held: dict[UnitKey, list[Problem]] = {}
        for key, changes in units.items():
            if problems := self._malformed(changes):
                held[key] = problems
        while True:
            self._hold_relist_deletions(units, held)
            active = {key: changes for key, changes in units.items() if key not in held}
            trial = self._try(active) if active else _Trial(self.part, [], [])
            if trial.part is not None:
                self._commit(active, trial, held)
                return trial.changed
            for problem, blamed in trial.faults:
                for key in blamed or active:
                    held.setdefault(key, []).append(problem)

    def _units(self) -> dict[UnitKey, list[Pending]]:
        units: dict[UnitKey, list[Pending]] = {}
        for index, account in enumerate(self.accounts):
            for entry_id, change in account.pending.items():
                units.setdefault((index, change.unit), []).append((account, entry_id, change))
        return units

    def _malformed(self, changes: Iterable[Pending]) -> list[Problem]:
        found = []
        for account, entry_id, change in changes:
            entry = change.entry
            if entry is not None and not isinstance(entry.value, Malformed) and not entry.path:
                if type(entry.value) is not dict:
                    origin = Origin(account.name, entry.place or entry_id, entry.revision)
                    found.append(Problem("", "a table", type(entry.value).__name__, origin))
            elif entry is not None and isinstance(entry.value, Malformed):
                bad = entry.value
                origin = Origin(account.name, entry.place or entry_id, entry.revision, bad.line, bad.column)
                found.append(Problem(format_path(entry.path), bad.expected, bad.got, origin))
        return found

    def _hold_relist_deletions(
        self, units: Mapping[UnitKey, list[Pending]], held: dict[UnitKey, list[Problem]]
    ) -> None:
        """What a relist found deleted may belong to any unit that it found changed, so it waits with them."""
        for key in list(held):
            gone = (key[0], GONE)
            if gone in units and gone not in held and any(change.relist for _, _, change in units[key]):
                held[gone] = held[key]

    def _try(self, units: Mapping[UnitKey, list[Pending]]) -> _Trial:
        """Apply the units; if the result does not decode, take all of it back."""
        before = (self.stack.tree, [(layer, layer.tree) for layer in self.stack.layers])
        undo: list[tuple[Account, str, Entry | None]] = []
        touched: dict[Layer, list[Path]] = {}
        touched_by: dict[UnitKey, list[Path]] = {}
        for key, changes in units.items():
            mine = touched_by[key] = []
            for account, entry_id, change in changes:
                undo.append((account, entry_id, account.find(entry_id)))
                for layer, paths in account.put(entry_id, change.entry):
                    touched.setdefault(layer, []).extend(paths)
                    mine += paths
        paths = self.stack.refold([path for layer, found in touched.items() for path in layer.refold(found)])
        part, faults = decode(self.plan, self.stack.tree, self.part, paths)
        # Finding a line may parse a document again; a thousand faults must not hold the loop for that.
        until = time.perf_counter() + _LOCATING
        problems = [(self._problem(fault, until), _touching(fault.path, touched_by)) for fault in faults]
        problems += self._empty_layers(units)
        if part is not None and not problems:
            return _Trial(part, changed_paths(self.part, part, changes_of(paths)), [])
        for account, entry_id, entry in reversed(undo):
            for _ in account.put(entry_id, entry):
                pass
        self.stack.tree = before[0]
        for layer, tree in before[1]:
            layer.tree = tree
        return _Trial(None, [], problems)

    def _empty_layers(self, units: Mapping[UnitKey, list[Pending]]) -> Iterator[tuple[Problem, list[UnitKey]]]:
        for index, account in enumerate(self.accounts):
            for layer in account.layers:
                if account.optional or layer.entries:
                    continue
                gone = [key for key in units if key[0] == index and any(c.entry is None for _, _, c in units[key])]
                origin = Origin(account.name, layer.name)
                yield Problem("", "some content (the source is not optional)", "nothing", origin), gone

    def _problem(self, fault: Fault, until: float) -> Problem:
        path = (format_path(fault.path) + fault.inside).lstrip(".")
        origin = self.origin(fault.path, locate=time.perf_counter() < until)
        return Problem(path, fault.expected, fault.got, origin)

    def origin(self, path: Path, *, locate: bool = True) -> Origin | None:
        """Where the value at a path stands; where none does, the document that holds the table around it.

        Args:
            path: Of the configuration.
            locate: Whether to find line and column too.
        """
        for depth in range(len(path), -1, -1):
            for account, layer in self._layers_downwards():
                found = [
                    (i, e) for i, e in layer.entries_at(path[:depth]) if depth == len(path) or len(e.path) <= depth
                ]
                if found:
                    return origin_of(account, *found[-1], path[:depth], locate=locate)
        return None

    def explain(self, path: Path) -> list[tuple[Origin, Path, Entry]]:
        """Every entry that says something at a path, the strongest first, with the path inside it."""
        return [
            (origin_of(account, entry_id, entry, path), path[len(entry.path) :], entry)
            for account, layer in self._layers_downwards()
            for entry_id, entry in reversed(list(layer.entries_at(path)))
        ]

    def _layers_downwards(self) -> Iterator[tuple[Account, Layer]]:
        for account in reversed(self.accounts):
            for layer in reversed(account.layers):
                yield account, layer

    def _commit(
        self, units: Mapping[UnitKey, list[Pending]], trial: _Trial, held: Mapping[UnitKey, list[Problem]]
    ) -> None:
        self.part = trial.part
        for changes in units.values():
            for account, entry_id, _ in changes:
                del account.pending[entry_id]
                account.accepted_at += 1
        for account in self.accounts:
            if not account.pending:
                account.pending = {}  # iterating over a dict that once was large costs what it once held
        self.held = {key: self._held(key, problems) for key, problems in held.items()}

    def _held(self, key: UnitKey, problems: Sequence[Problem]) -> Held:
        before = self.held.get(key)
        unique = tuple(dict.fromkeys(problems))
        return Held(unit_name(key[1]), unique, before.since if before else self._now())

    def held_of(self, account: Account) -> tuple[Held, ...]:
        """The units of one source that wait, oldest first."""
        index = self.accounts.index(account)
        return tuple(sorted((h for key, h in self.held.items() if key[0] == index), key=lambda h: h.since))

    def held_at(self, account: Account, revision: int) -> Held | None:
        """The unit that brought a revision, if it waits."""
        index = self.accounts.index(account)
        for entry_id, change in account.pending.items():
            del entry_id
            at = change.entry.revision if change.entry is not None else change.unit
            if revision in (at, change.unit) and (found := self.held.get((index, change.unit))) is not None:
                return found
        return None


def _touching(path: Path, touched_by: Mapping[UnitKey, list[Path]]) -> list[UnitKey]:
    """The units that touched a path: at, above or under it."""
    return [key for key, paths in touched_by.items() if any(p[: len(path)] == path[: len(p)] for p in paths)]


def origin_of(account: Account, entry_id: str, entry: Entry, path: Path, *, locate: bool = True) -> Origin:
    """Where an entry's value at a path stands, with line and column where the source can tell."""
    inner = path[len(entry.path) :]
    at: Any = entry.locate(inner) if locate and entry.locate is not None else None
    line, column = at or (0, 0)
    return Origin(account.name, entry.place or entry_id, entry.revision, line, column)


def unit_name(unit: Unit) -> str:
    """What a person calls a unit."""
    if isinstance(unit, int):
        return f"revision {unit}"
    return " ".join(map(str, unit)) if isinstance(unit, tuple) else str(unit)
