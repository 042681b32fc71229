"""Whole runs: what they print and leave behind, and that the cases of the grid are all right."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("matplotlib")

from bench.harness import Case
from bench.harness.case import find_cases
from bench.harness.grid import measure
from bench.harness.plots import draw
from bench.harness.report import show
from bench.harness.results import load
from bench.harness.settings import GRIDS, Aim, open_settings
from bench.harness.table import markdown
from tests.bench import made_up, subjects

ROOT = Path(__file__).parents[2]


def case(name, *kinds):
    return Case(name=name, title=name, unit="ms", subjects={kind.__name__: kind for kind in kinds})


def pictures(folder):
    return sorted(file.name for file in folder.iterdir() if file.suffix in (".svg", ".png"))


async def run(home, *cases):
    console = Console(file=io.StringIO(), width=140)
    return await measure("small", cases, None, console, home=home)


async def test_a_case_that_fails_does_not_end_the_run(home):
    result = await run(home, case("broken", subjects.Raising), case("fine", subjects.Constant))
    broken, fine = result.cases
    assert "the canary" in broken.failure
    assert broken.points == []
    assert (fine.failure, fine.points[0].subjects[0].rounds) == ("", [[10.0], [10.0]])


async def test_an_aim_at_an_unknown_rival_is_refused(home):
    (home / "common" / "it.toml").write_text('[[cases.it.aims]]\nat_most = 1.0\nagainst = "Haf"\n')
    result = await run(home, case("it", subjects.Constant, subjects.Half))
    assert result.cases[0].failure == "cases.it.aims: expected a rival of Half, got 'Haf'"


async def test_points_ratios_and_verdicts_of_a_run(home):
    (home / "common" / "it.toml").write_text(
        '[cases.it]\nsamples = 2\naxes = { size = [1, 2] }\n[[cases.it.aims]]\nat_most = 1.5\nagainst = "Half"\n'
    )
    result = await run(home, case("it", subjects.Constant, subjects.Half))
    points = result.cases[0].points
    assert [point.params for point in points] == [{"size": 1}, {"size": 2}]
    assert [point.ratios["Half"]["p50"].value for point in points] == [2.0, 2.0]
    assert [point.verdicts[0].met for point in points] == [False, False]


@pytest.mark.storm
def test_one_command_measures_prints_and_writes(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "small", "--only", "read", "--rounds", "2", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.index("bare Struct") < done.stdout.index("Aims:")
    result = load(tmp_path / "result.json")
    assert [case.name for case in result.cases] == ["read"]
    assert {len(subject.rounds) for subject in result.cases[0].points[0].subjects} == {2}
    assert (tmp_path / "table.md").read_text() == markdown(result)
    assert pictures(tmp_path) == ["ratios.png", "ratios.svg", "read.png", "read.svg"]


def test_an_unknown_case_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "small", "--only", "reed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "--only: expected a case of " in done.stderr
    assert "got reed" in done.stderr


def made_up_result():
    """Every kind of picture, a rival that is not there, a case that failed."""
    many = [[1.0 + 0.01 * n for n in range(60)]] * 3
    one = made_up.case("reactive_config", "raw stub", "gone")
    aims = [Aim(at_most=1.1, against="raw stub"), Aim(below=0.5), Aim(at_most=1, against="gone")]
    latency = made_up.case_result(one, [({}, {"reactive_config": many, "raw stub": many})], aims)
    two = made_up.case("reactive_config", "rival", name="scale", title="one change | among keys", unit="us")
    sizes = [
        ({"keys": keys}, {"reactive_config": made_up.noisy(keys), "rival": made_up.noisy(2 * keys)})
        for keys in (10, 100, 1000)
    ]
    scale = made_up.case_result(two, sizes, [Aim(at_most=2, base={"keys": 10})])
    three = made_up.case("reactive_config", name="memory", unit="MiB")
    memory = made_up.case_result(three, [({}, {"reactive_config": made_up.noisy(20)})], [Aim(at_most=21.0)])
    failed = made_up.case_result(made_up.case("reactive_config", name="broken"), [], failure="it: died\n    trace")
    return made_up.result(latency, scale, memory, failed)


def test_the_table_has_the_aim_beside_the_figure():
    text = markdown(made_up_result())
    assert "Z80, 1 core, governor not readable, CP/M 2.2, CPython 3.11, load 0.5 at the start" in text
    assert "etcd 3.5.1, msgspec 0.22.0" in text
    assert "| it |  | p50 at most 1.1 × raw stub | 1 (1–1) | met |" in text
    assert "| it |  | p50 at most 1 × gone |  | not measured |" in text
    assert "| scale | keys=1000 | p50 at most 2 × at keys=10 | 100 (" in text
    assert "| memory |  | p50 at most 21 MiB | 20 (" in text
    assert "### `scale`: one change | among keys, us" in text
    assert "| gone |  |  | not here: not measured |  |" in text
    assert "Failed: it: died" in text


def test_what_is_printed_begins_with_ratios_and_ends_with_failures():
    console = Console(file=io.StringIO(), width=140)
    show(made_up_result(), console)
    text = console.file.getvalue()
    where = [text.index(part) for part in ("p50 ratio", "Aims: 3 of 6 missed", "broken failed: it: died")]
    assert where == sorted(where)


def test_every_kind_of_picture_is_drawn_and_says_what_it_shows(tmp_path):
    draw(made_up_result(), tmp_path)
    names = [f"{name}.{kind}" for name in ("it", "memory", "ratios", "scale") for kind in ("png", "svg")]
    assert pictures(tmp_path) == names
    texts = {
        file.stem: " ".join(
            "".join(element.itertext()) for element in ET.parse(file).iter("{http://www.w3.org/2000/svg}text")
        )
        for file in tmp_path.glob("*.svg")
    }
    assert "percentile" in texts["it"]
    assert "raw stub" in texts["it"]
    assert "keys" in texts["scale"]
    assert "aim for p50" in texts["memory"]
    assert "aim: left of this line" in texts["ratios"]


@pytest.mark.parametrize("grid", GRIDS)
async def test_the_settings_speak_of_cases_and_rivals_that_there_are(grid):
    cases = find_cases().cases
    async with open_settings(grid) as config:
        assert set(config.current.cases) <= set(cases)
        for name, settings in config.current.cases.items():
            assert {aim.against for aim in settings.aims} <= {"", *cases[name].rivals}, name


async def test_every_aim_speaks_of_a_point_of_the_full_grid():
    async with open_settings("full") as config:
        idle = [
            (name, aim)
            for name, settings in config.current.cases.items()
            for aim in settings.aims
            if not any(aim.applies(params) for params in settings.points())
        ]
    assert idle == []
