"""The guard that counts: steady, as expected, and red for what is slower."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reactive_config._core.acceptance.trial as trial
from bench.counts import command, expected
from bench.counts.scenarios import SCENARIOS
from bench.counts.tally import Counts, count
from reactive_config._core.layers import Stack
from reactive_config._core.runtime.cells import PathIndex

ONE_KEY = "one key among 1,000"

Patch = Callable[[pytest.MonkeyPatch], None]


def test_nothing_grew() -> None:
    """Every scenario does what was expected of it, and no more.

    In a process of its own: pytest rewrites the assertions of packages that have a plugin, and so counts more.
    """
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-m", "bench", "counts"], cwd=root, capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr


async def _counted(scenario: str) -> dict[str, Counts]:
    async with SCENARIOS[scenario]() as step:
        return {scenario: await count(step)}


async def test_what_is_held_costs_an_unrelated_change_little() -> None:
    """At most twice of what it costs with nothing held, in every number; and it is decoded once."""
    nothing, held = [await _counted(name) for name in (ONE_KEY, "one key, 2,000 units held")]
    before, after = next(iter(nothing.values())), next(iter(held.values()))
    assert after.decodes == before.decodes
    for what in ("instructions", "c_calls", "kilobytes"):
        assert getattr(after, what) <= 2 * getattr(before, what), what


async def test_counts_are_steady() -> None:
    """Counting again gives the same numbers; memory may differ by its slack."""
    for scenario in (ONE_KEY, "file replaced", "100 subscribers woken"):
        again = expected.differences(await _counted(scenario), await _counted(scenario))
        assert not [str(difference) for difference in again]


def _decode_all(patch: pytest.MonkeyPatch) -> None:
    """The whole tree is decoded at every change."""
    decode = trial.decode
    patch.setattr(trial, "decode", lambda plan, tree, old, paths: decode(plan, tree, None, None))


def _look_at_all(patch: pytest.MonkeyPatch) -> None:
    """One more pass over all keys, without a call that could be counted."""
    refold = Stack.refold

    def slower(self: Stack, touched: Any) -> Any:
        for group in self.tree.get("groups", {}).values():
            for table in group.values():
                for key in table:
                    del key
        return refold(self, touched)

    patch.setattr(Stack, "refold", slower)


def _copy_all(patch: pytest.MonkeyPatch) -> None:
    """A copy of every table, made in C."""
    refold = Stack.refold

    def slower(self: Stack, touched: Any) -> Any:
        copies = [dict(table) for group in self.tree.get("groups", {}).values() for table in group.values()]
        found = refold(self, touched)
        del copies
        return found

    patch.setattr(Stack, "refold", slower)


def _ask_all(patch: pytest.MonkeyPatch) -> None:
    """Every selected path is looked at, whatever changed."""
    patch.setattr(PathIndex, "concerned", lambda self, changed: list(self._live.values()))


@pytest.mark.parametrize(
    ("slow_down", "scenario", "grown"),
    [
        (_decode_all, ONE_KEY, {"instructions", "c_calls", "decodes", "kilobytes"}),
        (_look_at_all, ONE_KEY, {"instructions"}),
        (_copy_all, ONE_KEY, {"kilobytes"}),
        (_ask_all, "1,000 selectors not touched", {"instructions", "c_calls"}),
    ],
)
async def test_a_slow_down_is_named(
    monkeypatch: pytest.MonkeyPatch, slow_down: Patch, scenario: str, grown: set[str]
) -> None:
    """A change that costs more is found, by what it costs."""
    before = await _counted(scenario)
    slow_down(monkeypatch)
    found = expected.differences(before, await _counted(scenario))
    assert grown <= {difference.what for difference in found if difference.grew}


@pytest.fixture
def only_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The command on one scenario and a file of its own."""
    monkeypatch.setattr(command, "SCENARIOS", {ONE_KEY: SCENARIOS[ONE_KEY]})
    file = tmp_path / "expected.json"
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())

    def run(*options: str) -> int:
        arguments = parser.parse_args(["counts", "--expected", str(file), *options])
        return int(arguments.run(arguments))

    return run


def test_the_command_fails_where_something_grew(
    only_one: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 as expected, 1 and the name of what grew for a slow-down, 0 again once that is expected."""
    assert only_one("--update") == 0
    assert only_one() == 0
    assert "GREW" not in capsys.readouterr().out
    _decode_all(monkeypatch)
    assert only_one() == 1
    assert f"GREW  {ONE_KEY}: decodes: expected 1, got 10" in capsys.readouterr().out
    assert only_one("--update") == 0
    assert only_one() == 0


def test_a_python_that_nobody_counted_with(
    only_one: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and what to do; the other versions' numbers stay."""
    assert only_one("--update") == 0
    monkeypatch.setattr(expected, "VERSION", "9.9")
    assert only_one() == 2
    assert "expected counts of Python 9.9, got those of 3." in capsys.readouterr().out
    assert only_one("--update") == 0
    assert only_one() == 0


def test_a_fall_is_no_growth() -> None:
    """Fewer is better; a scenario that is new is expected to do nothing."""
    low, high = Counts(100, 10, 1, 1, 1, 10), Counts(200, 20, 1, 1, 1, 20)
    assert {d.what for d in expected.differences({"a": high}, {"a": low}) if not d.grew} == {
        "instructions",
        "c_calls",
        "kilobytes",
    }
    assert all(d.grew for d in expected.differences({}, {"a": low}))


def test_slack() -> None:
    """A few percent are no difference, except in what is counted one by one."""
    wanted = {"a": Counts(1000, 100, 10, 2, 1, 100)}
    assert not list(expected.differences(wanted, {"a": Counts(1030, 103, 10, 2, 1, 115)}))
    found = expected.differences(wanted, {"a": Counts(1031, 100, 11, 3, 1, 100)})
    assert [d.what for d in found] == ["instructions", "decodes", "deltas"]
