"""The picture of a study: what grows with the fleet, with what was measured on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.harness.palette import DASHES, OURS, RIVALS, STYLE
from bench.harness.rows import number
from bench.scale.model import Fleet, Load, load
from bench.scale.study import SIZES, Study, shapes
from bench.scale.table import NAMES

COLOURS = {"direct": RIVALS[0], "proxy": RIVALS[1], "relay": OURS}
LINES = {"direct": DASHES[0], "proxy": DASHES[1], "relay": DASHES[0]}
MARKS = {"direct": "o", "proxy": "D", "relay": "s"}

PANELS: tuple[tuple[str, str, Callable[[Load], float]], ...] = (
    ("etcd sends for one change, KB", "bytes a change", lambda said: said.bytes / 1e3),
    ("cores of etcd busy with heartbeats", "etcd's CPU for heartbeats", lambda said: said.asked_cpu),
    ("the last process shows a change after, ms", "a change at the last runtime, p50", lambda said: said.last),
    ("after a restart all are back in, s", "comeback: the last runtime is back", lambda said: said.back_seconds),
)
"""Title, the checked row, and the same of a forecast."""

PERCENT = 100.0


def draw(study: Study, fleet: Fleet, fan_out: int, cores: float, stem: Path) -> list[Path]:
    """Write the picture as SVG and PNG; the files."""
    with mpl.rc_context(STYLE):
        picture = Figure(figsize=(8.0, 6.2), layout="constrained")
        for axes, panel in zip(picture.subplots(2, 2).flat, PANELS, strict=True):
            _draw_panel(axes, study, fleet, fan_out, cores, panel)
        handles, labels = picture.axes[0].get_legend_handles_labels()
        picture.legend(handles, labels, loc="outside lower center", ncols=5)
        files = [stem.with_suffix(".svg"), stem.with_suffix(".png")]
        picture.savefig(files[0], metadata={"Date": None}, bbox_inches="tight")
        picture.savefig(files[1], dpi=150, bbox_inches="tight")
        return files


def _draw_panel(
    axes: Axes, study: Study, fleet: Fleet, fan_out: int, cores: float, panel: tuple[str, str, Callable[[Load], float]]
) -> None:
    title, what, figure = panel
    sizes = np.unique(np.geomspace(SIZES[0], SIZES[-1], 121).astype(int))
    for shape in shapes(fan_out):
        loads = [
            load(msgspec.structs.replace(fleet, processes=int(size)), shape, study.prices, cores=cores)
            for size in sizes
        ]
        look: Any = {"color": COLOURS[shape.name], "linestyle": LINES[shape.name], "label": NAMES[shape.name]}
        axes.plot(sizes, [figure(one) for one in loads], **look)
    for point, rows in study.checks():
        plan = point.plan
        row = next(row for row in rows if row.what == what)
        share = PERCENT if row.unit.startswith("%") else 1.0
        look = {"color": COLOURS[plan.topology], "marker": MARKS[plan.topology], "linestyle": "none", "zorder": 5}
        axes.plot(plan.runtimes, row.measured / share, markersize=5, **look)
        axes.plot(plan.runtimes, row.predicted / share, markersize=9, fillstyle="none", **look)
    axes.plot([], [], "ko", markersize=5, label="measured, one machine")
    axes.plot([], [], "ko", markersize=9, fillstyle="none", label="the model of that machine")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    axes.yaxis.set_major_formatter(lambda value, _: number(value))
    axes.set_title(title, loc="left")
    axes.set_xlabel("processes")
