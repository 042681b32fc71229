"""Changes that go too far for their source: it grows too much, loses too much, or all of a layer.

No path can be named for these, so they have a rule of their own: units are counted in order of arrival, and the
one that goes too far is responsible. All that empty a layer together are: a directory that vanishes must not leave one
of its files behind. What one delta may do is counted from where its first attempt began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reactive_config._core.acceptance.source_records import PendingChange, SourceRecord
from reactive_config._core.acceptance.trial import Trial, UnitKey
from reactive_config._core.delta import Entry
from reactive_config._core.layers import Layer
from reactive_config.errors import Origin, Problem

SIZE, REMOVAL, EMPTY = "size", "removal", "empty"

CONTENT = "some content, if only {}, or optional=True for the source"
"""What an empty layer lacks, with what a person may do about it."""


class Jump(NamedTuple):
    """Why a unit goes too far.

    Attributes:
        unit: The unit; None if it was so from the start.
        problem: As people read it.
        rule: Which rule it breaks: the source, what is counted, and the layer's index or 0.
        amount: By how much the unit changes what is counted: bytes that it adds, entries that it removes.
    """

    unit: UnitKey | None
    problem: Problem
    rule: tuple[int, str, int]
    amount: int


class Jumps:
    """The rules for all sources, and the units that wait because of them.

    Such a unit is tried again once the one that changes least would fit; those that empty a layer once something else
    stands in it. So they cost nothing meanwhile, however many wait.
    """

    def __init__(self, records: Sequence[SourceRecord]) -> None:
        self._accounts = records
        self._needed = [
            (record, number, layer)
            for record in records
            for number, layer in enumerate(record.layers)
            if number not in record.optional_layers
        ]
        self._counted = [index for index, record in enumerate(records) if record.change_limits.removal is not None]
        self._sizes = [0] * len(records)
        self._entries = [0] * len(records)
        self._removed = [0] * len(records)
        self._waiting: dict[tuple[int, str, int], dict[UnitKey, int]] = {}
        self._least: dict[tuple[int, str, int], int] = {}  # of all together where a layer would be empty
        self._rules: dict[UnitKey, list[tuple[int, str, int]]] = {}
        self._started = False
        self._empty_in_force: set[Layer] = set()

    def begin(self) -> None:
        """What is accepted from now on counts as one change."""
        self._sizes = [record.size for record in self._accounts]
        for index in self._counted:
            self._entries[index], self._removed[index] = _entries(self._accounts[index]), 0

    def accepted(self, trial: Trial) -> None:
        """A trial is in force now."""
        self._started = True
        self._empty_in_force = {layer for _, _, layer in self._needed if not layer.entries}
        for index in self._counted:
            self._removed[index] += sum(map(_removes, _changes(trial, index)))

    def any_in(self, trial: Trial) -> bool:
        """Whether a trial, which is applied, goes too far."""
        for record, number, layer in self._needed:
            if not layer.entries and not self._may_be_empty(record, number):
                return True
        if not self._started:
            return False
        for index, record in enumerate(self._accounts):
            if record.size > self._sizes[index] and record.change_limits.too_large(self._sizes[index], record.size):
                return True
        if not self._counted:
            return False
        return any(next(self._too_much_gone(trial, index), None) is not None for index in self._counted)

    def _may_be_empty(self, record: SourceRecord, number: int) -> bool:
        """Whether a layer was emptied on purpose, or is empty in force: then it is not this trial that loses it."""
        return self._started and (number in record.emptied or record.layers[number] in self._empty_in_force)

    def found(self, trial: Trial) -> list[Jump]:
        """The units of a trial that go too far; at most one problem of each kind for each of them."""
        found: list[Jump] = []
        for index, record in enumerate(self._accounts):
            found += self._empty(trial, index, record)
            if self._started:
                found += self._too_large(trial, index, record)
                if index in self._counted:
                    found += self._too_much_gone(trial, index)
        return found

    def note(self, key: UnitKey, jumps: Iterable[Jump]) -> None:
        """A unit waits because of these."""
        for _, _, rule, amount in jumps:
            self._waiting.setdefault(rule, {})[key] = amount
            self._rules.setdefault(key, []).append(rule)
            if rule[1] == EMPTY:
                self._least[rule] = self._least.get(rule, 0) + amount
            else:
                self._least[rule] = min(self._least.get(rule, amount), amount)

    def release(self, key: UnitKey) -> None:
        """A unit does not wait any more."""
        for rule in self._rules.pop(key, ()):
            waiting = self._waiting[rule]
            amount = waiting.pop(key)
            if not waiting:
                del self._waiting[rule], self._least[rule]
            elif rule[1] == EMPTY:
                self._least[rule] -= amount
            elif amount == self._least[rule]:
                self._least[rule] = min(waiting.values())

    def due(self) -> list[UnitKey]:
        """Units that wait and may fit now."""
        if not self._waiting:
            return []
        found = [waiting for rule, waiting in self._waiting.items() if self._may_fit(rule, self._least[rule])]
        return [key for waiting in found for key in waiting]

    def _may_fit(self, rule: tuple[int, str, int], least: int) -> bool:
        index, what, layer = rule
        record = self._accounts[index]
        if what == SIZE:
            return not record.change_limits.too_large(record.size, record.size + least)
        if what == REMOVAL:
            return not record.change_limits.too_much_gone(_entries(record), least)
        return layer in record.emptied or len(record.layers[layer].entries) > least

    def _empty(self, trial: Trial, index: int, record: SourceRecord) -> Iterator[Jump]:
        for number, layer in enumerate(record.layers):
            if layer.entries or number in record.optional_layers or self._may_be_empty(record, number):
                continue
            gone = {
                key: amount
                for key, changes in trial.of(index)
                if (amount := sum(_leaves(trial.before(key, change), change, number) for change in changes))
            }
            absent = None if self._started else record.absent.get(number)
            expected, got = (CONTENT, "nothing") if absent is None else (absent.expected, absent.got)
            problem = Problem("", expected, got, Origin(record.name, record.places[number]))
            rule = (index, EMPTY, number)
            if gone:
                yield from (Jump(key, problem, rule, amount) for key, amount in gone.items())
            else:
                yield Jump(None, problem, rule, 0)

    def _too_large(self, trial: Trial, index: int, record: SourceRecord) -> Iterator[Jump]:
        before = self._sizes[index]
        if record.size <= before or not record.change_limits.too_large(before, record.size):
            return
        size = record.size - sum(
            _bytes(change.entry) - _bytes(trial.before(key, change))
            for key, changes in trial.of(index)
            for change in changes
        )
        for key, changes in trial.of(index):
            grows = sum(_bytes(c.entry) - _bytes(trial.before(key, c)) for c in changes)
            if grows > 0 and (expected := record.change_limits.too_large(before, size + grows)):
                problem = Problem("", expected, f"{size + grows} bytes", Origin(record.name, record.name))
                yield Jump(key, problem, (index, SIZE, 0), grows)
            else:
                size += grows

    def _too_much_gone(self, trial: Trial, index: int) -> Iterator[Jump]:
        record, removed = self._accounts[index], self._removed[index]
        for key, changes in trial.of(index):
            amount = sum(map(_removes, changes))
            if amount and (expected := record.change_limits.too_much_gone(self._entries[index], removed + amount)):
                problem = Problem("", expected, f"{removed + amount}", Origin(record.name, record.name))
                yield Jump(key, problem, (index, REMOVAL, 0), amount)
            else:
                removed += amount


def _changes(trial: Trial, index: int) -> Iterator[PendingChange]:
    return (change for _, changes in trial.of(index) for change in changes)


def _removes(change: PendingChange) -> int:
    return change.entry is None


def _leaves(old: Entry | None, change: PendingChange, layer: int) -> int:
    """Whether a change takes an entry out of a layer."""
    return old is not None and old.layer == layer and (change.entry is None or change.entry.layer != layer)


def _bytes(entry: Entry | None) -> int:
    return entry.size if entry is not None else 0


def _entries(record: SourceRecord) -> int:
    return sum(len(layer.entries) for layer in record.layers)
