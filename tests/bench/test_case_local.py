"""A tiny round of every case that needs no server: each subject sees what happens, and says a figure."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bench.cases import environments, release
from bench.cases.lateness import Lateness
from bench.cases.replaced import Inotify
from bench.cases.visible import until_visible
from bench.cases.written import tables, wide
from bench.harness.case import find_cases
from bench.harness.rounds import Point
from bench.harness.settings import open_settings
from reactive_config._releases.environment_name import EnvironmentName

TINY = {
    "read": ({"calls": 1000}, 1, 0.0),
    "one_change": ({"keys": 120, "changes": 5}, 2, 0.0),
    "one_change_wide": ({"keys": 120, "changes": 5}, 2, 0.0),
    "subscribers": ({"subscribers": 20}, 3, 0.0),
    "subscriber_memory": ({"subscribers": 200}, 1, 0.0),
    "selectors": ({"selectors": 50}, 2, 0.0),
    "function_selectors": ({"selectors": 50}, 2, 0.0),
    "rebuild": ({"changes": 3}, 2, 0.0),
    "start_files": ({"keys": 120}, 1, 0.0),
    "file_replace": ({"format": "json", "size": 1024}, 3, 20.0),
    "file_replace_hold": ({"format": "yaml", "size": 1024}, 3, 20.0),
    "release_sqlite": ({"keys": 100, "documents": 10}, 3, 0.0),
    "read_effective": ({"keys": 1000, "over": "app", "answer": 200}, 3, 0.0),
    "read_after_change": ({"keys": 1000, "over": "app", "answer": 200}, 3, 0.0),
}


async def run(home, name, params, samples, rate):
    """Two rounds of one point; the point."""
    (home / "common/case.toml").write_text(f"[cases.{name}]\nsamples = {samples}\nrate = {rate}\n")
    async with open_settings("small", home=home) as config:
        point = Point(find_cases().cases[name], params, config, lambda done, of: None)
        await point.run()
    return point


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
async def test_every_subject_gives_figures(home, name):
    params, samples, rate = TINY[name]
    point = await run(home, name, params, samples, rate)
    assert all("is not installed" in reason or "inotify" in reason for reason in point.absent.values())
    assert {*point.samples, *point.absent} == set(find_cases().cases[name].subjects)
    for rounds in point.samples.values():
        assert len(rounds) == 2
        assert all(-10 < figure < 1e7 for figures in rounds for figure in figures)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["toml", pytest.param("yaml", marks=pytest.mark.storm)])
async def test_files_of_each_format_are_read_by_every_subject(home, kind):
    point = await run(home, "file_replace", {"format": kind, "size": 1024}, 3, 20.0)
    assert all("is not installed" in reason for reason in point.absent.values())
    assert {len(figures) for rounds in point.samples.values() for figures in rounds} == {3}


@pytest.mark.slow
@pytest.mark.parametrize("over", ["app", "uvicorn"])
@pytest.mark.parametrize("answer", [200, pytest.param(304, marks=pytest.mark.storm)])
async def test_reading_by_each_way_answers_as_it_is_asked(home, over, answer):
    """Each subject checks the status, and the size of the body, of what it measures."""
    point = await run(home, "read_effective", {"keys": 1000, "over": over, "answer": answer}, 3, 0.0)
    assert all("is not installed" in reason for reason in point.absent.values())
    assert {len(figures) for rounds in point.samples.values() for figures in rounds} <= {3}


def test_what_is_written_by_hand_is_as_large_as_what_a_release_writes(tmp_path):
    async def written():
        async with AsyncExitStack() as stack:
            releases = await environments.open_releases(f"sqlite:{tmp_path}/releases.db", stack)
            await environments.fill(releases, environments.ENVIRONMENT, environments.trees(100, 1))
            name = EnvironmentName(environments.NAMESPACE, environments.ENVIRONMENT)
            for value in range(200_001, 200_004):
                await releases.change(name, environments.change_to(value))
        with contextlib.closing(sqlite3.connect(tmp_path / "releases.db")) as file:
            sizes = dict(file.execute("SELECT key, length(value) FROM keys"))
            return sizes, file.execute("SELECT value FROM keys WHERE key = ?", (release.KEY,)).fetchone()[0]

    sizes, raw = asyncio.run(written())
    assert raw == environments.Document(100, 1).raw(200_003)
    assert 0.9 < sizes[release.HEAD_KEY] / release.HEAD < 1.1
    assert 0.9 < sizes[f"{release.RECORDS}{4:012}"] / release.RECORD < 1.1


@pytest.mark.slow
async def test_who_only_parses_is_measured_on_one_loop(home):
    pytest.importorskip("uvloop")
    point = await run(home, "file_replace", {"format": "json", "size": 1024, "loop": "uvloop"}, 3, 20.0)
    assert {"reactive_config", "inotify"} <= set(point.samples)
    assert point.absent["dynaconf"] == "measured on asyncio only"


def test_documents_that_were_skipped_were_visible_with_the_next_one():
    written = [0, 10_000_000, 20_000_000]
    assert until_visible(written, [1, 1_000_000, 2, 12_000_000, 3, 23_000_000]) == [1.0, 2.0, 3.0]
    assert until_visible(written, [2, 12_000_000, 2, 13_000_000, 3, 30_000_000]) == [12.0, 2.0, 10.0]
    assert until_visible(written, [3, 24_000_000]) == [24.0, 14.0, 4.0]


def test_the_settings_name_cases_and_points_that_exist():
    """Every point of both grids has the params that the tiny rounds have: no case needs one that nobody gives."""

    async def points(grid):
        async with open_settings(grid) as config:
            return {name: config.current.case(name).points() for name in TINY}

    for grid in ("small", "full"):
        for name, found in asyncio.run(points(grid)).items():
            assert all(set(TINY[name][0]) <= set(point) for point in found), name


@pytest.mark.parametrize("keys", [10, 100, 101, 20_000])
def test_trees_have_as_many_keys_in_tables_of_100(keys):
    groups = tables(keys)["groups"].values()
    found = [len(table) for group in groups for table in group.values()]
    assert sum(found) == keys
    assert max(found) <= 100
    assert max(map(len, groups)) <= 100
    assert len(wide(keys)["keys"]) == keys


async def test_inotify_tells_of_the_replaced_file_only(tmp_path: Path):
    file, moved = tmp_path / "document.json", asyncio.Event()
    notifier = Inotify(file, moved.set)
    for name, told in (("other.json", False), ("document.json", True)):
        (tmp_path / ".new").write_text("{}")
        (tmp_path / ".new").replace(tmp_path / name)
        if told:
            await asyncio.wait_for(moved.wait(), 10)
        assert moved.is_set() == told
    notifier.close()


async def test_lateness_sees_a_held_loop():
    lateness = Lateness()
    await asyncio.sleep(0.01)
    lateness.take()
    time.sleep(0.05)  # noqa: ASYNC251 - what it is to see
    await asyncio.sleep(0.01)
    assert 40 < lateness.take() < 10_000
    lateness.stop()


def test_a_start_of_a_rival_does_not_carry_us():
    code = "import sys, bench.harness.child, bench.cases.start_files; sys.exit('reactive_config' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=Path(__file__).parents[2])
