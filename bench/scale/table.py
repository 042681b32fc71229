"""A study as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from bench.harness.rows import number
from bench.scale.check import Row
from bench.scale.model import Fleet, Load, Prices, Shape
from bench.scale.points import Point
from bench.scale.study import Study, forecast

NAMES = {"direct": "direct", "proxy": "grpc-proxy", "relay": "relays"}

Cells = dict[str, str]
"""Heading to text."""


def text(study: Study, fleet: Fleet, fan_out: int, cores: float) -> str:
    """The forecast, the prices, and the checks."""
    machine = study.machine
    said = [
        (f"{count:,}", _through(shape, found), found)
        for count, shape, found in forecast(study.prices, fleet, fan_out, cores)
    ]
    parts = [
        f"etcd {study.etcd}, {machine.python}, {machine.cores} cores ({machine.cpu}), load {machine.load} at the begin",
        _cells({"processes": count, "through": through, **_at_rest(load)} for count, through, load in said),
        _cells({"processes": count, "through": through, **_at_work(load)} for count, through, load in said),
        _prices(study.prices),
        *(_checked(*one) for one in study.checks()),
    ]
    return "\n\n".join(parts) + "\n"


def _through(shape: Shape, load: Load) -> str:
    return f"{NAMES[shape.name]} {' → '.join(f'{tier.count:,}' for tier in load.tiers)}".strip()


def _at_rest(load: Load) -> Cells:
    return {
        "streams at etcd": f"{load.streams:,}",
        "memory for them": scaled(load.memory, "B"),
        "heartbeats at etcd": f"{number(load.asked)} a second",
        "cores for them": number(load.asked_cpu),
        "busiest server between": f"{number(100 * load.busiest)} % of a core" if load.tiers else "",
    }


def _at_work(load: Load) -> Cells:
    return {
        "a change: etcd sends": scaled(load.bytes, "B"),
        "its CPU": seconds(load.change_cpu / 1e3),
        "at the last process after": seconds(load.last / 1e3),
        "a comeback: etcd sends": scaled(load.back_bytes, "B"),
        "and its CPU": seconds(load.back_cpu),
        "all back after": seconds(load.back_seconds),
    }


def _prices(prices: Prices) -> str:
    rows = []
    for name in ("etcd", "behind", "proxy", "relay", "client"):
        costs = getattr(prices, name)
        rows.append([name, *map(number, (costs.send, costs.ask, costs.back, costs.asks, costs.hop, costs.again))])
    others = {
        "a put that nobody watches": f"{number(prices.put)} us",
        "a heartbeat of a busy etcd": f"{number(prices.ask_busy)} us",
        "etcd's memory for a client": scaled(prices.memory, "B"),
        "a sent change, beyond key and value": f"{number(prices.event_bytes)} B",
        "a heartbeat's answer": f"{number(prices.ask_bytes)} B",
        "a comeback, beyond keys and values": f"{number(prices.back_bytes)} B",
    }
    heads = (
        "who pays",
        "a change to one, us",
        "a heartbeat, us",
        "a comeback, us",
        "its questions",
        "a hop, ms",
        "again, s",
    )
    return _table(heads, rows) + "\n\n" + "\n".join(f"- {name}: {value}" for name, value in others.items())


def _checked(point: Point, found: Sequence[Row]) -> str:
    plan = point.plan
    where = f"{plan.runtimes} runtimes, {NAMES[plan.topology]} {' → '.join(map(str, plan.counts))}".strip()
    rows = [[row.what, _with(row.predicted, row.unit), _with(row.measured, row.unit), _error(row)] for row in found]
    return _table((where, "model", "measured", "error"), rows)


def _cells(rows: Iterable[Cells]) -> str:
    found = list(rows)
    return _table(tuple(found[0]), (tuple(row.values()) for row in found))


def _error(row: Row) -> str:
    return "" if isnan(row.error) else f"{100 * row.error:+.0f} %"


def _with(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def scaled(value: float, unit: str) -> str:
    """With a prefix: 3.2 MB."""
    for prefix in ("", "K", "M", "G"):
        if value < 1000:
            return f"{number(value)} {prefix}{unit}"
        value /= 1000
    return f"{number(value)} T{unit}"


def seconds(value: float) -> str:
    """As people say it: 40 us, 3.1 ms, 12 s, 5 min, 3 h."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min")):
        if value < limit:
            return f"{number(value * factor)} {unit}"
    return f"{number(value / 3600)} h"
