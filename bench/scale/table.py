"""A study as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.harness.rows import number
from bench.scale.check import Row
from bench.scale.model import Fleet, Load, Prices, Shape
from bench.scale.points import Point
from bench.scale.study import Study, forecast

NAMES = {"direct": "direct", "proxy": "grpc-proxy", "relay": "relays"}

HEADS = (
    *(
        "processes",
        "through",
        "streams at etcd",
        "memory",
        "a change: etcd sends",
        "its CPU",
        "at the last process after",
    ),
    *("heartbeats a second at etcd", "its cores for them", "comeback: etcd sends", "its CPU", "all back after"),
)


def text(study: Study, fleet: Fleet, fan_out: int, cores: float) -> str:
    """The forecast, the prices, and the checks."""
    machine = study.machine
    parts = [
        f"etcd {study.etcd}, {machine.python}, {machine.cores} cores ({machine.cpu}), load {machine.load} at the begin",
        _table(HEADS, (_row(*one) for one in forecast(study.prices, fleet, fan_out, cores))),
        _prices(study.prices),
        *(_checked(*one) for one in study.checks()),
    ]
    return "\n\n".join(parts) + "\n"


def _row(processes: int, shape: Shape, said: Load) -> list[str]:
    name = NAMES[shape.name]
    if said.tiers:
        name += " " + " → ".join(f"{tier.count:,}" for tier in said.tiers)
    return [
        f"{processes:,}",
        name,
        f"{said.streams:,}",
        scaled(said.memory, "B"),
        scaled(said.bytes, "B"),
        seconds(said.change_cpu / 1e3),
        seconds(said.last / 1e3),
        number(said.asked),
        number(said.asked_cpu),
        scaled(said.back_bytes, "B"),
        seconds(said.back_cpu),
        seconds(said.back_seconds),
    ]


def _prices(prices: Prices) -> str:
    rows = []
    for name in ("etcd", "behind", "proxy", "relay", "client"):
        costs = getattr(prices, name)
        rows.append([name, *map(number, (costs.send, costs.ask, costs.back, costs.hop, costs.again))])
    others = {
        "a put that nobody watches": f"{number(prices.put)} us",
        "a heartbeat of a busy etcd": f"{number(prices.ask_busy)} us",
        "etcd's memory for a client": scaled(prices.memory, "B"),
        "a sent change, beyond key and value": f"{number(prices.event_bytes)} B",
        "a heartbeat's answer": f"{number(prices.ask_bytes)} B",
        "a comeback, beyond keys and values": f"{number(prices.back_bytes)} B",
    }
    heads = ("who pays", "a change to one, us", "a heartbeat, us", "a comeback, us", "a hop, ms", "again, s")
    return _table(heads, rows) + "\n\n" + "\n".join(f"- {name}: {value}" for name, value in others.items())


def _checked(point: Point, found: Sequence[Row]) -> str:
    plan = point.plan
    where = f"{plan.runtimes} runtimes, {NAMES[plan.topology]} {' → '.join(map(str, plan.counts))}".strip()
    rows = [
        [row.what, _with(row.predicted, row.unit), _with(row.measured, row.unit), f"{100 * row.error:+.0f} %"]
        for row in found
    ]
    return _table((where, "model", "measured", "error"), rows)


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
