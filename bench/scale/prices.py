"""Measured points become the model's prices: each is a difference between two points, divided by what it bought."""

from __future__ import annotations

import msgspec

from bench.scale.model import Costs, Fleet, Prices, Shape
from bench.scale.points import SETTLE, Plan, Point, Spent, quantile
from bench.scale.relay import PAUSE
from bench.scale.runtimes import STAMP


def fleet_of(plan: Plan) -> Fleet:
    """The model's fleet of a point."""
    return Fleet(processes=plan.runtimes, keys=plan.keys, key_bytes=len(STAMP), value_bytes=plan.value_bytes)


def shape_of(plan: Plan) -> Shape:
    """The model's shape of a point: its servers between are spread evenly."""
    fan_out = -(-plan.runtimes // plan.counts[-1]) if plan.counts else 0
    asks = 1 / PAUSE if plan.topology == "relay" else 0.0
    return Shape(name=plan.topology, fan_out=fan_out, top=plan.counts[0] if plan.counts else 0, asks=asks)


class Base(msgspec.Struct, frozen=True):
    """What etcd spends with nobody there.

    Attributes:
        idle: CPU a second.
        put: Seconds of CPU for one put.
        start: Seconds of CPU for a restart with one put.
    """

    idle: float
    put: float
    start: float


def base_of(empty: Point) -> Base:
    """From a point without runtimes."""
    idle = empty.idle.etcd / empty.idle.seconds
    put = (empty.change.etcd - idle * empty.change.seconds) / empty.plan.changes
    return Base(idle, put, empty.back.etcd - idle * empty.back.seconds)


def etcd_costs(point: Point, base: Base) -> Costs:
    """etcd's, for each runtime of the point."""
    plan, beats = point.plan, _beats_after(point)
    ask = _above(point.idle, base.idle) / point.idle.ranges
    send = _above(point.change, base.idle) - ask * point.change.ranges - base.put * plan.changes
    back = _above(point.back, base.idle) - base.start - ask * beats
    found = _costs(send / point.change.messages, ask, back / plan.runtimes, hop=quantile(point.first, 0.5))
    return msgspec.structs.replace(found, asks=max(0.0, point.back.ranges - beats) / plan.runtimes)


def between_costs(point: Point, direct: Point) -> Costs:
    """Of the one server between of a point, against the same fleet without it."""
    plan = point.plan
    ask = point.idle.tiers[0] / _beats(point, point.idle)
    send = point.change.tiers[0] - ask * _beats(point, point.change)
    back = point.back.tiers[0] - ask * _beats_after(point)
    hop = quantile(point.first, 0.5) - quantile(direct.first, 0.5)
    again = quantile(point.returned, 0.5) - quantile(direct.returned, 0.5)
    return _costs(send / (plan.runtimes * plan.changes), ask, back / plan.runtimes, hop=hop, again=again)


def client_costs(direct: Point) -> Costs:
    """A runtime's own."""
    plan = direct.plan
    ask = direct.idle.clients / _beats(direct, direct.idle)
    send = direct.change.clients - ask * _beats(direct, direct.change)
    back = direct.back.clients - ask * _beats_after(direct)
    return _costs(send / (plan.runtimes * plan.changes), ask, back / plan.runtimes)


def _costs(send: float, ask: float, back: float, *, hop: float = 0.0, again: float = 0.0) -> Costs:
    """From seconds; a difference of two points that is lost in their noise is nothing."""
    send, ask, back = (1e6 * max(0.0, seconds) for seconds in (send, ask, back))
    return Costs(send=send, ask=ask, back=back, hop=max(0.0, hop), again=max(0.0, again))


def prices(empty: Point, direct: Point, proxy: Point, relay: Point, ask_busy: float) -> Prices:
    """From points of one size, the last two with one server between; `ask_busy` in microseconds."""
    base, plan = base_of(empty), direct.plan
    document = len(STAMP) + plan.value_bytes
    ask_bytes = direct.idle.sent / direct.idle.ranges
    messages = direct.change.sent - ask_bytes * direct.change.ranges
    back = direct.back.sent - ask_bytes * _beats_after(direct)
    return Prices(
        etcd=etcd_costs(direct, base),
        behind=etcd_costs(proxy, base),
        proxy=between_costs(proxy, direct),
        relay=between_costs(relay, direct),
        client=client_costs(direct),
        put=1e6 * base.put,
        ask_busy=ask_busy,
        memory=(direct.memory - empty.memory) / plan.runtimes,
        event_bytes=messages / direct.change.messages - document,
        ask_bytes=ask_bytes,
        back_bytes=back / plan.runtimes - plan.keys * document,
    )


def _beats(point: Point, phase: Spent) -> float:
    """Heartbeats of all runtimes in a phase."""
    return phase.seconds * point.plan.runtimes * fleet_of(point.plan).beats


def _beats_after(point: Point) -> float:
    """Heartbeats of all runtimes after a comeback."""
    return SETTLE * point.plan.runtimes * fleet_of(point.plan).beats


def _above(phase: Spent, idle: float) -> float:
    """Seconds of etcd's CPU beyond what it spends with nobody there."""
    return phase.etcd - idle * phase.seconds
