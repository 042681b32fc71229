"""A measured point: what was asked for, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

SETTLE = 6.0
"""Seconds after a comeback that still count as part of it: more than a heartbeat."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One point.

    Attributes:
        topology: direct, proxy or relay.
        runtimes: How many.
        counts: Servers between in each tier, the one below etcd first.
        keys, value_bytes: Below the prefix; each.
        idle: Seconds of heartbeats alone.
        changes, rate: How many, and how many a second.
        down: Seconds that etcd is away before the comeback; more than a heartbeat with its deadline, and all notice.
    """

    topology: str
    runtimes: int
    counts: tuple[int, ...] = ()
    keys: int = 100
    value_bytes: int = 256
    idle: float = 15.0
    changes: int = 60
    rate: float = 4.0
    down: float = 10.0


class Spent(msgspec.Struct, frozen=True):
    """What was spent in a phase, or up to a moment.

    Attributes:
        seconds: How long it was (up to a moment: the monotonic clock).
        etcd, clients: Seconds of CPU, of etcd and of all processes with runtimes.
        tiers: Seconds of CPU of each tier's servers together, the one below etcd first.
        ranges: Range calls that etcd took.
        messages: That etcd sent on watches.
        sent: Bytes that etcd sent, without gRPC's and TCP's framing.
    """

    seconds: float
    etcd: float
    clients: float
    tiers: tuple[float, ...]
    ranges: float
    messages: float
    sent: float

    def since(self, before: Spent) -> Spent:
        """From then to now."""
        return Spent(
            self.seconds - before.seconds,
            self.etcd - before.etcd,
            self.clients - before.clients,
            tuple(now - then for now, then in zip(self.tiers, before.tiers, strict=True)),
            self.ranges - before.ranges,
            self.messages - before.messages,
            self.sent - before.sent,
        )


class Point(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        plan: Of what.
        watches, streams: At etcd.
        memory: Bytes of etcd's that came with the fleet.
        idle, change, back: What heartbeats alone, the changes and the comeback cost; the last with etcd's own start.
        visible: Milliseconds from put to visible, sorted, of every runtime and change that it saw.
        first, last: The same of the first and the last runtime, for every change.
        returned: Seconds from a healthy etcd to a new write seen, sorted, of every runtime.
        relists: Of all runtimes.
    """

    plan: Plan
    watches: float
    streams: float
    memory: float
    idle: Spent
    change: Spent
    back: Spent
    visible: list[float]
    first: list[float]
    last: list[float]
    returned: list[float]
    relists: int


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted figures; nan of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
