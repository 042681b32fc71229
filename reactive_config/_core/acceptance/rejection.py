"""The rejection rule: which units are put in force together, and who is held if they do not fit.

What comes is tried together. If that fails, the units responsible are held and the rest is tried again; if nobody
stands out, halves are tried, in order of arrival, until the unit is found that turns the verdict. A held unit is tried
again only if something changes that may let it fit: by itself, and then together with all held units that touch what
it touches. So once the whole of what the sources say fits, nothing is held.

One attempt does a bounded number of decodes. What is left waits in a queue for the next attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reactive_config._core.acceptance.blame import Blame, blame
from reactive_config._core.acceptance.groups import AttemptBudget, AttemptQueue, Groups, LinkedUnits
from reactive_config._core.acceptance.holding import Holding
from reactive_config._core.acceptance.jumps import EMPTY, Jump, Jumps
from reactive_config._core.acceptance.source_records import GONE, PendingChange, SourceRecord
from reactive_config._core.acceptance.trial import Trial, UnitKey
from reactive_config._core.acceptance.verdicts import Judge, Verdict
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.decoding.plans import DecodedPart, DecodePlan
from reactive_config._core.layers import Stack
from reactive_config._core.paths import Path
from reactive_config._core.trees import Changes, add, union

_TOGETHER = 64
"""How many held units at most are tried together with what has just arrived."""
_PARTNERS = 8
"""How many held units at most are tried, one by one, with a unit that does not fit alone."""
_AGAIN = 64
"""How many entries of held units are tried at once because something changed; a larger unit is tried alone."""


class Rejection:
    """The state that the rule works on: what is in force, what is held, what is still to be tried.

    Attributes:
        records: Lowest first.
        stack: The accepted layers of all of them.
        part: The decoded configuration; None before the first acceptance.
        changes: Where the effective tree differs from the one at the beginning of the attempt.
        holding: The units that do not fit.
        linked: Which of them touch the same parts.
        groups: Which of them may need one another.
        queue: The units that there was no time for yet.
        jumps: What the sources' change limits say.
        budget: What this attempt may still do.
    """

    def __init__(self, plan: DecodePlan, records: Sequence[SourceRecord]) -> None:
        self.records = list(records)
        self.stack = Stack([layer for record in records for layer in record.layers])
        self.part: DecodedPart | None = None
        self.changes: Changes = {}
        self.holding = Holding()
        self.linked = LinkedUnits(plan)
        self.groups = Groups(self.records, self.holding, self.linked)
        self.queue = AttemptQueue()
        self.jumps = Jumps(self.records)
        self.budget = AttemptBudget()
        self._plan = plan
        self._judge = Judge(self.records, plan)

    def begin(self) -> None:
        """An attempt begins."""
        self.changes = {}
        self.budget = AttemptBudget()
        self.groups.forget()
        if not self.queue.groups:
            self.jumps.begin()

    def go_on(self) -> None:
        """Try what is queued, and what may fit because of it, as far as the budget reaches."""
        while (self.queue.groups or self._due() or self.linked.recheck) and not self.budget.spent:
            if self.queue.groups:
                self.attempt(self.queue.pop())
            else:
                self._recheck(next(iter(self.linked.recheck)))
        if self.groups.large and not self.linked.recheck:
            self.groups.large.clear()

    @property
    def unsettled(self) -> bool:
        """Whether something is left for the next attempt."""
        return bool(self.queue.groups or self.linked.recheck)

    def is_undecided(self, key: UnitKey) -> bool:
        """Whether nobody has judged a unit yet, or not yet with those that it may need."""
        queue = self.queue
        return key in queue.undecided or key in self.linked.recheck or (key[1] is GONE and key in queue)

    def _due(self) -> bool:
        """Queue the units that went too far and may fit now, as a change of their own; whether there are any."""
        due = self.jumps.due()
        if not due:
            return False
        self.jumps.begin()
        self.queue.push(due)
        return True

    def attempt(self, units: list[UnitKey], *, arrive: bool = False) -> None:
        """Accept units if they fit together; otherwise find out why they do not.

        Args:
            units: In order of arrival, except where they arrive just now.
            arrive: Whether they do.
        """
        if GONE in [unit for _, unit in units]:
            units = [key for key in units if key[1] is not GONE or not self._waits_for_others(key, units)]
            if not units:
                return
        trial = self.applied(units)
        if arrive and self.holding.held and (related := self._related(trial, _TOGETHER)):
            trial.apply(related)  # two that need each other fit together only
            if self.fits(trial):
                self.accept(trial)
                return
            trial.undo()
            if self.budget.spent:
                self._later(units)
                return
            trial = self.applied(units)
        if self.fits(trial):
            self.accept(trial)
            return
        if arrive:
            units.sort(key=self._arrival)
            trial.sort(units)
            self.queue.undecided.update(dict.fromkeys(units))
        if len(units) == 1:
            self._refuse(units[0], trial)
        else:
            self._part(trial)

    def _later(self, units: list[UnitKey]) -> None:
        """There is no time left for units that have just come: the next attempt begins with them."""
        units.sort(key=self._arrival)
        self.queue.undecided.update(dict.fromkeys(units))
        self.queue.push(units)

    def applied(self, units: Iterable[UnitKey]) -> Trial:
        """A trial of units, not decoded yet."""
        trial = Trial(self.stack, self.records)
        trial.apply(units)
        return trial

    def fits(self, trial: Trial) -> bool:
        """Decode a trial."""
        self.budget.decodes -= 1
        trial.decode(self._plan, self.part)
        return trial.part is not None and not self.jumps.any_in(trial)

    def _related(self, trial: Trial, limit: int) -> list[UnitKey]:
        """Held units that what is applied may let fit; none if there are too many of them."""
        found = self.holding.concerned(trial.touched, limit)
        return [key for key in found if key not in trial.units and key[1] is not GONE]

    def accept(self, trial: Trial) -> None:
        """Put a trial that fits in force."""
        self.part = trial.part
        self.changes = union(self.changes, trial.changes)
        self.jumps.accepted(trial)
        for index, unit in trial.units:
            self.records[index].note_accepted(unit)
        if self.queue.groups or self.holding.held:
            for key in trial.units:
                self.leave(key, accepted=True)
            # What was refused before may fit now; what came with the delta is tried first.
            touched = trial.touched
            if concerned := self.holding.concerned(touched):
                for group in self._portions(concerned):
                    self.queue.push(group, last=True)
            self.linked.changed(touched)

    def _portions(self, units: Iterable[UnitKey]) -> Iterator[list[UnitKey]]:
        """Held units in groups of which each takes a small part of a turn."""
        group: list[UnitKey] = []
        entries = 0
        for key in units:
            entries += len(self.changes_of(key))
            if group and entries > _AGAIN:
                yield group
                group, entries = [], len(self.changes_of(key))
            group.append(key)
        if group:
            yield group

    def _refuse(self, key: UnitKey, trial: Trial) -> None:
        """A unit does not fit. If it has just come, a held one may be what it needs."""
        jumps = self.jumps.found(trial)
        verdict = self._verdict(key, trial, trial.faults, jumps)
        partners = self._related(trial, len(self.holding.held))[-_PARTNERS:] if key in self.queue.undecided else []
        trial.undo()
        for partner in partners:
            if self.budget.spent:
                break
            pair = self.applied([key, partner])
            if self.fits(pair):
                self.accept(pair)
                return
            pair.undo()
        self.hold(key, verdict, jumps)

    def _part(self, trial: Trial) -> None:
        """Units do not fit together: hold those responsible, or find them in halves."""
        units = list(trial.units)
        found = blame(trial, self._plan) if trial.faults else Blame({}, [], [])
        far: dict[UnitKey, list[Jump]] = {}
        for jump in self.jumps.found(trial):
            far.setdefault(jump.unit or units[-1], []).append(jump)
        verdicts: dict[UnitKey, Verdict] = {}
        alone: list[UnitKey] = [key for key in found.likely if key not in far]
        for key in {**found.guilty, **far}:
            empties = any(jump.rule[1] == EMPTY for jump in far.get(key, ()))  # with others: alone it would fit
            if not empties and self._may_have_a_partner(key, len(found.guilty)):
                alone.append(key)
            else:
                verdicts[key] = self._verdict(key, trial, found.guilty.get(key, ()), far.get(key, ()))
        trial.undo()
        for key, verdict in verdicts.items():
            self.hold(key, verdict, far.get(key, ()))
        rest = [key for key in units if key not in verdicts and key not in alone]
        if verdicts or alone:
            groups = [rest, *([key] for key in alone)]
        else:
            suspects = found.suspects or units
            half = (len(suspects) + 1) // 2
            suspected = set(suspects)
            groups = [[key for key in units if key not in suspected], suspects[:half], suspects[half:]]
        for group in reversed(groups):
            self.queue.push(group)

    def _may_have_a_partner(self, key: UnitKey, guilty: int) -> bool:
        """Whether a unit that has just come touches what a held one waits for: then they are tried together first."""
        if guilty > _PARTNERS or key not in self.queue.undecided or not self.holding.held:
            return False
        touched: Changes = {}
        for change in self.changes_of(key).values():
            touched = add(touched, change.entry.path) if change.entry is not None else touched
        return any(other != key for other in self.holding.concerned(touched))

    def _arrival(self, key: UnitKey) -> tuple[int, bool, int]:
        """Among units that come at once: the lowest source first, and in it the lowest revision."""
        index, unit = key
        if isinstance(unit, int):
            return index, False, unit
        revisions = (change.entry.revision for change in self.changes_of(key).values() if change.entry is not None)
        return index, unit is GONE, max(revisions, default=0)

    # -- what a relist found gone ----------------------------------------------------------------

    def _waits_for_others(self, gone: UnitKey, group: Sequence[UnitKey]) -> bool:
        """What a relist found deleted may belong to any unit that it found changed, so it waits for all of them."""
        index = gone[0]
        if any(self.groups.is_relisted(key) for key in self.queue.undecided if key[0] == index and key not in group):
            self.queue.push([gone], last=True)
            return True
        others = (key for key in self.holding.of(index) if key not in group and self.groups.is_relisted(key))
        first = next(others, None)
        if first is None:
            return False
        if len(group) > 1:
            self.queue.push([gone], last=True)
        else:
            self.hold(gone, self._judge.waits(self.records[index], self.changes_of(gone), first[1]))
        return True

    # -- held units that need one another ----------------------------------------------------------

    def _recheck(self, key: UnitKey) -> None:
        """Try a held unit together with all held units that it may need."""
        found = self.groups.around(key)
        for member in found:
            self.linked.recheck.pop(member, None)
        self.linked.recheck.pop(key, None)
        if len(found) < 2:
            return
        without_gone = [member for member in found if member[1] is not GONE]
        for units in [found, without_gone] if 1 < len(without_gone) < len(found) else [found]:
            trial = self.applied(units)
            if self.fits(trial):
                self.accept(trial)
                return
            trial.undo()

    # -- verdicts ------------------------------------------------------------------------------

    def changes_of(self, key: UnitKey) -> Mapping[str, PendingChange]:
        """What a pending unit changes, by entry."""
        return self.records[key[0]].units[key[1]]

    def _paths_of(self, key: UnitKey) -> Iterator[Path]:
        """Where the entries of a pending unit stand, and those in force that it replaces or deletes."""
        record = self.records[key[0]]
        for entry_id, new, _, _ in self.changes_of(key).values():
            old = record.find(entry_id)
            if old is not None:
                yield old.path
            if new is not None and (old is None or new.path != old.path):
                yield new.path

    def _verdict(self, key: UnitKey, trial: Trial, faults: Sequence[Fault], jumps: Sequence[Jump]) -> Verdict:
        """The verdict on a unit of a trial, which is still applied."""
        record, changes = self.records[key[0]], self.changes_of(key)
        # Of what a relist found gone nothing stands there any more: the places are those of before.
        deleted = {c.entry_id: trial.before(key, c) for c in changes.values() if c.entry is None}
        stood = deleted if key[1] is GONE else {}
        verdict = self._judge.verdict(record, changes, faults, self.budget.locates, deleted, stood)
        return verdict._replace(problems=[*verdict.problems, *(jump.problem for jump in jumps)])

    def hold(self, key: UnitKey, verdict: Verdict, jumps: Iterable[Jump] = ()) -> None:
        """A unit is refused."""
        self.groups.forget()
        is_new = key not in self.holding.held
        self.queue.discard(key)
        entries = (change.entry for change in self.changes_of(key).values())
        self.holding.hold(key, verdict, {entry.revision for entry in entries if entry is not None})
        self.jumps.release(key)
        self.jumps.note(key, jumps)
        self.linked.add(key, self._paths_of(key))
        if is_new or key[1] is GONE:
            self.linked.recheck[key] = None

    def leave(self, key: UnitKey, *, accepted: bool = False) -> None:
        """A unit is accepted, or overwritten."""
        self.queue.discard(key)
        self.jumps.release(key)
        if not self.holding.release(key, accepted=accepted):
            return
        self.groups.forget()
        self.linked.lost(key)
        self.linked.remove(key)
        if (gone := (key[0], GONE)) in self.holding.held:
            self.queue.push([gone], last=True)
