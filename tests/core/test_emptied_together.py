"""A layer that loses all of its entries to several units of one delta: none of them is accepted without the others."""

from __future__ import annotations

import msgspec
import pytest

from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import SourceRecord
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.delta import Entry, Patch, Replace

ALL = {"rate": 5, "limit": 6, "x": 7}


class Directory:
    """One layer of three files, a unit each, each with one value at its own name."""

    def __init__(self, **start):
        self.record = SourceRecord("files", ["v"], optional=False)
        self.acceptance = Acceptance(compile_plan(dict), [self.record])
        self.record.take(Replace(self.entries(start or ALL)))
        assert self.acceptance.start() == []
        self.acceptance.attempt()

    @staticmethod
    def entries(values):
        return {name: Entry((), {name: value}, name) for name, value in values.items()}

    def take(self, *deleted, **values):
        """One delta; returns what is in force, and the units that are held."""
        self.record.take(Patch(self.entries(values), {name: name for name in deleted}))
        return self.attempt()

    def attempt(self):
        self.acceptance.attempt()
        while self.acceptance.unsettled:
            self.acceptance.attempt()
        return self.acceptance.part.value, sorted(unit for _, unit in self.acceptance.held)


def test_units_that_together_empty_a_layer_are_all_held():
    assert Directory().take(*ALL) == (ALL, sorted(ALL))


def test_they_cost_nothing_while_they_wait():
    directory = Directory()
    directory.take(*ALL)
    assert not directory.acceptance._rule.jumps.due()


def test_one_at_a_time_is_a_deletion_and_the_last_one_is_held():
    directory = Directory()
    assert directory.take("rate") == ({"limit": 6, "x": 7}, [])
    assert directory.take("limit") == ({"x": 7}, [])
    assert directory.take("x") == ({"x": 7}, ["x"])


def test_they_end_when_all_come_back():
    directory = Directory()
    directory.take(*ALL)
    assert directory.take(**ALL) == (ALL, [])


@pytest.mark.parametrize("back", ALL)
def test_the_others_are_deletions_once_one_of_them_is_back(back):
    directory = Directory()
    directory.take(*ALL)
    assert directory.take(**{back: 9}) == ({back: 9}, [])


def test_all_are_deletions_once_something_else_is_there():
    directory = Directory()
    directory.take(*ALL)
    assert directory.take(other=1) == ({"other": 1}, [])


def test_what_does_not_fit_lets_none_of_them_go():
    directory = Directory()
    directory.take(*ALL)
    directory.record.take(Patch({"other": Entry((), [1], "other")}))
    assert directory.attempt() == (ALL, sorted([*ALL, "other"]))


def test_what_was_let_go_does_not_count_any_more():
    directory = Directory()
    directory.take("rate")
    directory.take("limit", "x")
    assert directory.take(rate=8) == ({"rate": 8}, [])
    assert directory.take("rate") == ({"rate": 8}, ["rate"])


def test_thousands_are_held_and_let_go_in_time_that_grows_with_their_number():
    many = {f"n{number}": number for number in range(3000)}
    directory = Directory(**many)
    assert directory.take(*many) == (many, sorted(many))
    assert directory.take(**many) == (many, [])


def test_one_that_a_held_unit_may_need_is_not_let_go_alone():
    class App(msgspec.Struct, frozen=True):
        n: int = 0
        a: int = 0
        c: int = 0

    record = SourceRecord("two", ["low", "high"], optional=False)
    acceptance = Acceptance(compile_plan(App), [record])
    at = {"a": 0, "c": 0, "n": 1}
    record.take(Replace({name: Entry((name,), 1, 1, 1, layer) for name, layer in at.items()}))
    assert acceptance.start() == []
    record.take(Patch({"n again": Entry(("n",), "no number", 2, 2, 1)}))
    acceptance.attempt()
    record.take(Patch({"n": Entry(("n",), 5, 3, 3, 1)}, {"a": 3, "c": 4}))
    acceptance.attempt()
    assert acceptance.part.value == App(1, 1, 1)
    assert sorted(unit for _, unit in acceptance.held) == [2, 3, 4]
