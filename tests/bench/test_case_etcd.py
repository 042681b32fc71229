"""A tiny round of every case with a real etcd: each subject sees what the stage did, and says a figure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.cases.many_keys import App, ByHand, Limit
from bench.cases.raw_etcd import HAS_LEADER, OPTIONS
from bench.harness.case import find_cases
from bench.harness.rounds import Point
from bench.harness.settings import open_settings
from reactive_config._etcd import link
from reactive_config._etcd.channel import channel_options
from reactive_config._etcd.settings import Settings

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.storm]  # no promise of the package is tested here

TINY = {
    "put_to_visible": ({"size": 1024}, 3, 50.0),
    "burst_done": ({"keys": 300}, 500, 0.0),
    "burst_cpu": ({"keys": 300}, 500, 0.0),
    "catch_up": ({"keys": 300, "missed": 40}, 1, 0.0),
    "start": ({"keys": 300}, 1, 0.0),
    "start_opened": ({"keys": 300}, 1, 0.0),
    "memory": ({"keys": 300}, 1, 0.0),
    "idle": ({"keys": 100, "seconds": 0.2}, 1, 0.0),
    "release_etcd": ({"keys": 100, "documents": 10}, 3, 0.0),
    "hold": ({"keys": 300, "subscribers": 5, "changed": 3}, 3, 50.0),
}

MISSING = {"watchdog is not installed", "no etcdctl beside etcd"}


async def run(home, name, params, samples, rate):
    """Two rounds of one point; the point."""
    settings = f"[cases.{name}]\nsamples = {samples}\nrate = {rate}\n"
    (home / "common/case.toml").write_text(settings)
    async with open_settings("small", home=home) as config:
        point = Point(find_cases().cases[name], params, config, lambda done, of: None)
        await point.run()
    return point


@pytest.mark.parametrize("name", TINY)
async def test_every_subject_gives_figures(home, name):
    params, samples, rate = TINY[name]
    point = await run(home, name, params, samples, rate)
    assert set(point.absent.values()) <= MISSING
    assert {*point.samples, *point.absent} == set(find_cases().cases[name].subjects)
    for rounds in point.samples.values():
        assert len(rounds) == 2
        assert all(0 <= figure < 30_000 for figures in rounds for figure in figures)


@pytest.mark.parametrize("kind", ["yaml", "toml"])
async def test_texts_of_each_format_reach_every_subject(home, kind):
    point = await run(home, "put_to_visible_text", {"size": 1024, "format": kind}, 3, 50.0)
    assert all(rounds[-1] for rounds in point.samples.values())
    assert "reactive_config" in point.samples
    assert "raw stub" in point.samples


async def test_puts_that_are_skipped_are_counted(home):
    """As many as there is time for: who conflates has a figure for each all the same."""
    point = await run(home, "put_to_visible", {"size": 102_400}, 20, 0.0)
    assert {len(figures) for rounds in point.samples.values() for figures in rounds} == {20}


def test_the_channels_of_the_raw_stub_are_as_ours():
    assert dict(OPTIONS) == dict(channel_options(Settings(), None))
    assert HAS_LEADER == link.HAS_LEADER


async def test_by_hand_follows_deletions_too():
    state = ByHand({"endpoint": "", "prefix": "/p/"})
    for key in ("a/b", "a/c"):
        state.take(f"/p/limits/{key}".encode(), b'{"rate":1.0,"burst":2}')
    state.take(b"/p/mark", b'{"round":3}')
    state.drop(b"/p/limits/a/b")
    state.drop(b"/p/limits/z/z")
    state.drop(b"/p/mark")
    assert state.current == App(limits={"a": {"c": Limit(1.0, 2)}})


def test_a_process_of_the_raw_stub_does_not_carry_us():
    """Else its start and its memory would be ours too."""
    code = "import sys, bench.harness.child, bench.cases.start; sys.exit('reactive_config' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
