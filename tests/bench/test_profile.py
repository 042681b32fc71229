"""`python -m bench profile`: only what is measured counts, by whose code it is, in a text short enough for the docs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import reactive_config
from bench.harness import Case
from bench.harness.calls import Spent, rooms, shares, table_of_calls
from bench.harness.profile import chosen_point, profile
from bench.harness.rooms import room_of, room_of_builtin, where
from bench.harness.settings import CaseSettings
from tests.bench import subjects

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(home):
    """The full grid's, with one round of warm-up."""
    (home / "full").mkdir()
    (home / "full" / "it.toml").write_text("warmup = 1\n[cases.it]\nsamples = 5\n")
    return home


def case(*kinds, fresh=False, unit="ms"):
    return Case(name="it", title="it", unit=unit, subjects={kind.__name__: kind for kind in kinds}, fresh=fresh)


def calls_of(function, lines):
    """Calls a sample of a function in the table; None where it is not in it."""
    found = [line.split() for line in lines if line.endswith(f" {function}")]
    return float(found[0][2].replace(",", "")) if found else None


async def test_calls_of_the_measured_rounds_are_in_it_and_nothing_else(home):
    lines = await profile(case(subjects.Constant, subjects.Busy), [], "Busy", 3, 1000, home=home)
    assert lines[0] == "it: Busy, 15 samples in 3 rounds"
    assert calls_of("_work", lines) == 2.0
    assert calls_of("_preparation", lines) is None


async def test_a_fresh_process_is_profiled_from_its_start_to_its_last_figure_less_what_it_forgets(home):
    lines = await profile(case(subjects.Busy, fresh=True), [], "Busy", 2, 1000, home=home)
    assert calls_of("_work", lines) == (1 + 2 * 5) / 5
    assert calls_of("_preparation", lines) is None


async def test_waiting_is_no_work(home):
    lines = await profile(case(subjects.Busy), [], "Busy", 2, 1000, home=home)
    waited = float(lines[2].split("; ")[1].split()[0])
    assert waited >= 0.01  # twice 10 ms, less what the clock rounds away
    assert not [line for line in lines if "'poll'" in line]


async def test_memory_is_told_by_who_holds_it(home):
    lines = await profile(case(subjects.Hoarding, unit="MiB"), [], "Hoarding", 1, 3, home=home)
    _, held = [line for line in lines if line.endswith("tests/bench/subjects.py")]  # as a room, then as a file
    assert 2900 < float(held.split()[1].replace(",", "")) < 3100
    assert "tracemalloc" not in "\n".join(lines)


@pytest.mark.parametrize("top", [1, 4])
async def test_the_table_has_as_many_functions_as_were_asked_for(home, top):
    lines = await profile(case(subjects.Busy), [], "Busy", 1, top, home=home)
    assert len(lines) - lines.index("   own   with  calls/sample  where") - 1 == top


def test_one_command_prints_the_profile_and_leaves_it_beside_the_results(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "profile", "one_change"),
            *("--at", "keys=120", "--at", "changes=5", "--rounds", "1", "--top", "5", "--out", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "profile-one_change.txt").read_text()
    assert done.stdout.startswith(text)
    assert text.startswith("one_change keys=120 changes=5: reactive_config, 5 samples in 1 rounds\np50 ")
    (core,) = [line for line in text.splitlines() if line.endswith("  reactive_config._core")]
    assert float(core.split("%")[0]) > 0  # by the clock: how much more depends on who else uses the machine


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reed"], "expected a case of "),
        (["read", "--subject", "me"], "expected a subject of reactive_config, bare Struct"),
        (["read", "--at", "size=3"], "expected PARAM=VALUE with a param of loop, calls, got size=3"),
        (["read", "--at", "calls=many"], "--at calls=many: Expected `int`"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(arguments, message, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bench", "profile", *arguments, "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_point_is_the_first_with_an_aim():
    aims = [{"at_most": 1, "where": {"keys": 100}}]
    settings = msgspec.convert({"axes": {"keys": [10, 100], "loop": ["asyncio"]}, "aims": aims}, CaseSettings)
    assert chosen_point(settings, []) == {"keys": 100, "loop": "asyncio"}
    assert chosen_point(settings, ["loop=uvloop", "keys=7"]) == {"keys": 7, "loop": "uvloop"}
    assert chosen_point(CaseSettings(), ["loop=uvloop"]) == {"loop": "uvloop"}


def test_code_belongs_to_its_room():
    ours = Path(reactive_config.__file__).parent
    assert room_of(str(ours / "_core" / "layers.py")) == "reactive_config._core"
    assert room_of(str(ours / "_sources" / "etcd" / "session_loop.py")) == "reactive_config._sources.etcd"
    assert room_of(str(ours / "errors.py")) == "reactive_config"
    assert room_of(str(ROOT / "bench" / "cases" / "read.py")) == "bench"
    assert room_of(msgspec.__file__) == "msgspec"
    assert room_of(os.__file__) == "standard library"
    assert room_of("<frozen importlib._bootstrap>") == "imports"
    assert where(str(ours / "_core" / "layers.py"), 12, "put") == "_core/layers.py:12 put"


def test_what_is_written_in_c_belongs_to_its_library_or_to_who_calls_it():
    assert room_of_builtin("<method 'decode' of 'msgspec.json.Decoder' objects>") == "msgspec"
    assert room_of_builtin("<method 'run' of '_contextvars.Context' objects>") == "steps of tasks, in C"
    for name in ("<built-in method builtins.len>", "<method 'get' of 'dict' objects>", "<built-in method posix.stat>"):
        assert room_of_builtin(name) is None

    layers, read = str(Path(reactive_config.__file__).parent / "_core/layers.py"), str(ROOT / "bench/cases/read.py")
    length = ("~", 0, "<built-in method builtins.len>")
    spent = {
        (layers, 1, "put"): Spent(1, 2.0, 3.0, {}),
        (read, 1, "main"): Spent(1, 1.0, 4.0, {}),
        length: Spent(9, 4.0, 4.0, {(layers, 1, "put"): 3.0, (read, 1, "main"): 1.0}),
    }
    assert rooms(spent) == {"reactive_config._core": 5.0, "bench": 2.0, "builtins": 0.0}
    assert sum(share for _, share in shares(rooms(spent))) == 1.0


def test_the_functions_that_take_the_most_come_first():
    slow, fast = (("<string>", 1, name) for name in ("slow", "fast"))
    lines = list(table_of_calls({fast: Spent(100, 1.0, 1.0, {}), slow: Spent(2, 3.0, 4.0, {})}, 10, 5))
    assert lines[0].startswith("4.00 s in calls, 400,000 us a sample; 0.00 s waited")
    assert lines[-2:] == [
        " 75.0% 100.0%          0.20  <string>:1 slow",
        " 25.0%  25.0%         10.00  <string>:1 fast",
    ]
