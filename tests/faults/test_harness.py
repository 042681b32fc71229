"""Some seconds of the harness on every etcd, a minute in a storm; longer by hand: `python -m bench faults --help`."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from bench.faults import fault_schedule, run
from bench.faults.fault_schedule import reseed
from bench.faults.report import rows, text
from bench.faults.run import Plan, Run
from reactive_config._sources.etcd import comparison

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]


@pytest.mark.parametrize(
    ("seed", "duration"),
    [
        (7, 4.0),
        pytest.param(7, 15.0, marks=pytest.mark.storm),
        pytest.param(8, 60.0, marks=[pytest.mark.storm, pytest.mark.timeout(240)]),
    ],
)
async def test_random_faults_break_no_promise(binary, seed, duration):
    """In seconds of faults."""
    result = await Run(Plan(binary, seed=seed, duration=duration, pause=0.2)).run()
    print(text(result))
    assert [str(breach) for breach in result.breaches] == []
    assert result.differs == ""
    assert result.recorder.acknowledged > 15 * duration
    assert sum(len(log.seen) for follower in result.followers for log in follower.logs) > 15 * duration
    assert dict(rows(result))["breach: torn"] == "0"


@pytest.mark.parametrize("duration", [3.0, pytest.param(15.0, marks=pytest.mark.storm)])
async def test_random_faults_break_no_promise_where_there_is_authentication(binary, duration):
    result = await Run(Plan(binary, duration=duration, pause=0.2, login=True)).run()
    print(text(result))
    assert [str(breach) for breach in result.breaches] == []
    assert result.recorder.acknowledged > 10 * duration


@pytest.mark.parametrize("keys", [600, pytest.param(5000, marks=pytest.mark.storm)])
async def test_a_reseed_is_recognised_by_every_follower(binary, monkeypatch, keys):
    monkeypatch.setattr(comparison, "PAUSE", 0.2)
    monkeypatch.setattr(run, "fault_schedule", lambda members, rng: itertools.repeat(reseed))
    monkeypatch.setattr(fault_schedule, "BALLAST", (keys,))
    result = await Run(Plan(binary, duration=2.0, pause=0.2)).run()
    print(text(result))
    assert [str(breach) for breach in result.breaches] == []
    assert result.faults["reseed"] >= 1


def test_the_command_says_what_it_does():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "faults", "--help"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "--seed" in done.stdout
    assert "exit code is 1" in done.stdout
