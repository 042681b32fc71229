"""What is accepted and what is held: the rejection rule, without a loop or a task.

Each source has a current state (what it last said) and an accepted one (what is in force); the
difference is pending. What arrives is tried together. If that fails, the units responsible are held and the rest is
tried again; if nobody stands out, halves are tried, in order of arrival, until the unit is found that turns the
verdict. A held unit keeps its last accepted values. It is tried again only if something changes that may let it fit.

One attempt does a bounded number of decodes. What is left waits in a queue for the next attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from reactive_config.core.accounts import GONE, Account, Change
from reactive_config.core.blame import Blame, blame
from reactive_config.core.changes import Changes, add, union
from reactive_config.core.decode import changed_paths
from reactive_config.core.delta import Entry
from reactive_config.core.faults import Fault
from reactive_config.core.holding import Holding
from reactive_config.core.jumps import Jump, Jumps
from reactive_config.core.layers import Stack
from reactive_config.core.origins import explain, origin
from reactive_config.core.paths import Path
from reactive_config.core.plans import Part, Plan
from reactive_config.core.queue import Budget, Queue
from reactive_config.core.status import Held
from reactive_config.core.trial import Trial, UnitKey
from reactive_config.core.verdicts import Judge, Verdict, is_readable, malformed, problem
from reactive_config.errors import Origin, Problem

_TOGETHER = 64
"""How many held units at most are tried together with what has just arrived."""
_PARTNERS = 8
"""How many held units at most are tried, one by one, with a unit that does not fit alone."""


class Acceptance:
    """Every source's account, the effective tree, and the decoded part in force.

    Attributes:
        accounts: Lowest first.
        stack: The accepted layers of all of them.
        part: The decoded configuration; None before the first acceptance.
    """

    def __init__(self, plan: Plan, accounts: Sequence[Account]) -> None:
        self.plan = plan
        self.accounts = list(accounts)
        self.stack = Stack([layer for account in accounts for layer in account.layers])
        self.part: Part | None = None
        self._holding = Holding()
        self._jumps = Jumps(self.accounts)
        self._judge = Judge(self.accounts, plan)
        self._changes: Changes = {}  # what this attempt has put in force
        self._budget = Budget()
        self._queue = Queue()

    @property
    def held(self) -> Mapping[UnitKey, Held]:
        """The units that wait because they do not fit, with why; a live view."""
        return self._holding.held

    @property
    def unsettled(self) -> bool:
        """Whether the last attempt left something for the next one."""
        return bool(self._queue.groups)

    # -- trying --------------------------------------------------------------------------------

    def start(self) -> list[Problem]:
        """Accept everything or nothing, for the first time.

        Returns:
            What is wrong; empty once all is accepted.
        """
        self._budget = Budget()
        units = [(i, unit) for i, account in enumerate(self.accounts) for unit in account.units]
        unreadable = {
            key: malformed(self.accounts[key[0]], self._changes_of(key))
            for key in units
            if not is_readable(self._changes_of(key))
        }
        trial = self._applied(key for key in units if key not in unreadable)
        fits = self._fits(trial)
        if fits and not unreadable:
            self._accept(trial)
            for account in self.accounts:
                account.touched = {}
            return []
        # What is missing may stand in what could not be read.
        faults = [fault for fault in trial.faults if not unreadable or fault.got != "nothing"]
        found = [
            *chain.from_iterable(verdict.problems for verdict in unreadable.values()),
            *(problem(fault, self.origin(fault.path, locate=self._budget.locates())) for fault in faults),
            *(jump.problem for jump in self._jumps.found(trial)),
        ]
        trial.undo()
        return found

    def attempt(self) -> list[Path]:
        """Try what arrived, and what may fit because of it; hold what does not fit.

        Returns:
            The paths whose decoded values changed; empty if nothing did.
        """
        before, self._changes = self.part, {}
        self._budget = Budget()
        if not self._queue.groups:
            self._jumps.begin()
        if fresh := self._take():
            self._try(fresh, arrive=True)
        while (self._queue.groups or self._due()) and not self._budget.spent:
            self._try(self._queue.pop())
        if self.part is None or self.part is before:
            return []
        return changed_paths(before, self.part, self._changes)

    def _take(self) -> list[UnitKey]:
        """The units that came; those that only lost something are queued, those that lost all are forgotten."""
        fresh: list[UnitKey] = []
        rest: list[UnitKey] = []
        for index, account in enumerate(self.accounts):
            if not account.touched:
                continue
            touched, account.touched = account.touched, {}
            for unit, came in touched.items():
                changes = account.units.get(unit)
                if changes is None:
                    self._leave((index, unit))
                elif not is_readable(changes):
                    self._hold((index, unit), malformed(account, changes))
                elif came:
                    fresh.append((index, unit))
                else:
                    rest.append((index, unit))
        self._queue.push(rest)
        return fresh

    def _due(self) -> bool:
        """Queue the units that went too far and may fit now, as a change of their own; whether there are any."""
        due = self._jumps.due()
        if not due:
            return False
        self._jumps.begin()
        self._queue.push(due)
        return True

    def _arrival(self, key: UnitKey) -> tuple[int, bool, int]:
        """Among units that come at once: the lowest source first, and in it the lowest revision."""
        index, unit = key
        if isinstance(unit, int):
            return index, False, unit
        revisions = (change.entry.revision for change in self._changes_of(key).values() if change.entry is not None)
        return index, unit is GONE, max(revisions, default=0)

    # -- trying --------------------------------------------------------------------------------

    def _try(self, units: list[UnitKey], *, arrive: bool = False) -> None:
        """Accept units if they fit together; otherwise find out why they do not.

        Args:
            units: In order of arrival, except where they arrive just now.
            arrive: Whether they do.
        """
        if GONE in [unit for _, unit in units]:
            units = [key for key in units if key[1] is not GONE or not self._waits_for_others(key, units)]
            if not units:
                return
        trial = self._applied(units)
        if arrive and self.held and (related := self._related(trial, _TOGETHER)):
            trial.apply(related)  # two that need each other fit together only
            if self._fits(trial):
                self._accept(trial)
                return
            trial.undo()
            trial = self._applied(units)
        if self._fits(trial):
            self._accept(trial)
            return
        if arrive:
            units.sort(key=self._arrival)
            trial.sort(units)
            self._queue.undecided.update(dict.fromkeys(units))
        if len(units) == 1:
            self._refuse(units[0], trial)
        else:
            self._part(trial)

    def _applied(self, units: Iterable[UnitKey]) -> Trial:
        trial = Trial(self.stack, self.accounts)
        trial.apply(units)
        return trial

    def _fits(self, trial: Trial) -> bool:
        self._budget.decodes -= 1
        trial.decode(self.plan, self.part)
        return trial.part is not None and not self._jumps.any_in(trial)

    def _related(self, trial: Trial, limit: int) -> list[UnitKey]:
        """Held units that what is applied may let fit; none if there are too many of them."""
        found = self._holding.concerned(trial.touched)
        related = [key for key in found if key not in trial.units and key[1] is not GONE]
        return related if len(related) <= limit else []

    def _accept(self, trial: Trial) -> None:
        self.part = trial.part
        self._changes = union(self._changes, trial.changes)
        self._jumps.accepted(trial)
        for index, unit in trial.units:
            self.accounts[index].settle(unit)
        if self._queue.groups or self._holding.held:
            for key in trial.units:
                self._leave(key)
            # What was refused before may fit now; what came with the delta is tried first.
            self._queue.push(self._holding.concerned(trial.touched), last=True)

    def _refuse(self, key: UnitKey, trial: Trial) -> None:
        """A unit does not fit. If it has just come, a held one may be what it needs."""
        jumps = self._jumps.found(trial)
        verdict = self._verdict(key, trial.faults, jumps)
        partners = self._related(trial, len(self.held))[-_PARTNERS:] if key in self._queue.undecided else []
        trial.undo()
        for partner in partners:
            if self._budget.spent:
                break
            pair = self._applied([key, partner])
            if self._fits(pair):
                self._accept(pair)
                return
            pair.undo()
        self._hold(key, verdict, jumps)

    def _part(self, trial: Trial) -> None:
        """Units do not fit together: hold those responsible, or find them in halves."""
        units = list(trial.units)
        found = blame(trial, self.plan) if trial.faults else Blame({}, [])
        far: dict[UnitKey, list[Jump]] = {}
        for jump in self._jumps.found(trial):
            far.setdefault(jump.unit or units[-1], []).append(jump)
        verdicts: dict[UnitKey, Verdict] = {}
        alone: list[UnitKey] = []
        for key in {**found.guilty, **far}:
            if self._may_have_a_partner(key, len(found.guilty)):
                alone.append(key)
            else:
                verdicts[key] = self._verdict(key, found.guilty.get(key, ()), far.get(key, ()))
        trial.undo()
        for key, verdict in verdicts.items():
            self._hold(key, verdict, far.get(key, ()))
        rest = [key for key in units if key not in verdicts and key not in alone]
        if verdicts or alone:
            groups = [rest, *([key] for key in alone)]
        else:
            suspects = found.suspects or units
            half = (len(suspects) + 1) // 2
            suspected = set(suspects)
            groups = [[key for key in units if key not in suspected], suspects[:half], suspects[half:]]
        for group in reversed(groups):
            self._queue.push(group)

    def _may_have_a_partner(self, key: UnitKey, guilty: int) -> bool:
        """Whether a unit that has just come touches what a held one waits for: then they are tried together first."""
        if guilty > _PARTNERS or key not in self._queue.undecided or not self._holding.held:
            return False
        touched: Changes = {}
        for change in self._changes_of(key).values():
            touched = add(touched, change.entry.path) if change.entry is not None else touched
        return any(other != key for other in self._holding.concerned(touched))

    # -- what a relist found gone ----------------------------------------------------------------

    def _waits_for_others(self, gone: UnitKey, group: Sequence[UnitKey]) -> bool:
        """What a relist found deleted may belong to any unit that it found changed, so it waits for all of them."""
        index = gone[0]
        if any(self._relisted(key) for key in self._queue.undecided if key[0] == index and key not in group):
            self._queue.push([gone], last=True)
            return True
        others = (key for key in self._holding.of(index) if key not in group and self._relisted(key))
        first = next(others, None)
        if first is None:
            return False
        if len(group) > 1:
            self._queue.push([gone], last=True)
        elif not self._fits_with([first, *others], gone):
            held = self._holding.held[first]
            self._hold(gone, Verdict(held.problems, held.more, held.stopped))
        return True

    def _relisted(self, key: UnitKey) -> bool:
        return key[1] is not GONE and any(change.relist for change in self._changes_of(key).values())

    def _fits_with(self, others: Sequence[UnitKey], gone: UnitKey) -> bool:
        """Whether deletions fit together with all units that they may belong to; if so, they are accepted."""
        touched: Changes = {}
        for change in self._changes_of(gone).values():
            if (entry := self.accounts[gone[0]].find(change.entry_id)) is not None:
                touched = add(touched, entry.path)
        if not set(others) <= set(self._holding.concerned(touched)):
            return False
        trial = self._applied([*others, gone])
        if self._fits(trial):
            self._accept(trial)
            return True
        trial.undo()
        return False

    # -- verdicts ------------------------------------------------------------------------------

    def _changes_of(self, key: UnitKey) -> Mapping[str, Change]:
        return self.accounts[key[0]].units[key[1]]

    def _verdict(self, key: UnitKey, faults: Sequence[Fault], jumps: Sequence[Jump]) -> Verdict:
        verdict = self._judge.verdict(self.accounts[key[0]], self._changes_of(key), faults, self._budget.locates)
        return verdict._replace(problems=[*verdict.problems, *(jump.problem for jump in jumps)])

    def _hold(self, key: UnitKey, verdict: Verdict, jumps: Iterable[Jump] = ()) -> None:
        self._queue.discard(key)
        entries = (change.entry for change in self._changes_of(key).values())
        self._holding.hold(key, verdict, {entry.revision for entry in entries if entry is not None})
        self._jumps.release(key)
        self._jumps.hold(key, jumps)

    def _leave(self, key: UnitKey) -> None:
        """A unit is accepted, or overwritten."""
        self._queue.discard(key)
        self._jumps.release(key)
        if self._holding.release(key) and (gone := (key[0], GONE)) in self._holding.held:
            self._queue.push([gone], last=True)

    # -- reading -------------------------------------------------------------------------------

    def origin(self, path: Path, *, locate: bool = True) -> Origin | None:
        """Where the value at a path stands; where none does, the document that holds the table around it.

        Args:
            path: Of the configuration.
            locate: Whether to find line and column too.
        """
        return origin(self.accounts, path, locate=locate)

    def explain(self, path: Path) -> list[tuple[Origin, Path, Entry]]:
        """Every entry that says something at a path, the strongest first, with the path inside it."""
        return explain(self.accounts, path)

    def take_news(self) -> Sequence[tuple[str, Held]]:
        """Source and unit, for what is held and was not when last asked, or for another reason."""
        return [(self.accounts[key[0]].name, held) for key, held in self._holding.take_news()]

    def holds_any_of(self, account: Account) -> bool:
        """Whether units of a source wait because they do not fit."""
        return self._holding.any_of(self.accounts.index(account))

    def held_of(self, account: Account) -> tuple[Held, ...]:
        """The units of one source that wait, oldest first."""
        return self._holding.told(self.accounts.index(account))

    def held_at(self, account: Account, revision: int) -> Held | None:
        """The unit that brought a revision, if it waits."""
        return self._holding.at(self.accounts.index(account), revision)

    def undecided(self, account: Account, revision: int) -> bool:
        """Whether the unit that brought a revision is still to be judged, as there was no time for it yet."""
        index = self.accounts.index(account)
        return (index, revision) in self._queue.undecided or any(
            change.entry is not None and change.entry.revision == revision
            for key in self._queue.undecided
            if key[0] == index
            for change in self._changes_of(key).values()
        )
