"""What is accepted and what is held, without a loop or a task.

Each source has a current state (what it last said) and an accepted one (what is in force); the
difference is pending. What of it may be put in force is for the rejection rule (`rejection.py`) to say. A held unit
keeps its last accepted values until it fits or is overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from reactive_config._core.acceptance.rejection import Rejection
from reactive_config._core.acceptance.source_records import GONE, SourceRecord
from reactive_config._core.acceptance.trial import UnitKey
from reactive_config._core.acceptance.verdicts import explain, is_readable, malformed, origin, problem, remark
from reactive_config._core.decoding.decode import changed_paths
from reactive_config._core.decoding.plans import DecodedPart, DecodePlan
from reactive_config._core.delta import Entry
from reactive_config._core.layers import Stack
from reactive_config._core.paths import Path
from reactive_config._core.status import HeldUnit
from reactive_config.errors import Origin, Problem


class Acceptance:
    """Every source's record, the effective tree, and the decoded part in force.

    Attributes:
        plan: Of the configuration's type.
        records: Lowest first.
        freed: What was held when last asked and is not any more; a live view, for `take_freed`.
    """

    def __init__(self, plan: DecodePlan, records: Sequence[SourceRecord]) -> None:
        self.plan = plan
        self.records: list[SourceRecord] = list(records)
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
            What is wrong; empty once all is accepted.
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
        # What is missing may stand in what could not be read.
        faults = [fault for fault in trial.faults if not unreadable or fault.got != "nothing"]
        found = [
            *chain.from_iterable(verdict.problems for verdict in unreadable.values()),
            *(
                problem(
                    fault,
                    self.plan.kind,
                    self.origin(fault.path, locate=rule.budget.locates()),
                    remark(self.records, fault, self.plan.kind),
                )
                for fault in faults
            ),
            *(jump.problem for jump in rule.jumps.found(trial) if not unreadable),
        ]
        trial.undo()
        return found

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

    def take_freed(self) -> Mapping[tuple[str, str], bool]:
        """Source and unit, for what was held when last asked and is not any more; whether it is in force now."""
        freed = self._rule.holding.freed
        told = {(self.records[key[0]].name, held.unit): accepted for key, (held, accepted) in freed.items()}
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
