"""From figures to ratios and verdicts."""

from __future__ import annotations

import pytest

from bench.harness.settings import Aim
from tests.bench.made_up import case, case_result, noisy, steady


def verdicts(aims, points, *labels):
    found = case_result(case(*labels), points, aims)
    return [(point.params, verdict.met, verdict.close) for point in found.points for verdict in point.verdicts]


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim(at_most=2.0, against="rival"), True),
        (Aim(at_most=1.99, against="rival"), False),
        (Aim(below=2.0, against="rival"), False),
        (Aim(below=2.1, against="rival"), True),
        (Aim(at_most=10.0), True),
        (Aim(at_most=9.0, figure="max"), False),
    ],
)
def test_an_aim_is_met_by_a_figure_or_a_ratio(aim, met):
    points = [({}, {"ours": steady(10), "rival": steady(5)})]
    assert verdicts([aim], points, "ours", "rival")[0][1] is met


def test_an_aim_inside_the_spread_is_close():
    points = [({}, {"ours": noisy(10)})]
    assert verdicts([Aim(at_most=10.5), Aim(at_most=20), Aim(at_most=5)], points, "ours") == [
        ({}, True, True),
        ({}, True, False),
        ({}, False, False),
    ]


def test_an_aim_speaks_only_of_the_points_it_names():
    points = [({"size": size}, {"ours": steady(size)}) for size in (1, 100)]
    assert verdicts([Aim(at_most=50, where={"size": 100})], points, "ours") == [({"size": 100}, False, False)]


def test_an_aim_against_another_point_of_ours_keeps_the_other_params():
    points = [
        ({"keys": keys, "loop": loop}, {"ours": steady(cost)})
        for keys, loop, cost in [(10, "a", 4), (10, "b", 8), (1000, "a", 7), (1000, "b", 20)]
    ]
    aim = Aim(at_most=2.0, base={"keys": 10})
    assert [(params["loop"], met) for params, met, _ in verdicts([aim], points, "ours")] == [("a", True), ("b", False)]


def test_what_a_missing_rival_was_to_be_held_against_is_neither_met_nor_missed():
    points = [({}, {"ours": steady(1)})]
    assert verdicts([Aim(at_most=1, against="rival")], points, "ours", "rival") == [({}, None, False)]


def test_ratios_are_ours_divided_by_theirs():
    point = case_result(case("ours", "rival"), [({}, {"ours": steady(3), "rival": steady(2)})]).points[0]
    assert point.ratios["rival"]["p50"].value == 1.5
    assert [subject.label for subject in point.subjects] == ["ours", "rival"]
