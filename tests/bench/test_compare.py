"""What `compare` says of made-up results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness.compare import compare, is_bad
from bench.harness.results import load, save
from tests.bench.made_up import case, case_result, noisy, result, steady

ROOT = Path(__file__).parents[2]


def run(ours, rival=None, failure=""):
    """A result of one point."""
    rounds = {"ours": ours} if rival is None else {"ours": ours, "rival": rival}
    return result(case_result(case(*rounds), [({"size": 1}, rounds)], failure=failure))


def kinds(old, new, threshold=0.1):
    return {change.where: change.kind for change in compare(old, new, threshold)}


@pytest.mark.parametrize(
    ("figure", "kind"),
    [(10, "same"), (10.5, "worse, within the threshold"), (11.5, "worse"), (9, "better")],
)
def test_steady_figures_change_by_what_they_change(figure, kind):
    assert kinds(run(steady(10)), run(steady(figure))) == {"it p50": kind, "it p99": kind}


def test_what_lies_in_the_spread_is_the_same():
    assert kinds(run(noisy(10)), run(noisy(11.5)))["it p50"] == "same"
    assert kinds(run(noisy(10)), run(noisy(30)))["it p50"] == "worse"


def test_a_machine_half_as_fast_is_no_regression_where_there_is_a_rival():
    assert kinds(run(steady(10), steady(5)), run(steady(20), steady(10))) == {
        "it p50 / rival": "same",
        "it p99 / rival": "same",
    }


def test_a_rival_that_got_faster_shows():
    assert kinds(run(steady(10), steady(5)), run(steady(10), steady(4)))["it p50 / rival"] == "worse"


def test_what_was_nothing_and_is_something_got_worse():
    assert kinds(run(steady(0)), run(steady(1)))["it p50"] == "worse"


def test_cases_that_are_gone_or_failed_are_named():
    old = run(steady(10))
    assert kinds(old, result()) == {"it": "gone"}
    failed = result(case_result(case("ours"), [], failure="ours: died\n    trace"))
    assert kinds(old, failed) == {"it: ours: died": "failed", "it p50": "gone", "it p99": "gone"}


def test_only_worse_and_failed_are_bad():
    changes = compare(run(steady(10)), run(steady(10.5)), 0.1)
    assert not any(map(is_bad, changes))
    assert all(map(is_bad, compare(run(steady(10)), run(steady(10.5)), 0.01)))


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", "compare", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_fails_on_a_regression_only(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    save(run(steady(10)), old)
    save(run(steady(20)), new)
    worse = command(old, new)
    assert (worse.returncode, worse.stderr) == (1, "")
    assert "worse: it p50: 10 (10–10) became 20 (20–20) (+100%)" in worse.stdout
    assert command(old, old).returncode == 0
    assert command(old, new, "--threshold", "1.5").returncode == 0


def test_a_file_of_another_kind_is_named(tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    done = command(wrong, wrong)
    assert done.returncode == 1
    assert f"{wrong}: expected a result of `python -m bench run`, got something else" in done.stderr
    with pytest.raises(ValueError, match="expected a result"):
        load(wrong)


def test_a_result_survives_its_file(tmp_path):
    before = run(noisy(10), steady(5))
    save(before, tmp_path / "result.json")
    assert load(tmp_path / "result.json") == before
