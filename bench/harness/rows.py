"""A result as rows of text: the same ones for the terminal and for the docs."""

from __future__ import annotations

from collections.abc import Iterator

from bench.harness.estimates import Estimate
from bench.harness.results import CaseResult, PointResult, Result, SubjectResult, Verdict
from bench.harness.settings import Aim
from bench.harness.subject import Params

Row = tuple[str, ...]

AIM_HEAD: Row = ("case", "at", "aim", "measured", "")
FIGURE_HEAD: Row = ("at", "who", "p50 ratio", "p99 ratio", "p50", "p99")


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    return f"{value:.3g}" if 0.001 <= abs(value) < 1000 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2g}"


def spread(estimate: Estimate) -> str:
    """The value with its interval."""
    return f"{number(estimate.value)} ({number(estimate.low)}–{number(estimate.high)})"


def shown(params: Params) -> str:
    """Params as people read them: `size=1024 loop=uvloop`."""
    return " ".join(f"{name}={value}" for name, value in params.items())


def aim_text(aim: Aim, unit: str) -> str:
    """`p50 at most 1.1 x raw stub`."""
    limit = f"{'at most' if aim.below is None else 'below'} {number(aim.limit)}"
    if aim.against:
        return f"{aim.figure} {limit} × {aim.against}"
    if aim.base:
        return f"{aim.figure} {limit} × at {shown(aim.base)}"
    return f"{aim.figure} {limit} {unit}"


def verdict_text(verdict: Verdict) -> str:
    """Met or missed; `close` where the limit lies inside the spread."""
    if verdict.met is None:
        return "not measured"
    return ("met" if verdict.met else "missed") + (", close" if verdict.close else "")


def varied(case: CaseResult) -> set[str]:
    """The params in which the points of a case differ; the others say nothing about a row."""
    names = {name for point in case.points for name in point.params}
    return {name for name in names if len({point.params.get(name) for point in case.points}) > 1}


def place(case: CaseResult, point: PointResult) -> str:
    """Where a point stands among the others of its case."""
    differ = varied(case)
    return shown({name: value for name, value in point.params.items() if name in differ})


def aim_rows(result: Result) -> Iterator[tuple[Row, Verdict]]:
    """Every aim at every point, with the verdict itself."""
    for case in result.cases:
        for point in case.points:
            for verdict in point.verdicts:
                measured = "" if verdict.estimate is None else spread(verdict.estimate)
                if verdict.estimate is not None and not verdict.aim.is_ratio:
                    measured += f" {case.unit}"
                aim = aim_text(verdict.aim, case.unit)
                yield (case.name, place(case, point), aim, measured, verdict_text(verdict)), verdict


def figure_rows(case: CaseResult) -> Iterator[Row]:
    """Every subject at every point, which is named beside the first; ratios are ours divided by the rival's."""
    for point in case.points:
        for index, subject in enumerate(point.subjects):
            yield ("" if index else place(case, point), subject.label, *_figures(point, subject))


def _figures(point: PointResult, subject: SubjectResult) -> Row:
    if subject.absent:
        return ("", "", f"not here: {subject.absent}", "")
    ratios = point.ratios.get(subject.label, {})
    shown_ratios = [spread(ratios[figure]) if figure in ratios else "" for figure in ("p50", "p99")]
    return (*shown_ratios, *(spread(subject.figures[figure]) for figure in ("p50", "p99")))
