"""Runs that do not come to their end: what was measured until then is kept, and the exit code says so."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("matplotlib")

from bench.harness import Case
from bench.harness.case import choose_cases, find_cases
from bench.harness.grid import measure
from bench.harness.results import load
from tests.bench import subjects

ROOT = Path(__file__).parents[2]

RIVALS = {"aetcd", "dynaconf", "grpc", "omegaconf", "pydantic", "pydantic_settings", "ryaml", "watchdog", "yaml"}


def case(name, kind):
    return Case(name=name, title=name, unit="ms", subjects={"it": kind})


async def run(home, *cases, kept=lambda _: None):
    console = Console(file=io.StringIO(), width=140)
    return await measure("small", cases, None, console, home=home, kept=kept)


def start(folder, *only, **settings):
    """`python -m bench run small` in a group of processes of its own, as in a terminal."""
    chosen = [part for name in only for part in ("--only", name)]
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "small", *chosen, "--rounds", "1", "--out", str(folder)],
        cwd=ROOT,
        env={**os.environ, "BENCH_WARMUP": "0", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes():
    """State, parent and group of every process that is no zombie."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, group = file.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if state != "Z":
            yield int(parent), int(group)


@pytest.mark.storm
@pytest.mark.slow
@pytest.mark.etcd
@pytest.mark.parametrize("terminal", [True, False])
def test_who_is_interrupted_keeps_the_finished_cases_and_ends_every_process(tmp_path, terminal):
    """A terminal sends SIGINT to the whole group, so etcd gets it too; a supervisor SIGTERM to one."""
    run = start(tmp_path, "read", "start")
    assert run.stdout is not None
    for line in run.stdout:
        if line.startswith("start keys=10000"):
            break
    if terminal:
        os.killpg(run.pid, signal.SIGINT)
    else:
        run.terminate()
    said, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (130, "")
    assert "interrupted before the end of: start" in said
    result = load(tmp_path / "result.json")
    read, started = result.cases
    assert (read.name, read.failure) == ("read", "")
    assert (started.failure, [point.params for point in started.points]) == ("interrupted", [{"keys": 10}])
    assert "Interrupted before the end of: start." in (tmp_path / "table.md").read_text()
    assert (tmp_path / "read.svg").exists()
    assert run.pid not in {group for _, group in processes()}


def test_ctrl_c_ends_a_profile_without_a_traceback(tmp_path):
    profile = subprocess.Popen(
        [sys.executable, "-m", "bench", "profile", "read", "--at", "calls=100000000", "--out", str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while profile.pid not in {parent for parent, _ in processes()}:  # the subject, which measures for minutes
        time.sleep(0.01)
    profile.send_signal(signal.SIGINT)
    assert profile.communicate(timeout=60)[1] == b""
    assert profile.returncode == 130


@pytest.mark.storm
@pytest.mark.slow
def test_a_case_that_fails_is_in_the_exit_code_and_the_others_are_kept(tmp_path):
    run = start(tmp_path, "read", "rebuild", BENCH_CASES__READ__DEADLINE="1ms")
    said, errors = run.communicate(timeout=100)
    assert (run.returncode, errors) == (1, "")
    assert "read failed: reactive_config: expected an answer in 0.001 s" in said
    result = load(tmp_path / "result.json")
    assert {case.name: (bool(case.failure), len(case.points)) for case in result.cases} == {
        "read": (True, 0),
        "rebuild": (False, 1),
    }
    assert result.unmeasured == []
    assert (tmp_path / "rebuild.svg").exists()


async def test_a_run_that_is_cancelled_in_the_middle_of_a_round_has_what_was_before_it(home, tmp_path):
    pid = tmp_path / "pid"
    (home / "common" / "it.toml").write_text(f'[cases.hanging]\naxes = {{ pid = ["{pid}"] }}\n')
    running = asyncio.create_task(run(home, case("fine", subjects.Constant), case("hanging", subjects.Parent)))
    while not (pid.exists() and pid.read_text()):
        await asyncio.sleep(0.01)
    running.cancel()
    result = await running
    assert [(one.name, one.failure) for one in result.cases] == [("fine", ""), ("hanging", "interrupted")]
    assert result.unmeasured == ["hanging"]
    assert not running.cancelling()


async def test_every_case_is_kept_as_soon_as_it_is_over(home):
    kept = []
    cases = (case("fine", subjects.Constant), case("broken", subjects.Raising), case("last", subjects.Half))
    result = await run(home, *cases, kept=kept.append)
    assert [(len(one.cases), one.unmeasured) for one in kept] == [(1, ["broken", "last"]), (2, ["last"]), (3, [])]
    assert kept[-1] == result
    assert all(case.seconds > 0 for case in result.cases)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of cases: one module is fine, one is not."""
    folder = tmp_path / "some_cases"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "broken.py").write_text("import no_such_module_anywhere\n")
    (folder / "fine.py").write_text(
        textwrap.dedent(
            """
            from bench.harness import Case
            from tests.bench.subjects import Constant
            CASES = [Case(name="fine", title="fine", unit="ms", subjects={"it": Constant})]
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    import some_cases  # type: ignore[import-not-found]

    yield some_cases
    for name in [name for name in sys.modules if name.startswith("some_cases")]:
        del sys.modules[name]


def test_a_module_that_cannot_be_imported_is_named_and_the_others_can_be_picked(package):
    found = find_cases(package)
    assert found.broken == {
        "some_cases.broken": "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
    }
    assert [case.name for case in choose_cases(["fine"], found)] == ["fine"]
    for names in ([], ["other"]):
        with pytest.raises(ValueError, match=r"some_cases.broken cannot be imported: ModuleNotFoundError"):
            choose_cases(names, found)


def test_to_find_the_cases_needs_no_rival():
    code = "import sys, json; from bench.harness.case import find_cases; find_cases()"
    code += "; print(json.dumps([*sys.modules]))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, cwd=ROOT)
    assert RIVALS & set(json.loads(said.stdout)) == set()
