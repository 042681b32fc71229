"""What is accepted and what is held, without a loop or a task.

Each source has a current state (what it last said) and an accepted one (what is in force); the
difference is pending. What of it may be put in force is for the rejection rule (`rejection.py`) to say. A held unit
keeps its last accepted values until it fits or is overwritten.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from reactive_config._core.acceptance.rejection import Rejection
from reactive_config._core.acceptance.source_records import GONE, SourceRecord
from reactive_config._core.acceptance.trial import Trial, UnitKey
from reactive_config._core.acceptance.verdicts import (
    TOLD,
    explain,
    is_readable,
    malformed,
    meant_by,
    origin,
    problem,
    remark,
    ways_to_give,
)
from reactive_config._core.decoding.decode import changed_paths
from reactive_config._core.decoding.fault import NO_VALUE, Fault
from reactive_config._core.decoding.plans import DecodedPart, DecodePlan
from reactive_config._core.delta import Entry
from reactive_config._core.layers import Stack
from reactive_config._core.paths import Path, format_path
from reactive_config._core.status import HeldUnit
from reactive_config.errors import Origin, Problem


class FreedUnit(NamedTuple):
    """A unit that was held and is not any more.

    Attributes:
        source: Its source's name.
        unit: What a person calls it.
        why: What has become of it.
        age: Seconds for which it was held.
    """

    source: str
    unit: str
    why: str
    age: float


class Acceptance:
    """Every source's record, the effective tree, and the decoded part in force.

    Attributes:
        plan: Of the configuration's type.
        records: Lowest first.
        freed: What was held when last asked and is not any more; a live view, for `take_freed`.
        missing: The required fields that the last `start` missed and that its problems may explain; dotted paths.
    """

    def __init__(self, plan: DecodePlan, records: Sequence[SourceRecord]) -> None:
        self.plan = plan
        self.records: list[SourceRecord] = list(records)
        self.missing: list[str] = []
        self._rule = Rejection(plan, self.records)
        self.freed: Mapping[UnitKey, object] = self._rule.holding.freed

    @property
    def stack(self) -> Stack:
        """The accepted layers of all sources."""
        return self._rule.stack

    @property
    def part(self) -> DecodedPart | None:
        """The decoded configuration; None before the first acceptance."""
        return self._rule.part

    @property
    def held(self) -> Mapping[UnitKey, HeldUnit]:
        """The units that wait because they do not fit, with why; a live view."""
        return self._rule.holding.held

    @property
    def unsettled(self) -> bool:
        """Whether the last attempt left something for the next one."""
        return self._rule.unsettled

    # -- accepting -----------------------------------------------------------------------------

    def start(self) -> list[Problem]:
        """Accept everything or nothing, for the first time.

        Returns:
            What is wrong, causes first; empty once all is accepted. Fields that may be missing because of it are in
            `missing`.
        """
        rule = self._rule
        rule.begin()
        units = [(i, unit) for i, record in enumerate(self.records) for unit in record.units]
        unreadable = {
            key: malformed(self.records[key[0]], rule.changes_of(key))
            for key in units
            if not is_readable(rule.changes_of(key))
        }
        trial = rule.applied(key for key in units if key not in unreadable)
        fits = rule.fits(trial)
        if fits and not unreadable:
            rule.accept(trial)
            for record in self.records:
                record.touched = {}
                record.accepted_revision = record.revision or 0
            return []
        empty = [] if fits else self._empty(trial, unreadable)
        causes = [problem for verdict in unreadable.values() for problem in verdict.problems] + empty
        missing, others = self._sorted(trial.faults, explained=bool(causes))
        self.missing = [(format_path(fault.path) + fault.inside).lstrip(".") for fault in missing]
        found = [*causes, *(self._worded(fault, hint=number < TOLD) for number, fault in enumerate(others))]
        trial.undo()
        return found

    def _empty(self, trial: Trial, unreadable: Collection[UnitKey]) -> list[Problem]:
        """What is wrong with layers that are empty, but not because their content could not be read."""
        said = {
            (index, change.entry.layer)
            for index, unit in unreadable
            for change in self.records[index].units[unit].values()
            if change.entry is not None
        }
        return [jump.problem for jump in self._rule.jumps.found(trial) if (jump.rule[0], jump.rule[2]) not in said]

    def _sorted(self, faults: Sequence[Fault], *, explained: bool) -> tuple[list[Fault], list[Fault]]:
        """The fields that are missing because of something else, and all other faults, those first that are no lack.

        Args:
            faults: All.
            explained: Whether whole documents are missing, in which the fields may stand.
        """
        lacks = [fault for fault in faults if fault.got == NO_VALUE]
        others = [fault for fault in faults if fault.got != NO_VALUE]
        if explained:
            return lacks, others
        misspelt = meant_by(others[:TOLD], self.plan.kind)
        missing = [fault for fault in lacks if fault.path in misspelt and not fault.inside]
        return missing, [*others, *(fault for fault in lacks if fault.path not in misspelt or fault.inside)]

    def _worded(self, fault: Fault, *, hint: bool) -> Problem:
        if fault.got == NO_VALUE:
            # The table around it tells where it may be written. At the top there is none, and any document would do.
            place = self.origin(fault.path, locate=self._rule.budget.locates()) if len(fault.path) > 1 else None
            return problem(fault, self.plan.kind, place, ways_to_give(self.records, fault, self.plan.kind))
        place = self.origin(fault.place, locate=self._rule.budget.locates())
        return problem(fault, self.plan.kind, place, remark(self.records, fault, self.plan.kind), hint=hint)

    def attempt(self) -> list[Path]:
        """Try what arrived, and what may fit because of it; hold what does not fit.

        Returns:
            The paths whose decoded values changed; empty if nothing did.
        """
        rule, before = self._rule, self._rule.part
        rule.begin()
        if fresh := self._take():
            rule.attempt(fresh, arrive=True)
        rule.go_on()
        if rule.part is None or rule.part is before:
            return []
        return changed_paths(before, rule.part, rule.changes)

    def _take(self) -> list[UnitKey]:
        """The units that came; those that only lost something are queued, those that lost all are forgotten."""
        fresh: list[UnitKey] = []
        rest: list[UnitKey] = []
        for index, record in enumerate(self.records):
            if not record.touched:
                continue
            touched, record.touched = record.touched, {}
            for unit, came in touched.items():
                changes = record.units.get(unit)
                if changes is None:
                    self._rule.leave((index, unit))
                elif not is_readable(changes):
                    self._rule.hold((index, unit), malformed(record, changes))
                elif came:
                    fresh.append((index, unit))
                else:
                    self._rule.linked.lost((index, unit))
                    rest.append((index, unit))
        queue = self._rule.queue
        queue.push(rest)
        if queue.groups:
            for key in fresh:  # where one stood in the queue, it is passed over
                queue.discard(key)
        return fresh

    # -- reading -------------------------------------------------------------------------------

    def origin(self, path: Path, *, locate: bool = True) -> Origin | None:
        """Where the value at a path stands; where none does, the document that holds the table around it.

        Args:
            path: Of the configuration.
            locate: Whether to find line and column too.
        """
        return origin(self.records, path, locate=locate)

    def explain(self, path: Path) -> list[tuple[Origin, Path, Entry]]:
        """Every entry that says something at a path, the strongest first, with the path inside it."""
        return explain(self.records, path)

    def take_news(self) -> Sequence[tuple[str, HeldUnit]]:
        """Source and unit, for what is held and was not when last asked, or for another reason."""
        return [(self.records[key[0]].name, held) for key, held in self._rule.holding.take_news()]

    def take_freed(self) -> Sequence[FreedUnit]:
        """What was held when last asked and is not any more."""
        freed = self._rule.holding.freed
        told = [
            FreedUnit(record.name, held.unit, "in force now" if accepted else record.overwritten, since.age)
            for record, (held, accepted, since) in ((self.records[key[0]], found) for key, found in freed.items())
        ]
        freed.clear()
        return told

    def holds_any_of(self, record: SourceRecord) -> bool:
        """Whether units of a source wait because they do not fit."""
        return self._rule.holding.any_of(self.records.index(record))

    def held_of(self, record: SourceRecord) -> tuple[HeldUnit, ...]:
        """The units of one source that wait, oldest first."""
        return self._rule.holding.told(self.records.index(record))

    def held_at(self, record: SourceRecord, revision: int) -> HeldUnit | None:
        """The unit that brought a revision, if it waits; otherwise what a relist found gone, if that may be of it."""
        index, holding = self.records.index(record), self._rule.holding
        found = holding.at(index, revision)
        if found is None and record.may_have_deleted(revision):
            return holding.held.get((index, GONE))
        return found

    def undecided(self, record: SourceRecord, revision: int) -> bool:
        """Whether the unit that brought a revision is still to be judged, as there was no time for it yet."""
        index = self.records.index(record)
        if self._rule.is_undecided((index, revision)):
            return True
        if record.may_have_deleted(revision) and self._rule.is_undecided((index, GONE)):
            return True
        return any(
            change.entry is not None and change.entry.revision == revision
            for key in self._rule.queue.undecided
            if key[0] == index
            for change in self._rule.changes_of(key).values()
        )
