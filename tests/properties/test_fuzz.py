"""No content ends or stalls a program: some hundreds here, for hours by hand (`make fuzz SECONDS=3600`)."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fuzz.driving import drive
from bench.fuzz.recorder import FuzzRecorder
from reactive_config._testing.etcd_server import etcd_server

pytestmark = [pytest.mark.slow, pytest.mark.half_grid]


@pytest.fixture
def recorder():
    recorder, logger = FuzzRecorder(), logging.getLogger("reactive_config")
    logger.addHandler(recorder)
    yield recorder
    logger.removeHandler(recorder)


@pytest.mark.parametrize(
    ("seed", "contents"),
    [(1, 80), pytest.param(2, 900, marks=[pytest.mark.storm, pytest.mark.timeout(300)])],
)
async def test_odd_content_is_taken_or_held_and_good_keys_go_on(seed, contents, recorder):
    await drive(seed, recorder, lambda number: number < contents)
    assert recorder.breaches == []
    tried = {name: recorder.counts[name] for name in ("deltas", "memory", "documents", "values", "starts")}
    assert sum(tried.values()) == 2 * contents
    assert min(tried.values()) > contents / 10
    assert min(recorder.counts["taken"], recorder.counts["held"]) > contents / 15  # neither is all


@pytest.mark.etcd
@pytest.mark.parametrize(
    ("seed", "contents"),
    [(3, 60), pytest.param(4, 600, marks=[pytest.mark.storm, pytest.mark.timeout(300)])],
)
async def test_odd_keys_in_a_real_etcd_are_taken_or_held_and_good_ones_go_on(seed, contents, recorder):
    async with etcd_server() as server:
        await drive(seed, recorder, lambda number: number < contents, etcd=server)
    assert recorder.breaches == []
    assert recorder.counts["etcd"] > contents / 4


def test_the_command_says_what_it_does_and_what_it_tried():
    command = [sys.executable, "-m", "bench", "fuzz"]
    root = Path(__file__).parents[2]
    told = subprocess.run([*command, "--help"], cwd=root, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "exit code is 1" in told
    quick = [*command, "--seconds", "2", "--without-etcd"]
    told = subprocess.run(quick, cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "memory" in told  # which other sources it came to depends on the machine
    assert "longest work" in told
