"""The pictures of a result, each as SVG and PNG.

`ratios` shows the ratios for which there is an aim; one picture a case shows the figures themselves (see `panels`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from bench.harness.estimates import Estimate
from bench.harness.palette import AIM, GRID, OURS, RIVALS, STYLE
from bench.harness.panels import draw_case
from bench.harness.results import CaseResult, PointResult, Result
from bench.harness.rows import number, place
from bench.harness.settings import Aim, Figure

MARKS: dict[Figure, str] = {"p50": "o", "p99": "D"}

ROW = 0.24
"""Inches."""


def draw(result: Result, out: Path) -> list[Path]:
    """Write every picture that the result gives; the files."""
    with mpl.rc_context(STYLE):
        written = []
        ratios = _ratios(result)
        if ratios:
            written += _save(_draw_ratios(ratios), out / "ratios")
        for case in result.cases:
            if case.points:
                written += _save(draw_case(case), out / case.name)
        return written


def _save(picture: Picture, stem: Path) -> list[Path]:
    files = [stem.with_suffix(".svg"), stem.with_suffix(".png")]
    picture.savefig(files[0], metadata={"Date": None}, bbox_inches="tight")
    picture.savefig(files[1], dpi=150, bbox_inches="tight")
    return files


class _Ratio(msgspec.Struct, frozen=True):
    """One row of the picture: a rival at a point, with the figures of the ratio and their aims."""

    group: str
    label: str
    estimates: dict[Figure, Estimate]
    aims: dict[Figure, Aim]


def _ratios(result: Result) -> list[_Ratio]:
    """Those with an aim; where no case has one, all of each case's last point."""
    found = [ratio for case in result.cases for point in case.points for ratio in _ratios_at(case, point)]
    aimed = [ratio for ratio in found if ratio.aims]
    return aimed or [r for case in result.cases if case.points for r in _ratios_at(case, case.points[-1])]


def _ratios_at(case: CaseResult, point: PointResult) -> Iterator[_Ratio]:
    for rival, estimates in point.ratios.items():
        kept = {figure: estimates[figure] for figure in MARKS if figure in estimates}
        aims = {v.aim.figure: v.aim for v in point.verdicts if v.aim.against == rival}
        where = place(case, point)
        yield _Ratio(case.title, f"{rival}, {where}" if where else rival, kept, aims)


def _draw_ratios(ratios: list[_Ratio]) -> Picture:
    """Rows of dots with their intervals, a heading for each case, an upright line for each aim."""
    groups = list(dict.fromkeys(ratio.group for ratio in ratios))
    lines = len(ratios) + 2 * len(groups)
    picture = Picture(figsize=(8.0, 1.2 + ROW * lines), layout="constrained")
    axes = picture.add_subplot()
    axes.set_xscale("log")
    at, ticks = 0, {}
    for group in groups:
        heading = axes.text(0.0, at, group, transform=axes.get_yaxis_transform(), weight="bold", va="center")
        heading.set_in_layout(False)  # a long one stands beside the axes, and takes nothing from their width
        for ratio in (one for one in ratios if one.group == group):
            at += 1
            ticks[at] = ratio.label
            _draw_ratio(axes, at, ratio)
        at += 2
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set_ylim(at - 1, -1)
    axes.axvline(1.0, color=GRID, zorder=0)
    _decimal(axes)
    axes.set_xlabel("reactive_config divided by the rival: left of 1 is better")
    _legend(picture, axes)
    return picture


def _draw_ratio(axes: Axes, at: float, ratio: _Ratio) -> None:
    for shift, (figure, estimate) in zip((-0.16, 0.16), ratio.estimates.items(), strict=False):
        colour = OURS if figure == "p50" else RIVALS[0]
        axes.plot([estimate.low, estimate.high], [at + shift] * 2, color=colour, linewidth=1.2, alpha=0.6)
        axes.plot(estimate.value, at + shift, MARKS[figure], color=colour, markersize=4.5)
        if figure in ratio.aims:
            axes.plot([ratio.aims[figure].limit] * 2, [at + shift - 0.2, at + shift + 0.2], color=AIM, linewidth=2)


def _decimal(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.xaxis.set_minor_formatter(lambda value, _: number(value) if f"{value:.0e}"[0] in "25" else "")
    axes.tick_params(axis="x", which="minor", labelsize=7)


def _legend(picture: Picture, axes: Axes) -> None:
    axes.plot([], [], MARKS["p50"], color=OURS, label="p50", markersize=4.5)
    axes.plot([], [], MARKS["p99"], color=RIVALS[0], label="p99", markersize=4.5)
    axes.plot([], [], color=AIM, linewidth=2, label="aim: left of this line")
    picture.legend(loc="outside lower center", ncols=3)
