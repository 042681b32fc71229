"""Run a grid: measure, print, write."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.harness.case import Case, find_cases
from bench.harness.plots import draw
from bench.harness.progress import Bar
from bench.harness.report import show
from bench.harness.results import Result, save
from bench.harness.run import Run, failed
from bench.harness.settings import CONFIG, open_settings
from bench.harness.table import markdown

WIDTH = 160
"""Columns of what is printed where there is no terminal."""


def run_grid(grid: str, only: Sequence[str], rounds: int | None, out: Path) -> int:
    """Run cases of a grid; 1 if one of them failed.

    Args:
        grid: Whose settings.
        only: Names of cases; none for all.
        rounds: Instead of the settings'.
        out: Where everything is written.
    """
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    result = asyncio.run(measure(grid, _chosen(only), rounds, console))
    show(result, console)
    write(result, out)
    console.print(f"\n{out}: result.json, table.md, pictures", highlight=False, soft_wrap=True)
    return 1 if failed(result) else 0


def _chosen(names: Sequence[str]) -> list[Case]:
    cases = find_cases()
    for name in names:
        if name not in cases:
            raise SystemExit(f"--only: expected a case of {', '.join(cases)}, got {name}")
    return [case for name, case in cases.items() if not names or name in names]


async def measure(
    grid: str, cases: Sequence[Case], rounds: int | None, console: Console, *, home: Path = CONFIG
) -> Result:
    """Run cases with the settings of a grid, which are read from `home`."""
    asked = {case.name: rounds for case in cases} if rounds else {}
    async with open_settings(grid, home=home, rounds=asked) as config:
        with Bar(console, len(cases)) as bar:
            return await Run(grid, cases, config, bar).result()


def write(result: Result, out: Path) -> None:
    """Write everything that a run leaves behind: JSON, table, pictures."""
    out.mkdir(parents=True, exist_ok=True)
    save(result, out / "result.json")
    (out / "table.md").write_text(markdown(result))
    draw(result, out)
