"""How long a run will still take."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from rich.console import Console

pytest.importorskip("matplotlib")

from bench.harness import Case
from bench.harness.grid import earlier_seconds, measure
from bench.harness.pace import Pace, in_words
from bench.harness.results import save
from tests.bench import made_up, subjects


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_nobody_can_tell_before_anything_was_measured():
    pace = Pace({"a": 1, "b": 1}, {}, Clock())
    assert pace.left() is None
    assert in_words(pace.left()) == ""


def test_the_rest_of_a_case_takes_as_long_as_what_was_measured_of_it():
    clock = Clock()
    pace = Pace({"a": 8}, {}, clock)
    clock.now = 10.0
    pace.reached(0.25)
    assert pace.left() == 30.0


def test_a_case_to_come_takes_as_long_as_before_or_as_turns_of_this_run_do():
    clock = Clock()
    pace = Pace({"a": 10, "b": 20, "c": 10, "d": 30}, {"c": 7.0}, clock)
    clock.now = 10.0
    assert pace.over() == 10.0
    assert pace.left() == 20.0 + 7.0 + 30.0
    clock.now = 14.0
    assert pace.left() == 16.0 + 7.0 + 30.0  # some of it is over, though nobody knows how much
    pace.reached(0.5)  # so all of it takes 8 s, and the 20 turns that there were took 14
    assert pace.left() == 4.0 + 7.0 + 21.0


def test_an_earlier_run_tells_from_the_start():
    assert Pace({"a": 1, "b": 9}, {"a": 100.0, "b": 20.0}, Clock()).left() == 120.0


def test_a_case_that_takes_longer_than_expected_is_about_to_end_and_the_end_is_zero():
    clock = Clock()
    pace = Pace({"a": 1}, {"a": 5.0}, clock)
    clock.now = 9.0
    assert pace.left() == 0.0
    pace.over()
    assert pace.left() == 0.0


def test_words_are_rounded_as_people_do():
    assert [in_words(seconds) for seconds in (0.0, 89.4, 90.1, 600.0)] == [
        "about 0 s left",
        "about 89 s left",
        "about 2 min left",
        "about 10 min left",
    ]


async def test_the_rest_is_told_with_every_point(home):
    (home / "common" / "it.toml").write_text("[cases.it]\naxes = { size = [1, 2] }\n")
    console = Console(file=io.StringIO(), width=140)
    case = Case(name="it", title="it", unit="ms", subjects={"it": subjects.Constant})
    await measure("small", [case], None, console, home=home, earlier={"it": 600.0})
    first, second = console.file.getvalue().splitlines()
    assert first == "it size=1 (1 of 2), about 10 min left"
    assert re.fullmatch(r"it size=2 \(2 of 2\), about \d s left", second)  # half of it took no time


def test_an_earlier_run_is_the_one_of_the_same_grid_in_the_same_place(tmp_path):
    one = msgspec.structs.replace(made_up.case_result(made_up.case("ours"), [], ()), seconds=12.0)
    failed = msgspec.structs.replace(one, name="failed", failure="it died")
    save(made_up.result(one, failed), tmp_path / "result.json")
    assert earlier_seconds("small", tmp_path) == {"it": 12.0}
    assert earlier_seconds("full", tmp_path) == {}
    assert earlier_seconds("small", tmp_path / "nowhere") == {}
    (tmp_path / "result.json").write_text("{}")
    assert earlier_seconds("small", tmp_path) == {}
