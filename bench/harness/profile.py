"""Profile one subject at one point of a case: what limits a figure, short enough for the docs."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.harness.allocations import table_of_memory
from bench.harness.calls import read_calls, table_of_calls
from bench.harness.case import Case, choose_cases, find_cases
from bench.harness.estimates import Sampled
from bench.harness.process import SubjectFailed
from bench.harness.rounds import Point
from bench.harness.rows import number, shown
from bench.harness.settings import CONFIG, CaseSettings, open_settings
from bench.harness.subject import Param, Params
from bench.harness.wire import Profile

GRID = "full"
"""Whose axes are known."""

MEMORY = ("KB", "MiB")
"""Units of cases that measure memory."""


def run_profile(name: str, at: Sequence[str], subject: str, rounds: int, top: int, out: Path) -> int:
    """Profile and print; the text is also written to `out`.

    Args:
        name: The case.
        at: The point, as `PARAM=VALUE`; what is not said is as in the first point that has an aim.
        subject: Its label; ours where it is empty.
        rounds: That are profiled, after one that is not.
        top: Functions or files in the table.
        out: A directory.
    """
    try:
        (case,) = choose_cases([name], find_cases())
        text = "\n".join(asyncio.run(profile(case, at, subject or case.ours, rounds, top)))
    except (SubjectFailed, ValueError) as error:
        raise SystemExit(str(error)) from None
    out.mkdir(parents=True, exist_ok=True)
    file = out / ("-".join(("profile", name, *subject.split())) + ".txt")
    file.write_text(text + "\n")
    print(f"{text}\n\n{file}")
    return 0


async def profile(
    case: Case, at: Sequence[str], subject: str, rounds: int, top: int, *, home: Path = CONFIG
) -> list[str]:
    """The lines of a profile.

    Raises:
        ValueError: There is no such subject or param.
    """
    if subject not in case.subjects:
        raise ValueError(f"expected a subject of {', '.join(case.subjects)}, got {subject}")
    alone = dataclasses.replace(case, subjects={subject: case.subjects[subject]})
    memory = case.unit in MEMORY
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        async with open_settings(GRID, home=home, rounds={case.name: rounds}) as config:
            settings = config.current.case(case.name)
            params = chosen_point(settings, at)
            # A fresh process is new in every round: what it does before the first one is what is measured.
            after = 0 if case.fresh else config.current.warmup
            asked = Profile(folder, "memory" if memory else "calls", case.fresh, after)
            point = Point(alone, params, config, lambda *_: None, asked)
            await point.run()
        files = _written(folder)[-rounds:]
        samples = settings.samples * rounds
        place = f"{case.name} {shown(params)}".rstrip()
        head = f"{place}: {subject}, {samples} samples in {rounds} rounds"
        if memory:
            return [head, *table_of_memory(files[-1], top)]
        measured = Sampled(point.samples[subject])
        p50, p99 = (number(measured.estimate(figure).value) for figure in ("p50", "p99"))
        slower = f"p50 {p50}, p99 {p99} {case.unit} while profiled, which slows Python's calls down more than C"
        return [head, slower, *table_of_calls(read_calls(files), samples, top)]


def _written(folder: str) -> list[Path]:
    """One file of each process, oldest first."""
    return sorted(Path(folder).iterdir(), key=lambda file: file.stat().st_mtime_ns)


def chosen_point(settings: CaseSettings, at: Sequence[str]) -> Params:
    """The first point of a case that has an aim, with these params instead.

    Raises:
        ValueError: `at` has something else than `PARAM=VALUE`, or the case has no such param.
    """
    points = settings.points()
    params = next((point for point in points if any(aim.applies(point) for aim in settings.aims)), points[0])
    known: dict[str, Param] = {"loop": "asyncio", **params}
    for one in at:
        name, _, text = one.partition("=")
        if name not in known or not text:
            raise ValueError(f"--at: expected PARAM=VALUE with a param of {', '.join(known)}, got {one}")
        try:
            params = {**params, name: msgspec.convert(text, type(known[name]), strict=False)}
        except msgspec.ValidationError as error:
            raise ValueError(f"--at {one}: {error}") from None
    return params
