"""Run a grid: measure, print, write."""

from __future__ import annotations

import asyncio
import functools
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from bench.harness.case import Case, choose_cases, find_cases
from bench.harness.pace import Pace
from bench.harness.plots import draw
from bench.harness.progress import Bar
from bench.harness.report import show
from bench.harness.results import Result, load, save
from bench.harness.run import Kept, Run, failed
from bench.harness.settings import CONFIG, Settings, open_settings
from bench.harness.table import markdown

WIDTH = 160
"""Columns of what is printed where there is no terminal."""


INTERRUPTED = 130
"""The exit code of who was ended by Ctrl-C, as shells have it."""


def run_grid(grid: str, only: Sequence[str], rounds: int | None, out: Path) -> int:
    """Run cases of a grid; 1 if one of them failed, 130 if the run was interrupted.

    Args:
        grid: Whose settings.
        only: Names of cases; none for all.
        rounds: Instead of the settings'.
        out: Where everything is written: the results after every case, tables and pictures in the end.
    """
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    found = find_cases()
    try:
        cases = choose_cases(only, found)
    except ValueError as error:
        raise SystemExit(f"--only: {error}" if only else str(error)) from None
    for module, reason in found.broken.items():
        console.print(f"left out: {module} cannot be imported: {reason}", style="yellow", highlight=False, markup=False)
    earlier = {} if rounds else earlier_seconds(grid, out)
    out.mkdir(parents=True, exist_ok=True)
    kept = functools.partial(save, path=out / "result.json")
    result = asyncio.run(measure(grid, cases, rounds, console, earlier=earlier, kept=kept))
    show(result, console)
    write(result, out)
    console.print(f"\n{out}: result.json, table.md, pictures", highlight=False, soft_wrap=True)
    return INTERRUPTED if result.unmeasured else 1 if failed(result) else 0


async def measure(
    grid: str,
    cases: Sequence[Case],
    rounds: int | None,
    console: Console,
    *,
    home: Path = CONFIG,
    earlier: Mapping[str, float] = MappingProxyType({}),
    kept: Kept = lambda _: None,
) -> Result:
    """Run cases with the settings of a grid, which are read from `home`; see `Pace` for `earlier`, `Run` for `kept`."""
    asked = {case.name: rounds for case in cases} if rounds else {}
    async with open_settings(grid, home=home, rounds=asked) as config:
        pace = Pace({case.name: _turns(case, config.current) for case in cases}, earlier)
        with _ended_by_sigterm(), Bar(console, len(cases), pace) as bar:
            return await Run(grid, cases, config, bar, kept).result()


def _turns(case: Case, settings: Settings) -> int:
    """How many there are of all subjects, at all points."""
    rounds = settings.warmup + settings.rounds_of(case.name)
    return len(settings.case(case.name).points()) * rounds * len(case.subjects)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """As by SIGINT, which asyncio takes itself: without it the servers of a stage would outlive us."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def earlier_seconds(grid: str, out: Path) -> dict[str, float]:
    """Case to the seconds that it took in the run that left its result in a directory, if it was of this grid."""
    try:
        earlier = load(out / "result.json")
    except (OSError, ValueError):
        return {}
    if earlier.grid != grid:
        return {}
    return {case.name: case.seconds for case in earlier.cases if case.seconds and not case.failure}


def write(result: Result, out: Path) -> None:
    """Write everything that a run leaves behind: JSON, table, pictures."""
    out.mkdir(parents=True, exist_ok=True)
    save(result, out / "result.json")
    (out / "table.md").write_text(markdown(result))
    draw(result, out)
