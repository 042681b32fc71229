"""Who is held when the fault names nobody: one bad key never blocks a fix elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from reactive_config._core.acceptance import groups
from reactive_config._core.acceptance.blame import region, validates
from reactive_config._core.acceptance.source_records import GONE
from reactive_config._core.acceptance.trial import Trial
from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config.errors import InvalidValue

pydantic = pytest.importorskip("pydantic")


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    age: int = 0


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    age: int = 0


class Home(pydantic.BaseModel):
    pet: Cat | Dog = pydantic.Field(default=Cat(), discriminator="kind")


class Zoo(msgspec.Struct, frozen=True):
    home: Home = Home()
    limit: int = 0
    log: dict[str, str] = {}


class Range(msgspec.Struct, frozen=True):
    low: int = 0
    high: int = 10

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("the low one is above the high one")


class Ranges(msgspec.Struct, frozen=True):
    ranges: dict[str, Range] = {}
    n: int = 0


@dataclass(frozen=True)
class Whole:
    """The root refuses, so that its faults have no path."""

    keys: dict[str, int] = field(default_factory=dict)
    n: int = 0

    def __post_init__(self) -> None:
        if any(value < 0 for value in self.keys.values()):
            raise ValueError("negative")


class Model(pydantic.BaseModel):
    a: int = 0
    b: int = 0
    c: int = 0

    @pydantic.model_validator(mode="after")
    def small_together(self) -> Model:
        if self.a + self.b > 10:
            raise ValueError("too much together")
        return self


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many units each decode had."""
    counted: list[int] = []
    decode = Trial.decode

    def counting(self: Trial, *arguments: Any) -> None:
        counted.append(len(self.units))
        decode(self, *arguments)

    monkeypatch.setattr(Trial, "decode", counting)
    return counted


def test_a_fix_is_not_blocked_by_a_bad_member_of_a_union(accepting):
    a = accepting(Zoo, {"home.pet.kind": "cat", "limit": 1})
    bad = a.send({"home.pet.age": "old"})
    a.send({"limit": 2})
    a.attempt()
    assert (a.held, a.value.limit) == ([bad], 2)
    problem = a.acceptance.held[0, bad].problems[0]
    assert (problem.path, problem.origin.place) == ("home.pet.age", "home.pet.age")


def test_a_fix_is_not_blocked_by_what_a_root_refuses(accepting):
    a = accepting(Whole)
    bad = a.send({"keys.a": -1})
    a.send({"n": 2})
    worse = a.send({"keys.b": -1})
    a.send({"keys.c": 3})
    a.attempt()
    assert (a.held, a.value) == ([bad, worse], Whole({"c": 3}, 2))
    assert a.acceptance.held[0, bad].problems[0].origin.place == "keys.a"


def test_a_later_fix_is_not_blocked_by_what_is_held(accepting):
    a = accepting(Whole)
    bad = a.send({"keys.a": -1})
    a.attempt()
    a.attempt({"n": 5})
    assert (a.held, a.value.n) == ([bad], 5)


def test_of_two_that_only_together_do_not_fit_the_later_is_held(accepting):
    a = accepting(Ranges, {"ranges.a.low": 0})
    a.send({"ranges.a.low": 8})
    later = a.send({"ranges.a.high": 7})
    a.send({"n": 1})
    a.attempt()
    assert (a.held, a.value) == ([later], Ranges({"a": Range(8, 10)}, 1))


def test_order_of_arrival_is_the_order_of_revisions_and_not_of_keys(accepting):
    a = accepting(Ranges, {"ranges.a.low": 0})
    a.send({"ranges.a.high": 9})
    a.send({"ranges.a.low": 8})
    later = a.send({"ranges.a.high": 7})  # the key that came first comes last
    a.attempt()
    assert (a.held, a.value.ranges["a"]) == ([later], Range(8, 10))


def test_a_layer_that_another_hides_is_innocent(accepting):
    a = accepting(Ranges, sources=2)
    a.send({"n": 3}, source=0)
    bad = a.send({"n": "many"}, source=1)
    a.attempt()
    assert (a.held, a.value.n) == ([bad], 3)


def test_two_that_need_each_other_fit_once_both_are_there(accepting):
    a = accepting(Ranges, {"ranges.a.low": 0})
    a.attempt({"ranges.a.low": 20})
    assert len(a.held) == 1
    a.attempt({"n": 1})
    assert len(a.held) == 1
    a.attempt({"ranges.a.high": 30})
    assert (a.held, a.value.ranges["a"]) == ([], Range(20, 30))


def test_two_that_need_each_other_fit_beside_one_that_is_bad_by_itself(accepting):
    a = accepting(Ranges, {"ranges.a.low": 0})
    a.attempt({"ranges.a.low": 20})
    also = a.send({"ranges.a.low": "x", "n": 5})  # takes the place of the first
    a.attempt()
    first = a.send({"ranges.a.low": 20})
    a.attempt()
    bad = a.send({"n": "x"})
    a.send({"ranges.a.high": 30})
    a.attempt()
    assert also not in a.held
    assert (a.held, a.value.ranges["a"]) == ([bad], Range(20, 30))
    assert first not in a.held


def test_deltas_that_wait_may_need_each_other_beside_a_bad_one(accepting):
    """The whole is refused for another reason, so halves are tried, in which neither fits alone."""
    a = accepting(Model)
    a.attempt({"a": 5, "b": 5})
    bad = a.send({"c": "x"})
    a.send({"a": 8})
    a.send({"b": 2})
    a.attempt()
    assert a.held == [bad]
    assert (a.value.a, a.value.b) == (8, 2)


def test_a_held_one_keeps_waiting_if_what_came_fits_without_it(accepting):
    a = accepting(Ranges, {"ranges.a.low": 0})
    held = a.send({"ranges.a.low": 20})
    a.attempt()
    a.attempt({"ranges.a.high": 15})
    assert (a.held, a.value.ranges["a"]) == ([held], Range(0, 15))
    a.attempt({"ranges.a.high": 20})
    assert (a.held, a.value.ranges["a"]) == ([], Range(20, 20))


def test_what_a_lower_layer_says_lets_a_held_deletion_fit(accepting):
    """The lower value shows only once the deletion is accepted."""

    class Needs(msgspec.Struct):
        n: int

    a = accepting(Needs, {"n": 1}, sources=2)
    a.attempt({"n": 2}, source=1)
    a.attempt(None, "n")
    assert a.value.n == 2  # the higher one is there
    held = a.send({}, "n", source=1)
    a.attempt()
    assert a.held == [held]
    a.attempt({"n": 3})
    assert (a.held, a.value.n) == ([], 3)


def test_what_another_file_hid_lets_a_held_one_fit(accepting):
    a = accepting(Ranges)

    def save(name, document):
        a.records[0].take(Patch({name: Entry((), document, name)}))
        a.attempt()

    save("2.json", {"n": 2})
    save("1.json", {"n": "x"})  # accepted, as the second one hides it
    save("2.json", {})
    assert (a.held, a.value.n) == (["2.json"], 2)
    save("1.json", {"n": 1})
    assert (a.held, a.value.n) == ([], 1)


def test_a_layer_s_value_that_becomes_a_table_and_shows_a_lower_fault_is_to_blame(accepting):
    class Open(msgspec.Struct, frozen=True):
        free: dict[str, int] | int = 0

    a = accepting(Open, sources=2)
    a.attempt({"free": 5}, source=1)
    a.attempt({"free.c": "x"})  # accepted, as the higher layer's value hides it
    innocent = a.send({"free": 1})
    shows = a.send({"free.b": 2}, source=1)
    a.attempt()
    assert (a.held, a.records[0].find("free").revision) == ([shows], innocent)


def test_what_is_overwritten_is_not_held_any_more(accepting):
    a = accepting(Ranges)
    for value in ("x", "y"):
        a.attempt({"n": value})
        assert a.held == [a.revision]
    a.attempt({"n": 0}, source=0)
    assert a.held == []
    assert a.acceptance.held_of(a.records[0]) == ()


def test_what_is_left_of_a_unit_is_accepted_once_the_bad_part_is_overwritten(accepting):
    a = accepting(Ranges)
    unit = a.send({"n": "x", "ranges.a.low": 3, "ranges.b.low": 4})
    a.attempt()
    a.send({"ranges.a.low": 5})
    a.attempt()
    assert (a.held, set(a.value.ranges)) == ([unit], {"a"})
    a.attempt({"n": 1})
    assert (a.held, a.value) == ([], Ranges({"a": Range(5), "b": Range(4)}, 1))


def test_a_held_unit_is_tried_again_only_near_its_fault(accepting, decodes):
    a = accepting(Ranges, {"ranges.a.low": 0, "ranges.b.low": 0})
    a.attempt({"ranges.a.low": 20})
    decodes.clear()
    a.attempt({"n": 1})
    a.attempt({"ranges.b.high": 11})
    assert decodes == [1, 1]
    a.attempt({"ranges.a.high": 11})
    assert decodes[2:] == [2, 1, 1]  # with it, without it, and once more for what it waits for


def test_a_bad_one_among_many_is_found_in_few_decodes(accepting, decodes):
    a = accepting(Whole)
    for number in range(1000):
        a.send({f"keys.k{number}": -1 if number == 700 else 1})
    a.attempt()
    assert len(a.held) == 1
    assert len(a.value.keys) == 999
    assert len(decodes) <= 25
    assert sum(decodes) <= 5000


def test_many_bad_ones_are_found_over_several_turns_and_nobody_else_is_held(accepting, decodes, monkeypatch):
    monkeypatch.setattr(groups, "SECONDS", 1000)
    a = accepting(Whole)
    for number in range(2000):
        a.send({f"keys.k{number}": -1 if number % 40 == 7 else 1})
    a.acceptance.attempt()
    assert len(decodes) <= groups.DECODES + 1
    assert a.acceptance.unsettled
    before = len(a.acceptance.held)
    fix = a.send({"n": 9})
    a.acceptance.attempt()
    assert a.value.n == 9  # what comes meanwhile does not wait
    assert not a.acceptance.undecided(a.records[0], fix)
    assert len(a.acceptance.held) >= before
    decodes.clear()
    while a.acceptance.unsettled:
        a.acceptance.attempt()
        assert len(decodes) <= groups.DECODES + 1
        decodes.clear()
    assert len(a.held) == 50
    assert len(a.value.keys) == 1950


def test_an_attempt_begins_no_decode_after_its_time(accepting, decodes, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.thread_time", lambda: clock[0])
    decode = Trial.decode

    def slow(self: Trial, *arguments: Any) -> None:
        clock[0] += 0.02
        decode(self, *arguments)

    monkeypatch.setattr(Trial, "decode", slow)
    a = accepting(Whole)
    for number in range(64):
        a.send({f"keys.k{number}": -number})
    decodes.clear()
    a.acceptance.attempt()
    assert len(decodes) == 3
    assert a.acceptance.unsettled


def test_a_jump_in_size_does_not_block_a_fix(accepting):
    a = accepting(dict)
    record = a.records[0]
    record.change_limits = ChangeLimits(growth=10, free=1000)
    old = Entry(("old",), 1, 1, 1, size=100)
    record.take(Replace({"old": old}, 1))
    a.attempt()
    big, fix = Entry(("big",), 1, 2, 2, size=9000), Entry(("fix",), 1, 3, 3, size=10)
    record.take(Replace({"old": old, "big": big, "fix": fix}, 3))
    a.attempt()
    assert (a.held, a.value) == ([2], {"old": 1, "fix": 1})
    assert a.acceptance.held[0, 2].problems[0].got == "9100 bytes"


def test_a_jump_in_size_is_taken_once_the_source_has_grown(accepting):
    a = accepting(dict)
    record = a.records[0]
    record.change_limits = ChangeLimits(growth=10, free=1000)

    def send(name: str, size: int) -> None:
        a.revision += 1
        entry = Entry((name,), size, a.revision, a.revision, size=size)
        record.take(Replace({**record.accepted, **sent, name: entry}, a.revision))
        sent[name] = entry
        a.attempt()

    sent: dict[str, Entry] = {}
    send("a", 100)
    send("big", 9000)
    assert a.held == [3]
    send("b", 500)
    assert a.held == [3]
    send("c", 400)
    assert (a.held, set(a.value)) == ([], {"a", "b", "c", "big"})


def test_what_is_gone_waits_for_every_held_unit_of_its_relist_and_no_longer(accepting):
    a = accepting(Ranges, {"n": 1, "ranges.a.low": 1})
    bad = {"n": Entry(("n",), "x", 2, 2), "ranges.b.low": Entry(("ranges", "b", "low"), 99, 3, 3)}
    a.records[0].take(Replace(bad, 3))
    a.revision = 3
    a.attempt()
    assert (a.held, a.value) == ([GONE, 2, 3], Ranges({"a": Range(1)}, 1))
    a.attempt({"n": 2})
    assert (a.held, a.value) == ([GONE, 3], Ranges({"a": Range(1)}, 2))
    a.attempt({"ranges.b.high": 100})
    assert (a.held, a.value) == ([], Ranges({"b": Range(99, 100)}, 2))


def test_a_move_that_a_relist_saw_is_taken_whole_once_the_rest_of_it_is_mended(accepting):
    """The new place needs the deletion of the old one, which waits for another unit of the same relist."""
    a = accepting(Model, {"a": 8})
    moved = {"b": Entry(("b",), 8, 2, 2), "c": Entry(("c",), "x", 3, 3)}
    a.records[0].take(Replace(moved, 3))
    a.revision = 3
    a.attempt()
    assert (a.held, a.value.a) == ([GONE, 2, 3], 8)
    a.attempt({"c": 1})
    assert a.held == []
    assert (a.value.a, a.value.b, a.value.c) == (0, 8, 1)


def test_what_a_relist_says_once_more_is_not_tried_again(accepting, decodes):
    a = accepting(Ranges, {"n": 1})
    bad = {"n": Entry(("n",), "x", 2, 2)}
    a.records[0].take(Replace(bad, 2))
    a.attempt()
    decodes.clear()
    a.records[0].take(Replace({"n": Entry(("n",), "x", 2, 2)}, 5))
    a.attempt()
    assert (decodes, a.held) == ([], [2])


class Checked(msgspec.Struct, frozen=True):
    low: int = 0
    high: int = 10

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise InvalidValue("something above low", at="high")


class Both(msgspec.Struct, frozen=True):
    checked: Checked = Checked()
    n: int = 0


def test_an_unfit_field_that_several_touch_is_found_by_trying(accepting):
    a = accepting(Checked)
    bad = a.send({"low": 20})
    a.attempt()
    a.attempt({"high": 11})
    assert (a.held, a.value.high) == ([bad], 11)


def test_one_that_fits_alone_is_not_held_because_of_another_that_is_refused(accepting):
    """The fault names the later one's field, but the earlier one is refused for a fault of its own."""
    a = accepting(Both)
    bad = a.send({"checked.low": 5, "n": "x"})
    a.send({"checked.high": 3})
    a.attempt()
    assert (a.held, a.value.checked) == ([bad], Checked(0, 3))
    worse = a.send({"checked.low": 20})
    a.send({"checked.high": 2})
    a.attempt()
    assert (a.held, a.value.checked) == ([bad, worse], Checked(0, 2))


class Plain(msgspec.Struct):
    n: int = 0


class Tagged(msgspec.Struct, tag=True, frozen=True):
    n: int = 0


class Tagged2(msgspec.Struct, tag=True, frozen=True):
    n: int = 0


class Everything(msgspec.Struct):
    plain: Plain | None = None
    range: Range | None = None
    ranges: dict[str, Range] = {}
    model: Model | None = None
    union: Tagged | Tagged2 = Tagged()
    limit: Annotated[int, Meta(ge=0)] = 0


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("limit", "limit"),
        ("plain.n", "plain.n"),
        ("range", "range"),
        ("range.low", "range"),
        ("ranges.a.low", "ranges.a"),
        ("ranges.a", "ranges.a"),
        ("model.a", "model"),
        ("union.n", "union"),
        ("nowhere.at.all", "nowhere.at.all"),
    ],
)
def test_the_region_of_a_fault_is_the_nearest_type_with_validation_of_its_own(path, expected):
    assert ".".join(region(compile_plan(Everything), tuple(path.split(".")))) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Plain, False), (Range, True), (Whole, True), (Model, True), (dict[str, Range], False), (Tagged | Tagged2, True)],
)
def test_which_types_have_validation_of_their_own(kind, expected):
    assert validates(kind) is expected
