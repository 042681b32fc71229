"""The picture of one case, by what its points are.

Points over a numeric axis of three values or more: lines of p50 (with spread) and p99. Otherwise a panel for
each point: latency by percentile where there are many figures, all of them as dots where there are few.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from bench.harness.palette import AIM, look
from bench.harness.results import CaseResult, PointResult, SubjectResult, Verdict
from bench.harness.rows import number, place, shown, varied
from bench.harness.subject import Params

FEW = 100
"""Figures of one subject below which percentiles say less than the dots."""

NINES = (50, 90, 99, 99.9, 99.99)

COLUMNS = 2
WIDTH, HEIGHT = 4.4, 3.0
"""Inches of one panel."""

LABEL = 12
"""Characters of a subject's name in one line below its dots."""

APART = 20
"""Smallest medians up to which a panel's axis is linear; beyond that they would all be one line at its foot."""


def draw_case(case: CaseResult) -> Picture:
    """The picture."""
    axis = _axis(case)
    panels = _over(case, axis) if axis else [[point] for point in case.points]
    rows = -(-len(panels) // COLUMNS)
    columns = min(COLUMNS, len(panels))
    picture = Picture(figsize=(WIDTH * columns, HEIGHT * rows + 0.7), layout="constrained")
    grid = picture.subplots(rows, columns, squeeze=False)
    for axes, points in itertools.zip_longest(grid.flat, panels):
        if points is None:
            axes.set_axis_off()
        elif axis:
            _draw_lines(axes, case, axis, points)
        else:
            _draw_point(axes, case, points[0])
    picture.suptitle(f"{case.title} [{case.unit}]", weight="bold", fontsize=10)
    handles, labels = _handles(grid)
    if handles:
        picture.legend(handles, labels, loc="outside lower center", ncols=4 if columns > 1 else 3)
    return picture


def _handles(grid: np.ndarray) -> tuple[list[Artist], list[str]]:
    """One entry for each label of all panels."""
    found: dict[str, Artist] = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _axis(case: CaseResult) -> str:
    """The numeric param with the most values, if it has three or more."""
    values = {name: {point.params[name] for point in case.points} for name in varied(case)}
    numeric = [name for name, all_ in values.items() if len(all_) > 2 and not any(isinstance(v, str) for v in all_)]
    return max(numeric, key=lambda name: len(values[name]), default="")


def _over(case: CaseResult, axis: str) -> list[list[PointResult]]:
    """The points of each panel: all params but the axis are equal."""
    panels: dict[str, list[PointResult]] = {}
    for point in case.points:
        panels.setdefault(shown(_others(point.params, axis)), []).append(point)
    return list(panels.values())


def _others(params: Params, axis: str) -> Params:
    return {name: value for name, value in params.items() if name != axis}


def _draw_lines(axes: Axes, case: CaseResult, axis: str, points: Sequence[PointResult]) -> None:
    points = sorted(points, key=lambda point: float(point.params[axis]))
    for index, label in enumerate(subject.label for subject in points[0].subjects):
        there = [(float(p.params[axis]), _subject(p, label)) for p in points if not _subject(p, label).absent]
        values = [value for value, _ in there]
        middle = [subject.figures["p50"] for _, subject in there]
        style = look(index)
        axes.plot(values, [one.value for one in middle], marker="o", markersize=4, label=label, **style)
        axes.fill_between(
            values,
            [one.low for one in middle],
            [one.high for one in middle],
            color=style["color"],
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(
            values, [s.figures["p99"].value for _, s in there], "^", color=style["color"], markersize=4, alpha=0.7
        )
    axes.plot([], [], "^", color="#555555", markersize=4, label="p99")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(axis)
    axes.set_ylabel(case.unit)
    differ = varied(case) - {axis}
    axes.set_title(shown({name: value for name, value in points[0].params.items() if name in differ}))
    for one in (axes.xaxis, axes.yaxis):
        one.set_major_formatter(lambda value, _: number(value))
    for point in points:
        for verdict in _absolute(point):
            at = float(point.params[axis])
            axes.plot(at, verdict.aim.limit, "_", color=AIM, markersize=16, markeredgewidth=2, label="aim")


def _absolute(point: PointResult) -> list[Verdict]:
    """The verdicts in the case's unit; those that are ratios stand in the picture of the ratios."""
    return [verdict for verdict in point.verdicts if not verdict.aim.is_ratio]


def _subject(point: PointResult, label: str) -> SubjectResult:
    return next(subject for subject in point.subjects if subject.label == label)


def _draw_point(axes: Axes, case: CaseResult, point: PointResult) -> None:
    here = [(index, subject) for index, subject in enumerate(point.subjects) if not subject.absent]
    few = all(sum(map(len, subject.rounds)) < FEW for _, subject in here)
    for position, (index, subject) in enumerate(here):
        if few:
            _draw_dots(axes, position, index, subject)
        else:
            _draw_percentiles(axes, index, subject)
    if few:
        labels = [textwrap.fill(subject.label, LABEL, break_long_words=False) for _, subject in here]
        axes.set_xticks(range(len(here)), labels, fontsize=7)
        axes.set_xlim(-0.6, len(here) - 0.4)
        axes.grid(visible=False, axis="x")
    else:
        _percentile_axis(axes, max(sum(map(len, subject.rounds)) for _, subject in here))
    axes.set_title(place(case, point))
    axes.set_ylabel(case.unit)
    for verdict in _absolute(point):
        axes.axhline(verdict.aim.limit, color=AIM, linewidth=1.5, label=f"aim for {verdict.aim.figure}")
    lowest = min((subject.figures["p50"].value for _, subject in here), default=0.0)
    highest = max((figure for _, subject in here for figures in subject.rounds for figure in figures), default=0.0)
    if few and highest > APART * lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: number(value))
        axes.yaxis.set_minor_formatter(lambda *_: "")
    elif few:
        axes.set_ylim(bottom=0)  # last: it ends the search for the top


def _draw_dots(axes: Axes, position: int, index: int, subject: SubjectResult) -> None:
    figures = list(itertools.chain.from_iterable(subject.rounds))
    spread = np.linspace(-0.18, 0.18, len(figures)) if len(figures) > 1 else [0.0]
    style = look(index)
    axes.plot(position + np.asarray(spread), figures, "o", color=style["color"], markersize=3.5, alpha=0.6)
    middle = subject.figures["p50"]
    axes.plot([position - 0.3, position + 0.3], [middle.value] * 2, color=style["color"], linewidth=2)
    label = axes.annotate(number(middle.value), (position, middle.value), (0, 3), textcoords="offset points")
    label.set(fontsize=8, weight="bold", ha="center", va="bottom")


def _draw_percentiles(axes: Axes, index: int, subject: SubjectResult) -> None:
    figures = np.sort(np.concatenate([np.asarray(one) for one in subject.rounds]))
    share = (np.arange(len(figures)) + 0.5) / len(figures)
    axes.plot(_nines(share), figures, label=subject.label, **look(index))


def _nines(share: np.ndarray) -> np.ndarray:
    """Where a quantile stands on an axis that gives every further nine as much room."""
    stands: np.ndarray = -np.log10(1 - share)
    return stands


def _percentile_axis(axes: Axes, count: int) -> None:
    ticks = [nine for nine in NINES if nine < 100 * (1 - 0.5 / count)]
    axes.set_xticks([0.0, *_nines(np.asarray(ticks) / 100)], ["0", *(f"{tick:g}" for tick in ticks)])
    axes.set_xlabel("percentile")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: number(value))
    axes.yaxis.set_minor_formatter(lambda value, _: number(value) if f"{value:.0e}"[0] in "25" else "")
    axes.tick_params(axis="y", which="minor", labelsize=7)
