"""A result as Markdown, for the docs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.harness.report import machine_lines
from bench.harness.results import CaseResult, Result
from bench.harness.rows import AIM_HEAD, FIGURE_HEAD, Row, aim_rows, figure_rows


def markdown(result: Result) -> str:
    """The aims with what was measured, then the figures of every case."""
    lines = [*(f"{line}  " for line in machine_lines(result)), ""]
    aims = [row for row, _ in aim_rows(result)]
    if aims:
        lines += [*_table(AIM_HEAD, aims), ""]
    if result.unmeasured:
        lines += [f"Interrupted before the end of: {', '.join(result.unmeasured)}.", ""]
    for case in result.cases:
        lines += [*_case(case), ""]
    return "\n".join(lines).rstrip() + "\n"


def _case(case: CaseResult) -> Iterator[str]:
    yield f"### `{case.name}`: {case.title}, {case.unit}"
    yield ""
    if case.points:
        yield from _table(FIGURE_HEAD, list(figure_rows(case)))
    if case.failure:
        yield f"Failed: {case.failure.splitlines()[0]}"


def _table(head: Row, rows: list[Row]) -> Iterator[str]:
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    yield _line(head[index] for index in kept)
    yield _line("---" for _ in kept)
    for row in rows:
        yield _line(row[index] for index in kept)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
