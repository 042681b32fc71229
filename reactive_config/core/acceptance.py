"""What is accepted and what is held: the rejection rule, without a loop or a task.

Each source has a current state (what it last said) and an accepted one (what is in force); the
difference is pending. Every attempt tries all pending changes of all sources together. If that fails,
the units that touch a failing path are held and the rest is tried again; an error that no unit touches
holds them all. A held unit keeps its last accepted values until it fits or is overwritten.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from reactive_config.core.accounts import GONE, Account, Change, origin_of, unit_name
from reactive_config.core.changes import Changes, paths_of, union
from reactive_config.core.decode import changed_paths, decode
from reactive_config.core.delta import Entry, Malformed, Unit
from reactive_config.core.faults import Fault
from reactive_config.core.layers import Layer, Stack
from reactive_config.core.paths import Path, format_path
from reactive_config.core.plans import Part, Plan
from reactive_config.core.status import Held, Moment
from reactive_config.core.trees import ABSENT, same
from reactive_config.errors import Origin, Problem

_LOCATING = 0.02
"""Seconds that one attempt may spend on lines and columns; problems after that come without."""


UnitKey = tuple[int, Unit]
Units = Mapping[UnitKey, list[Change]]


class _Undo:
    """How to take applied units back: trees by reference, mounts by putting the old entries again.

    Attributes:
        before: For each source, what stood where an entry was put, by its id.
        sizes: Bytes of each source before.
    """

    def __init__(self, stack: Stack, accounts: Sequence[Account]) -> None:
        self.before: list[dict[str, Entry | None]] = [{} for _ in accounts]
        self.sizes = [account.size for account in accounts]
        self._accounts = accounts
        self._stack = stack
        self._trees = (stack.tree, [(layer, layer.tree) for layer in stack.layers])

    def __call__(self) -> None:
        for account, entries in zip(self._accounts, self.before, strict=True):
            for entry_id, entry in entries.items():
                account.put(entry_id, entry)
        self._stack.tree = self._trees[0]
        for layer, tree in self._trees[1]:
            layer.restore(tree)


class _Trial(NamedTuple):
    part: Part | None
    changed: list[Path]
    faults: list[tuple[Problem, list[UnitKey]]]
    undo: _Undo


class Acceptance:
    """Every source's account, the effective tree, and the decoded part in force.

    Attributes:
        accounts: Lowest first.
        stack: The accepted layers of all of them.
        part: The decoded configuration; None before the first acceptance.
        held: The units that wait, with why.
    """

    def __init__(self, plan: Plan, accounts: Sequence[Account]) -> None:
        self.plan = plan
        self.accounts = list(accounts)
        self.stack = Stack([layer for account in accounts for layer in account.layers])
        self.part: Part | None = None
        self.held: dict[UnitKey, Held] = {}
        self._refused: dict[UnitKey, Moment] = {}  # when each held unit was first

    def start(self) -> list[Problem]:
        """Accept everything or nothing, for the first time.

        Returns:
            What is wrong; empty once all is accepted.
        """
        units = self._units()
        malformed = {key: found for key, changes in units.items() if (found := self._malformed(key, changes))}
        trial = self._try({key: changes for key, changes in units.items() if key not in malformed})
        if not malformed and trial.part is not None:
            self._commit(units, trial, {})
            return []
        trial.undo()
        # What is missing may stand in what could not be read.
        faults = [p for p, _ in trial.faults if not malformed or p.got != "nothing"]
        return [problem for found in malformed.values() for problem in found] + faults

    def attempt(self) -> list[Path]:
        """Try all that is pending; hold what does not fit.

        Returns:
            The paths whose decoded values changed; empty if nothing did.
        """
        units = self._units()
        held: dict[UnitKey, list[Problem]] = {}
        for key, changes in units.items():
            if problems := self._malformed(key, changes):
                held[key] = problems
        while True:
            self._hold_relist_deletions(units, held)
            active = {key: changes for key, changes in units.items() if key not in held}
            trial = self._try(active) if active else _Trial(self.part, [], [], _Undo(self.stack, self.accounts))
            if trial.part is not None:
                self._commit(active, trial, held)
                return trial.changed
            for problem, blamed in trial.faults:
                for key in blamed or active:
                    held.setdefault(key, []).append(problem)

    def _units(self) -> dict[UnitKey, list[Change]]:
        units: dict[UnitKey, list[Change]] = {}
        for index, account in enumerate(self.accounts):
            for change in account.pending.values():
                units.setdefault((index, change.unit), []).append(change)
        return units

    def _malformed(self, key: UnitKey, changes: Iterable[Change]) -> list[Problem]:
        found = []
        for entry_id, entry, _, _ in changes:
            if entry is None or (entry.path and not isinstance(entry.value, Malformed)):
                continue
            place = (self.accounts[key[0]].name, entry.place or entry_id, entry.revision)
            if isinstance(entry.value, Malformed):
                bad = entry.value
                origin = Origin(*place, bad.line, bad.column)
                found.append(Problem(format_path(entry.path), bad.expected, bad.got, origin))
            elif type(entry.value) is not dict:
                found.append(Problem("", "a table", type(entry.value).__name__, Origin(*place)))
        return found

    def _hold_relist_deletions(self, units: Units, held: dict[UnitKey, list[Problem]]) -> None:
        """What a relist found deleted may belong to any unit that it found changed, so it waits with them."""
        for key in list(held):
            gone = (key[0], GONE)
            if gone in units and gone not in held and any(change.relist for change in units[key]):
                held[gone] = list(held[key])

    def _try(self, units: Units) -> _Trial:
        """Apply the units; if the result does not decode, take all of it back."""
        undo = self._apply(units)
        changes = self.stack.refold(functools.reduce(union, [layer.refold() for layer in self.stack.layers]))
        part, faults = decode(self.plan, self.stack.tree, self.part, changes)
        problems = [*self._empty_layers(units), *self._jumps(units, undo)]
        if faults:
            # Finding a line may parse a document again; a thousand faults must not hold the loop for that.
            until = time.perf_counter() + _LOCATING
            problems = [
                *((self._problem(fault, until), self._blamed(fault.path, changes, units, undo)) for fault in faults),
                *problems,
            ]
        if part is not None and not problems:
            return _Trial(part, changed_paths(self.part, part, changes), [], undo)
        undo()
        return _Trial(None, [], problems, _Undo(self.stack, self.accounts))

    def _apply(self, units: Units) -> _Undo:
        undo = _Undo(self.stack, self.accounts)
        for (index, _), changes in units.items():
            account, before = self.accounts[index], undo.before[index]
            for change in changes:
                before[change.entry_id] = account.put(change.entry_id, change.entry)
        return undo

    def _blamed(self, path: Path, changes: Changes, units: Units, undo: _Undo) -> list[UnitKey]:
        """The units that touched a path: what they say at it, above or under it is another than before.

        Where none did, something is missing there: then those that made or unmade the table around it.
        """
        return self._touching([path], units, undo) or self._touching(
            [p for p in paths_of(changes) if p[: len(path)] == path[: len(p)]], units, undo
        )

    def _touching(self, paths: Sequence[Path], units: Units, undo: _Undo) -> list[UnitKey]:
        return [
            key
            for key, changes in units.items()
            if any(_touches(p, undo.before[key[0]][c.entry_id], c.entry) for p in paths for c in changes)
        ]

    def _empty_layers(self, units: Units) -> Iterator[tuple[Problem, list[UnitKey]]]:
        for index, account in enumerate(self.accounts):
            for layer in account.layers:
                if account.optional or layer.entries:
                    continue
                gone = [key for key in units if key[0] == index and any(c.entry is None for c in units[key])]
                origin = Origin(account.name, layer.name)
                yield Problem("", "some content (the source is not optional)", "nothing", origin), gone

    def _jumps(self, units: Units, undo: _Undo) -> Iterator[tuple[Problem, list[UnitKey]]]:
        """What the sources' guards do not let through."""
        if self.part is None:
            return
        for index, account in enumerate(self.accounts):
            before, origin = undo.sizes[index], Origin(account.name, account.name)
            if account.size > before and (expected := account.guard.too_large(before, account.size)):
                mine = [key for key in units if key[0] == index]
                yield Problem("", expected, f"{account.size} bytes", origin), mine
            if account.guard.removal is not None:
                gone = [key for key in units if key[0] == index for change in units[key] if change.entry is None]
                put = len(undo.before[index]) - len(gone)
                in_force = len(account.accepted) - put + sum(e is not None for e in undo.before[index].values())
                if expected := account.guard.too_much_gone(in_force, len(gone)):
                    yield Problem("", expected, f"{len(gone)}", origin), gone

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

    def _commit(self, units: Units, trial: _Trial, held: Mapping[UnitKey, list[Problem]]) -> None:
        self.part = trial.part
        for (index, _), changes in units.items():
            account = self.accounts[index]
            account.accepted_at += len(changes)
            for change in changes:
                del account.pending[change.entry_id]
        for account in self.accounts:
            if not account.pending:
                account.pending = {}  # iterating over a dict that once was large costs what it once held
        self._refused = {key: self._refused.get(key) or Moment.now() for key in held}
        self.held = {key: self._held(key, problems) for key, problems in held.items()}

    def _held(self, key: UnitKey, problems: Sequence[Problem]) -> Held:
        return Held(unit_name(key[1]), tuple(dict.fromkeys(problems)), self._refused[key].wall)

    def held_of(self, account: Account) -> tuple[Held, ...]:
        """The units of one source that wait, oldest first."""
        index = self.accounts.index(account)
        found = [(self._refused[key], held) for key, held in self.held.items() if key[0] == index]
        found.sort(key=lambda pair: pair[0].monotonic)
        return tuple(msgspec.structs.replace(held, age=refused.age) for refused, held in found)

    def held_at(self, account: Account, revision: int) -> Held | None:
        """The unit that brought a revision, if it waits."""
        index = self.accounts.index(account)
        for change in account.pending.values():
            at = change.entry.revision if change.entry is not None else change.unit
            if revision in (at, change.unit) and (found := self.held.get((index, change.unit))) is not None:
                return found
        return None


def _touches(path: Path, old: Entry | None, new: Entry | None) -> bool:
    """Whether going from one entry to the other changes a value at, above or under a path.

    Looks only along the path: a document may be large, and a rejection must not cost its size.
    """
    if old is not None and new is not None and old.path == new.path:
        return _differs(path, old.path, old.value, new.value)
    return any(_differs(path, e.path, ABSENT, e.value) for e in (old, new) if e is not None)


def _differs(path: Path, mount: Path, old: Any, new: Any) -> bool:
    if path[: len(mount)] != mount:
        return mount[: len(path)] == path
    for name in path[len(mount) :]:
        if not all(tree is ABSENT or type(tree) is dict for tree in (old, new)):
            break
        old, new = (ABSENT if tree is ABSENT else tree.get(name, ABSENT) for tree in (old, new))
    return not same(old, new)
