"""The rejection rule under random deltas against the naive rule, which decodes everything anew.

In force is always something whole and valid, nobody is held who would fit, and nobody at all once everything that the
sources say fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Meta

from reactive_config._core.acceptance import groups
from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import GONE, PendingChange, SourceRecord
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.delta import Entry, Malformed, Patch, Replace
from reactive_config._core.runtime.unknown_notes import UnknownNotes
from reactive_config._core.trees import overlay, same
from reactive_config.errors import InvalidValue

pydantic = pytest.importorskip("pydantic")
pytestmark = pytest.mark.slow


class Range(msgspec.Struct, frozen=True):
    low: int = 0
    high: int = 2

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise InvalidValue("something above low", at="high")  # the fault names a field that is perhaps innocent


class Cat(pydantic.BaseModel):  # type: ignore[misc, name-defined, unused-ignore]
    kind: Literal["cat"] = "cat"
    age: int = 0


class Dog(pydantic.BaseModel):  # type: ignore[misc, name-defined, unused-ignore]
    kind: Literal["dog"] = "dog"
    age: Annotated[int, pydantic.Field(le=2)] = 0


class Home(pydantic.BaseModel):  # type: ignore[misc, name-defined, unused-ignore]
    pet: Cat | Dog = pydantic.Field(default=Cat(), discriminator="kind")


class Parts(msgspec.Struct, forbid_unknown_fields=True):
    """Parts of which each is judged by itself, in all ways that there are."""

    n: Annotated[int, Meta(ge=0)] = 0
    range: Range = Range()
    home: Home = Home()
    free: dict[str, Annotated[int, Meta(ge=0)]] = {}


class Whole(msgspec.Struct):
    """A root that refuses fields which all fit."""

    n: Annotated[int, Meta(ge=0)] = 0
    range: Range = Range()
    home: Home = Home()
    free: dict[str, int] = {}

    def __post_init__(self) -> None:
        if sum(self.free.values()) > self.n + 3:
            raise ValueError("too much")


NAMES = (
    *("n", "range", "range.low", "range.high", "home.pet.kind", "home.pet.age", "free", "free.a", "free.b", "free.c"),
    *("range.hihg", "home.pte", "home.pet.aeg"),
)
KEYS = {name: tuple(name.split(".")) for name in NAMES}
keys = st.sampled_from(sorted(KEYS))
scalars = st.one_of(st.integers(-1, 4), st.sampled_from(["bad", "cat", "dog"]), st.just(Malformed("JSON", "text")))
tables = [
    st.dictionaries(st.sampled_from(names), st.integers(-1, 4), max_size=2) for names in (["a", "b"], ["low", "high"])
]
values = st.one_of(scalars, *tables)
changes = st.dictionaries(keys, st.one_of(values, st.just("deleted")), min_size=1, max_size=3)
documents = st.fixed_dictionaries(
    {},
    optional={
        "n": st.sampled_from([0, 1, -1, "bad"]),
        "range": st.dictionaries(st.sampled_from(["low", "high"]), st.integers(0, 4), max_size=2),
        "home": st.fixed_dictionaries({"pet": st.fixed_dictionaries({"kind": st.sampled_from(["cat", "dog", "cow"])})}),
        "free": st.dictionaries(st.sampled_from(["a", "d"]), st.integers(-1, 2), max_size=2),
    },
)

State = Mapping[str, Entry]
UnitKey = tuple[int, Any]


class Rejecting(RuleBasedStateMachine):
    """Source 0 and 1 are stores of keys; source 2 is a directory of documents."""

    kind: Any

    def __init__(self) -> None:
        super().__init__()
        self.decodes = groups.DECODES
        self.plan = compile_plan(self.kind)
        self.records = [SourceRecord(name, [name], optional=True) for name in ("low", "high", "files")]
        self.acceptance = Acceptance(self.plan, self.records)
        self.notes = UnknownNotes(self.kind, self.records, warn=lambda lines, _: list(lines))
        for record in self.records:
            record.take(Replace({}))
        assert self.acceptance.start() == []
        self.current: list[dict[str, Entry]] = [{}, {}, {}]
        self.unit = 0
        self.sent: list[UnitKey] = []

    def teardown(self) -> None:
        groups.DECODES = self.decodes

    # -- the naive rule

    def tree(self, states: Iterable[State]) -> Any:
        tree: Any = {}
        for state in states:
            layer: Any = {}
            for _, entry in sorted(state.items(), key=lambda i: (len(i[1].path), i[0])):
                document = entry.value
                for name in reversed(entry.path):
                    document = {name: document}
                layer = overlay(layer, document)
            tree = overlay(tree, layer)
        return tree

    def fits(self, units: Iterable[UnitKey]) -> bool:
        """Whether units would fit on top of what is in force."""
        states = [dict(record.accepted) for record in self.records]
        for index, unit in units:
            for change in self.changes_of((index, unit)):
                if change.entry is None:
                    states[index].pop(change.entry_id, None)
                elif isinstance(change.entry.value, Malformed):
                    return False
                else:
                    states[index][change.entry_id] = change.entry
        return decode(self.plan, self.tree(states), None, None)[0] is not None

    def changes_of(self, key: UnitKey) -> list[PendingChange]:
        return [change for change in self.records[key[0]].pending.values() if change.unit == key[1]]

    def parts_of(self, key: UnitKey) -> set[str]:
        """The parts of the configuration that a unit touches."""
        found: set[str] = set()
        for change in self.changes_of(key):
            old = self.records[key[0]].find(change.entry_id)
            for entry in (old, change.entry):
                if entry is not None and not isinstance(entry.value, Malformed):
                    found |= {entry.path[0]} if entry.path else set(entry.value)
        return found

    # -- what happens

    def send(self, source: int, transaction: dict[str, Any]) -> None:
        self.unit += 1
        come = {k: Entry(KEYS[k], v, self.unit, self.unit) for k, v in transaction.items() if v != "deleted"}
        gone = {k: self.unit for k, v in transaction.items() if v == "deleted"}
        self.current[source].update(come)
        for key in gone:
            self.current[source].pop(key, None)
        self.records[source].take(Patch(come, gone, self.unit))
        self.sent.append((source, self.unit))

    def attempt(self) -> None:
        before = self.acceptance.part
        changed = self.acceptance.attempt()
        assert before is not None
        assert self.acceptance.part is not None
        if not changed:
            assert unchanged(before.value, self.acceptance.part.value)

    def settle(self) -> None:
        """Attempt until there is nothing left to try; the naive rule is asked before and after."""
        alone = self.independent() if not self.acceptance.unsettled else {}
        self.sent.clear()
        for _ in range(1000):
            self.attempt()
            if not self.acceptance.unsettled:
                break
        else:
            raise AssertionError("it never comes to an end")
        for key, fits in alone.items():
            assert (key not in self.acceptance.held) == fits, key

    def independent(self) -> dict[UnitKey, bool]:
        """The units that have just come and share no part with any other one: whether each fits by itself."""
        if self.kind is Whole:
            return {}
        pending = {(i, change.unit) for i, record in enumerate(self.records) for change in record.pending.values()}
        parts = {key: self.parts_of(key) for key in pending}
        return {
            key: self.fits([key])
            for key in self.sent
            if key in parts and not any(parts[key] & other for unit, other in parts.items() if unit != key)
        }

    @rule(source=st.integers(0, 1), transaction=changes)
    def one_transaction(self, source: int, transaction: dict[str, Any]) -> None:
        self.send(source, transaction)
        self.settle()

    @rule(transactions=st.lists(st.tuples(st.integers(0, 1), changes), min_size=2, max_size=5))
    def several_at_once(self, transactions: list[tuple[int, dict[str, Any]]]) -> None:
        for source, transaction in transactions:
            self.send(source, transaction)
        self.settle()

    @rule(
        transactions=st.lists(st.tuples(st.integers(0, 1), changes), min_size=1, max_size=5), decodes=st.integers(1, 5)
    )
    def several_over_turns(self, transactions: list[tuple[int, dict[str, Any]]], decodes: int) -> None:
        """One turn only; the next delta comes in between."""
        groups.DECODES = decodes
        for source, transaction in transactions:
            self.send(source, transaction)
        self.attempt()
        groups.DECODES = self.decodes

    @rule(source=st.integers(0, 1), lost=st.sets(keys, max_size=2), found=st.dictionaries(keys, values, max_size=2))
    def relist(self, source: int, lost: set[str], found: dict[str, Any]) -> None:
        self.unit += 1
        now = {k: entry for k, entry in self.current[source].items() if k not in lost}
        now.update({k: Entry(KEYS[k], v, self.unit, self.unit) for k, v in found.items()})
        self.current[source] = now
        self.records[source].take(Replace(now, self.unit))
        self.sent.clear()
        self.settle()

    @rule(name=st.sampled_from(["1.json", "2.json"]), document=st.one_of(documents, st.just("deleted"), st.just("bad")))
    def a_file_is_saved(self, name: str, document: Any) -> None:
        """A file is one unit whose name stays the same."""
        if document == "deleted":
            self.current[2].pop(name, None)
            self.records[2].take(Patch({}, {name: name}))
        else:
            value = Malformed("JSON", "text") if document == "bad" else document
            self.current[2][name] = Entry((), value, name)
            self.records[2].take(Patch({name: self.current[2][name]}))
        self.sent.append((2, name))
        self.settle()

    @rule()
    @precondition(lambda self: self.acceptance.unsettled)
    def what_was_left_is_tried(self) -> None:
        self.settle()

    @rule()
    def everything_is_overwritten_with_something_good(self) -> None:
        for source in (0, 1):
            self.send(source, dict.fromkeys(KEYS, "deleted"))
        self.current[2] = {}
        self.records[2].take(Replace({}))
        self.sent.clear()
        self.settle()
        assert self.acceptance.held == {}
        assert unchanged(self.acceptance.part.value, self.kind())  # type: ignore[union-attr]

    # -- what always holds

    @invariant()
    def what_is_in_force_is_valid_and_whole(self) -> None:
        tree = self.tree(record.accepted for record in self.records)
        assert same(self.acceptance.stack.tree, tree)
        part, faults = decode(self.plan, tree, None, None)
        assert part is not None, faults
        assert unchanged(part.value, self.acceptance.part.value)  # type: ignore[union-attr]

    @invariant()
    def unknown_keys_are_told_as_by_a_fresh_start(self) -> None:
        """Whatever came, was held and went in between; of a history only the log knows."""
        part = self.acceptance.part
        assert part is not None
        self.notes.take(part.unknown)
        fresh = UnknownNotes(self.kind, self.records, warn=lambda lines, _: list(lines))
        whole, _ = decode(self.plan, self.tree(record.accepted for record in self.records), None, None)
        assert whole is not None
        fresh.take(whole.unknown)
        assert self.notes.notes() == fresh.notes()

    @invariant()
    def nobody_is_held_who_would_fit(self) -> None:
        if not self.acceptance.unsettled:
            for key in self.acceptance.held:
                assert key[1] == GONE or not self.fits([key]), key

    @invariant()
    def nobody_is_held_once_the_whole_fits(self) -> None:
        if self.acceptance.held and not self.acceptance.unsettled:
            said = [entry.value for state in self.current for entry in state.values()]
            if not any(isinstance(value, Malformed) for value in said):
                assert decode(self.plan, self.tree(self.current), None, None)[0] is None

    @invariant()
    def what_a_relist_found_gone_waits_for_others_or_does_not_fit(self) -> None:
        if not self.acceptance.unsettled:
            for index, unit in self.acceptance.held:
                if unit == GONE:
                    others = [key for key in self.acceptance.held if key[0] == index and key[1] != GONE]
                    waits = any(change.relist for key in others for change in self.changes_of(key))
                    assert waits or not self.fits([(index, GONE)])

    @invariant()
    def a_unit_is_accepted_or_held_as_a_whole(self) -> None:
        for number, record in enumerate(self.records):
            for key, entry in self.current[number].items():
                pending = record.pending.get(key)
                if pending is None:
                    accepted = record.find(key)
                    assert accepted is not None
                    assert same(accepted.value, entry.value)
                else:
                    assert pending.unit == entry.unit
                    assert (number, entry.unit) in self.acceptance.held or self.acceptance.unsettled
            assert set(record.pending) <= set(self.current[number]) | set(record.accepted)

    @invariant()
    def the_index_by_unit_is_right(self) -> None:
        for record in self.records:
            by_unit: dict[Any, dict[str, PendingChange]] = {}
            for entry_id, change in record.pending.items():
                by_unit.setdefault(change.unit, {})[entry_id] = change
            assert record.units == by_unit

    @invariant()
    def only_what_is_pending_is_held(self) -> None:
        assert all(self.changes_of(key) for key in self.acceptance.held)

    @invariant()
    def with_nothing_held_it_is_the_current_state(self) -> None:
        if not self.acceptance.held and not self.acceptance.unsettled:
            for number, record in enumerate(self.records):
                assert not record.pending
                assert set(record.accepted) == set(self.current[number])

    @invariant()
    def every_held_unit_says_why(self) -> None:
        assert all(held.problems for held in self.acceptance.held.values())


class RejectingParts(Rejecting):
    kind = Parts


class RejectingWhole(Rejecting):
    kind = Whole


class Ranges(msgspec.Struct, frozen=True):
    """Two tables of which each can be jammed by itself, and by units that touch both."""

    x: Range = Range()
    y: Range = Range()


PLACES = {name: tuple(name.split(".")) for name in ("x", "x.low", "x.high", "y.low", "y.high")}


def transactions(places: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    number = st.integers(0, 5)
    table = st.dictionaries(st.sampled_from(["low", "high"]), number, min_size=1, max_size=1)
    return st.fixed_dictionaries({}, optional={name: table if name == "x" else number for name in places})


@pytest.mark.parametrize("examples", [100, pytest.param(800, marks=pytest.mark.storm)])
def test_nobody_is_held_once_the_whole_fits_whatever_relists_found_gone(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 1), st.booleans(), transactions(PLACES), st.sets(st.sampled_from(sorted(PLACES)))),
            max_size=12,
        )
    )
    def run(history: list[tuple[int, bool, dict[str, Any], set[str]]]) -> None:
        machine = RejectingRanges()
        for source, relisted, said, lost in history:
            machine.unit += 1
            unit = machine.unit
            come = {name: Entry(PLACES[name], value, unit, unit) for name, value in said.items()}
            kept = {name: entry for name, entry in machine.current[source].items() if name not in lost}
            gone = dict.fromkeys(machine.current[source].keys() - kept.keys() - come.keys(), unit)
            machine.current[source] = kept | come
            record = machine.records[source]
            record.take(Replace(kept | come, unit) if relisted else Patch(come, gone, unit))
            machine.settle()
            machine.nobody_is_held_once_the_whole_fits()
            machine.with_nothing_held_it_is_the_current_state()
            machine.what_is_in_force_is_valid_and_whole()

    run()


class RejectingRanges(Rejecting):
    kind = Ranges


class TestParts(RejectingParts.TestCase):
    settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


class TestWhole(RejectingWhole.TestCase):
    settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


@pytest.mark.storm
@pytest.mark.timeout(900)
class TestPartsManyTimes(RejectingParts.TestCase):
    settings = settings(max_examples=500, stateful_step_count=20, deadline=None)


@pytest.mark.storm
@pytest.mark.timeout(900)
class TestWholeManyTimes(RejectingWhole.TestCase):
    settings = settings(max_examples=500, stateful_step_count=20, deadline=None)
