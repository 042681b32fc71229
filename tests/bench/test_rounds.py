"""One point of a case: turns, processes, stages, and what goes wrong with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import msgspec
import pytest

from bench.harness import Case, Stage
from bench.harness.process import SubjectFailed
from bench.harness.rounds import Point
from bench.harness.settings import CaseSettings, Settings, open_settings
from reactive_config import Memory, open_config
from tests.bench import subjects


def case(*kinds, stage=Stage, fresh=False):
    return Case(
        name="it", title="it", unit="ms", subjects={kind.__name__: kind for kind in kinds}, stage=stage, fresh=fresh
    )


async def run(one, params=None, told=lambda done, of: None, **settings):
    """Run a point with settings that stand in a tree; the point."""
    tree = {"rounds": 2, "warmup": 0, "cases": {"it": {}}, **settings}
    async with open_config(Settings, Memory(tree)) as config:
        point = Point(one, params or {}, config, told)
        await point.run()
        return point


async def test_subjects_take_turns_and_only_the_measured_one_is_awake(tmp_path):
    log = tmp_path / "log"
    await run(case(subjects.Writing, subjects.WritingToo), {"log": str(log)})
    turns = [
        f"{what} {who}"
        for number in (1, 2)
        for who in ("Writing", "WritingToo")
        for what in ("resume", f"measure {number}", "pause")
    ]
    opened = ["open Writing", "pause Writing", "open WritingToo", "pause WritingToo"]
    assert log.read_text().splitlines() == [*opened, *turns, "close Writing", "close WritingToo"]


async def test_warm_up_rounds_are_not_counted():
    told = []
    point = await run(
        case(subjects.Asked), told=lambda done, of: told.append((done, of)), rounds=2, warmup=2, cases={"it": {}}
    )
    assert [figures[0] for figures in point.samples["Asked"]] == [3.0, 4.0]
    assert told == [(0, 2), (0, 2), (1, 2), (2, 2)]


async def test_each_subject_keeps_its_process():
    point = await run(case(subjects.Process, subjects.Constant))
    first, second = point.samples["Process"]
    assert first == second


async def test_a_fresh_case_has_a_process_for_every_round():
    point = await run(case(subjects.Process, fresh=True))
    first, second = point.samples["Process"]
    assert first != second


async def test_what_a_subject_prints_is_not_taken_for_a_reply():
    point = await run(case(subjects.Talkative))
    assert point.samples == {"Talkative": [[10.0], [10.0]]}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_the_load_reaches_the_subject_that_listens_and_the_stage_completes_the_figures(tmp_path, loop):
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    params = {"home": str(tmp_path), "loop": loop}
    point = await run(case(subjects.Listening, stage=subjects.Fifos), params, cases={"it": {"samples": 7}})
    assert point.samples == {"Listening": [[107.0], [107.0]]}


async def test_a_rival_that_is_not_here_is_left_out_with_its_reason():
    for fresh in (False, True):
        point = await run(case(subjects.Constant, subjects.Missing, fresh=fresh))
        assert list(point.samples) == ["Constant"]
        assert point.absent == {"Missing": "no such library"}


async def test_ours_must_be_here():
    with pytest.raises(SubjectFailed, match="Missing: cannot take part: no such library"):
        await run(case(subjects.Missing, subjects.Constant))


async def test_a_crash_tells_what_stood_on_standard_error():
    with pytest.raises(SubjectFailed, match=r"Raising: expected an answer, got the end of its process \(1\)") as caught:
        await run(case(subjects.Constant, subjects.Raising))
    assert "about to fail" in str(caught.value)
    assert "ZeroDivisionError: the canary" in str(caught.value)


async def test_a_killed_process_is_told_with_its_signal():
    with pytest.raises(SubjectFailed, match=r"Dying: .* \(-9\)"):
        await run(case(subjects.Dying))


async def test_a_hanging_subject_misses_its_deadline():
    with pytest.raises(SubjectFailed, match=r"Hanging: expected an answer in 0.5 s, got none") as caught:
        await run(case(subjects.Hanging), cases={"it": {"deadline": 0.5}})
    assert "waiting for godot" in str(caught.value)


async def test_what_a_subject_started_ends_with_it(tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(SubjectFailed):
        await run(case(subjects.Parent), {"pid": str(pid)}, cases={"it": {"deadline": 2}})
    with anyio.fail_after(5):
        while running(int(pid.read_text())):
            await asyncio.sleep(0.01)


def running(pid):
    """Whether a process is there and no zombie that waits for its new parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_round_without_figures_is_an_error():
    with pytest.raises(SubjectFailed, match="Empty: expected one figure or more of a round, got none"):
        await run(case(subjects.Empty))


async def test_a_stage_that_fails_ends_the_point_at_once():
    with pytest.raises(ConnectionError, match="no server here"):
        await run(case(subjects.Hanging, stage=subjects.BrokenStage))


async def test_a_load_that_does_not_end_misses_the_deadline():
    with pytest.raises(SubjectFailed, match=r"Constant: expected the load of a round in 0.5 s, got no end of it"):
        await run(case(subjects.Constant, stage=subjects.StuckStage), cases={"it": {"deadline": 0.5}})


async def test_an_edit_of_the_settings_counts_from_the_next_round_on(home):
    """Rounds, samples and rate of a case, changed in its file by the load of the second round."""
    file = home / "common" / "it.toml"
    file.write_text("[cases.it]\nrounds = 2\nsamples = 1\nrate = 100.0\n")
    async with open_settings("small", home=home) as config:

        class Editing(Stage):
            async def drive(self, place, work):
                if work.number == 2:
                    changed = config.select("cases.it")
                    file.write_text("[cases.it]\nrounds = 4\nsamples = 3\nrate = 250.0\n")
                    while changed.current.rounds != 4:
                        await changed.wait_changed()

        point = Point(case(subjects.Asked, stage=Editing), {}, config, lambda done, of: None)
        await point.run()
    assert point.samples["Asked"] == [[1, 1, 100], [2, 1, 100], [3, 3, 250], [4, 3, 250]]


async def test_an_edit_that_does_not_fit_changes_nothing(home):
    file = home / "common" / "it.toml"
    file.write_text("[cases.it]\nrounds = 2\n")
    async with open_settings("small", home=home) as config:

        class Spoiling(Stage):
            async def drive(self, place, work):
                file.write_text("[cases.it]\nrounds = 0\n")
                while not config.status().sources[0].held:
                    await asyncio.sleep(0)

        point = Point(case(subjects.Constant, stage=Spoiling), {}, config, lambda done, of: None)
        await point.run()
    assert len(point.samples["Constant"]) == 2


async def test_the_command_line_stands_above_the_files(home):
    (home / "small" / "it.toml").write_text("[cases.it]\nrounds = 7\nsamples = 4\n")
    async with open_settings("small", home=home, rounds={"it": 1}) as config:
        assert config.current.rounds_of("it") == 1
        assert config.current.case("it") == CaseSettings(rounds=1, samples=4)
        assert config.current.rounds_of("another") == 2


def test_an_aim_has_one_limit_and_one_thing_to_be_held_against():
    for wrong in ({}, {"at_most": 1, "below": 2}, {"at_most": 1, "against": "a", "base": {"keys": 1}}):
        with pytest.raises(msgspec.ValidationError, match="expected an aim with"):
            msgspec.convert({"aims": [wrong]}, CaseSettings)


def test_points_are_every_combination_of_the_axes():
    settings = CaseSettings(axes={"size": [1, 2], "loop": ["asyncio", "uvloop"]})
    assert settings.points() == [{"size": size, "loop": loop} for size in (1, 2) for loop in ("asyncio", "uvloop")]
    assert CaseSettings().points() == [{}]
