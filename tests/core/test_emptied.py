"""A layer that loses its last entry: by one deletion after the other, or all at once (P4, P5)."""

from __future__ import annotations

import msgspec

from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import SourceRecord
from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.delta import Entry, Patch, Replace

EMPTIED = frozenset({0})


class App(msgspec.Struct, frozen=True):
    size: int
    name: str = ""


class Two:
    """Files below, and above them a source that is not optional and has the given values, a unit each."""

    def __init__(self, **above):
        self.below, self.above = (
            SourceRecord("files", ["files"], optional=False),
            SourceRecord("etcd", ["etcd"], optional=False),
        )
        self.acceptance = Acceptance(compile_plan(App), [self.below, self.above])
        self.below.take(Replace({"file": Entry((), {"size": 1, "name": "low"}, "file")}))
        self.above.take(Replace({name: self.entry(name, value, 1) for name, value in above.items()}))

    @staticmethod
    def entry(name, value, unit):
        return Entry((name,), value, unit, unit)

    def start(self):
        assert self.acceptance.start() == []
        self.acceptance.attempt()
        return self

    def take(self, delta):
        self.above.take(delta)
        self.acceptance.attempt()
        return self.acceptance.part.value

    def edit_below(self, **values):
        self.below.take(Patch({"file": Entry((), values, "file")}))
        self.acceptance.attempt()
        return self.acceptance.part.value

    @property
    def held(self):
        return [unit for _, unit in self.acceptance.held]


def test_what_was_emptied_on_purpose_is_empty_and_lets_the_lower_values_through():
    two = Two(size=9).start()
    assert two.take(Patch({}, {"size": 2}, 2, EMPTIED)) == App(1, "low")
    assert not two.held
    assert two.edit_below(size=5) == App(5)


def test_without_that_word_it_is_held_and_edits_below_go_on():
    two = Two(size=9).start()
    assert two.take(Patch({}, {"size": 2}, 2)) == App(9, "low")
    assert two.held == [2]
    assert two.edit_below(size=5, name="new") == App(9, "new")


def test_it_stays_empty_whatever_is_said_later():
    two = Two(size=9).start()
    two.take(Patch({}, {"size": 2}, 2, EMPTIED))
    assert two.take(Replace({}, 3)) == App(1, "low")
    assert two.take(Patch({"size": two.entry("size", "no number", 4)}, {}, 4)) == App(1, "low")
    assert two.held == [4]
    assert two.edit_below(size=5) == App(5)
    assert two.take(Patch({"size": two.entry("size", 6, 7)}, {}, 7)) == App(6)
    assert not two.held


def test_once_it_is_filled_again_it_must_not_be_lost():
    two = Two(size=9).start()
    two.take(Patch({}, {"size": 2}, 2, EMPTIED))
    two.take(Patch({"size": two.entry("size", 8, 3)}, {}, 3))
    assert two.take(Replace({}, 4)) == App(8, "low")
    assert two.held


def test_what_was_lost_at_once_is_accepted_when_the_layer_is_emptied_on_purpose():
    two = Two(size=9, name="high").start()
    assert two.take(Patch({}, {"size": 2, "name": 2}, 2)) == App(9, "high")
    assert two.take(Patch({}, {}, 3, EMPTIED)) == App(1, "low")
    assert not two.held


def test_an_empty_layer_is_named_by_its_place():
    record = SourceRecord("etcd", ["common"], optional=False, places=["/shop/common/"])
    record.take(Replace({}, 1))
    problems = Acceptance(compile_plan(App), [record]).start()
    assert [problem.origin.place for problem in problems if problem.origin] == ["/shop/common/"]


def test_a_deletion_that_does_not_fit_is_held_all_the_same():
    two = Two(size=9).start()
    assert two.edit_below(name="low") == App(9, "low")
    assert two.take(Patch({}, {"size": 2}, 2, EMPTIED)) == App(9, "low")
    assert two.held == [2]
    assert two.edit_below(size=3) == App(3)
    assert not two.held


def test_at_a_start_an_empty_layer_is_an_error_whatever_the_source_says():
    two = Two()
    two.above.take(Replace({}, 1, EMPTIED))
    assert [str(problem) for problem in two.acceptance.start()] == [
        "(root): expected some content, if only {}, or optional=True for the source, got nothing (etcd)"
    ]


def test_from_nothing_a_source_may_grow_to_any_size():
    record = SourceRecord("etcd", ["etcd"], optional=True, change_limits=ChangeLimits(growth=10, free=1000))
    acceptance = Acceptance(compile_plan(dict), [record])
    record.take(Replace({}))
    assert acceptance.start() == []
    acceptance.attempt()
    record.take(Patch({"a": Entry(("a",), "x" * 5000, 1, size=5000)}, {}, 1))
    acceptance.attempt()
    assert not acceptance.held
    record.take(Patch({"b": Entry(("b",), "x", 2, size=60_000)}, {}, 2))
    acceptance.attempt()
    [held] = acceptance.held.values()
    assert [problem.expected for problem in held.problems] == [
        "at most 50000 bytes (10 times the 5000 in force, or 1000)"
    ]
