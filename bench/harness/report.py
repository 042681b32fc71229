"""What a run prints: ratios first, then what was met, then what failed."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.harness.results import CaseResult, Result, Verdict
from bench.harness.rows import AIM_HEAD, FIGURE_HEAD, Row, aim_rows, figure_rows

COLOURS: Mapping[bool | None, str] = {True: "green", False: "red", None: "yellow"}


def machine_lines(result: Result) -> list[str]:
    """The machine, and what was compared."""
    machine = result.machine
    governor = f"governor {machine.governor}" if machine.governor else "governor not readable"
    cores = f"{machine.cores} core{'s' * (machine.cores != 1)}"
    return [
        f"{machine.cpu}, {cores}, {governor}, {machine.system}, {machine.python}, load {machine.load} at the start",
        ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items())),
        f"grid {result.grid}, {result.began:%Y-%m-%d %H:%M %Z}, {result.seconds:.0f} s",
    ]


def show(result: Result, console: Console) -> None:
    """Print a result."""
    for line in machine_lines(result):
        console.print(line, style="dim", highlight=False, markup=False)
    for case in result.cases:
        _show_case(case, console)
    rows = list(aim_rows(result))
    if rows:
        console.print(_aims(rows))
    if result.unmeasured:
        console.print(f"interrupted before the end of: {', '.join(result.unmeasured)}", style="red", highlight=False)
    for case in result.cases:
        if case.failure:
            console.print(f"{case.name} failed: {case.failure}", style="red", highlight=False, markup=False)


def _show_case(case: CaseResult, console: Console) -> None:
    if case.points:
        table = Table(title=escape(f"{case.name}: {case.title} [{case.unit}]"), title_justify="left", box=None)
        _fill(table, FIGURE_HEAD, list(figure_rows(case)))
        console.print()
        console.print(table)


def _aims(rows: list[tuple[Row, Verdict]]) -> Table:
    missed = sum(verdict.met is False for _, verdict in rows)
    table = Table(title=f"\nAims: {missed} of {len(rows)} missed", title_justify="left", box=None)
    texts = [row for row, _ in rows]
    styles = [COLOURS[verdict.met] for _, verdict in rows]
    _fill(table, AIM_HEAD, texts, styles)
    return table


def _fill(table: Table, head: Row, rows: list[Row], last: list[str] | None = None) -> None:
    """Add rows, less the columns in which nothing stands; `last` has a style for the last cell of each."""
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    for index in kept:
        table.add_column(head[index], no_wrap=head[index] in ("at", "who", "case"))
    for row, style in zip(rows, last or [""] * len(rows), strict=True):
        cells = [escape(row[index]) for index in kept]
        if style:
            cells[-1] = f"[{style}]{cells[-1]}[/]"
        table.add_row(*cells)
