"""The model beside what was measured."""

from __future__ import annotations

import msgspec

from bench.scale.model import Prices, load
from bench.scale.points import SETTLE, Point, quantile
from bench.scale.prices import Base, fleet_of, shape_of


class Row(msgspec.Struct, frozen=True):
    """One figure, predicted and measured."""

    what: str
    unit: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """Of the prediction, as a share of what was measured; nan where that is nothing, or lost in the noise."""
        return self.predicted / self.measured - 1 if self.measured > 0 else float("nan")


def check(point: Point, base: Base, prices: Prices, cores: float) -> list[Row]:
    """What the model says of a point, row by row beside what was measured there.

    Args:
        point: Measured.
        base: What etcd spends without it, which the model leaves out.
        prices: Measured at smaller points.
        cores: Of the machine that everything ran on.
    """
    said = load(fleet_of(point.plan), shape_of(point.plan), prices, cores=cores, together=cores)
    changes, idle, change, back = point.plan.changes, point.idle, point.change, point.back
    heartbeats = (idle.ranges + change.ranges) / (idle.seconds + change.seconds)
    resting = (idle.etcd - base.idle * idle.seconds) / idle.seconds
    changing = change.etcd - base.idle * change.seconds - resting * change.seconds
    return [
        Row("streams at etcd", "", said.streams, point.streams),
        Row("watches at etcd", "", said.watches, point.watches),
        Row("memory of etcd for them", "MB", said.memory / 1e6, point.memory / 1e6),
        Row("messages a change", "", said.messages, change.messages / changes),
        Row("bytes a change", "KB", said.bytes / 1e3, (change.sent - prices.ask_bytes * change.ranges) / changes / 1e3),
        Row("etcd's CPU a change", "ms", said.change_cpu, 1e3 * changing / changes),
        Row("a change at the last runtime, p50", "ms", said.last, quantile(point.last, 0.5)),
        Row("heartbeats at etcd", "a second", said.asked, heartbeats),
        Row("etcd's CPU for heartbeats", "% of a core", 100 * said.asked_cpu, 100 * resting),
        Row("comeback: questions to etcd", "", said.back_ranges + said.asked * SETTLE, back.ranges),
        Row("comeback: etcd sends", "MB", (said.back_bytes + said.asked_bytes * SETTLE) / 1e6, back.sent / 1e6),
        Row(
            "comeback: etcd's CPU",
            "s",
            said.back_cpu + said.asked_cpu * SETTLE,
            back.etcd - base.idle * back.seconds - base.start,
        ),
        Row("comeback: the last runtime is back", "s", said.back_seconds, point.returned[-1]),
    ]
