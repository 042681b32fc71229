"""What a fleet costs etcd, computed. Pure: numbers in, numbers out.

Four things cost something: a **change** is sent to every watch; a **heartbeat** asks one small question for every
runtime every few seconds; a **comeback** after a restart asks three, one of which reads the whole range; and a
connection takes memory. A server between takes the watches of many and makes one of them. Whether it also takes
their questions is what tells a relay from etcd's grpc-proxy.
"""

from __future__ import annotations

from math import ceil

import msgspec

BEAT = 0.425
"""Of `keepalive`: the mean time between two heartbeats of one runtime (`Session._beat`: 0.35 to 0.5 of it)."""

SPREAD = 0.25
"""Seconds over which a fleet spreads its comeback (`probe.SPREAD`)."""

COMEBACK_RANGES = 3
"""Of a runtime that resumes: a look, the range at its own revision to compare (up to 500 keys), the newest key."""

CONNECTION = 35_350
"""Bytes of etcd's memory for one client with one stream and one watch: 17 KB, 18 KB and 350 bytes
(https://etcd.io/docs/v3.6/benchmarks/etcd-3-watch-memory-benchmark/)."""


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """What is followed, by how many, and how often it changes.

    Attributes:
        processes: Runtimes, each with one source over one prefix.
        keys: Below the prefix.
        key_bytes, value_bytes: Of each.
        keepalive: Seconds, as given to `Etcd`.
        changes: Transactions a second, of one key each.
    """

    processes: int
    keys: int = 100
    key_bytes: int = 20
    value_bytes: int = 256
    keepalive: float = 10.0
    changes: float = 0.1


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How runtimes reach etcd.

    Attributes:
        name: direct, proxy or relay.
        fan_out: Clients of one server between, at most; 0 for none between.
        deep: Whether tiers are put above one another until etcd has `fan_out` clients or fewer.
        asks: Questions a second that one server between asks at most, whatever it is asked; 0: it passes on each.
    """

    name: str
    fan_out: int = 0
    deep: bool = False
    asks: float = 0.0


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What one server pays. CPU in microseconds.

    Attributes:
        send: For sending one change to one client.
        ask: For answering one heartbeat.
        back: For one client that comes back with the fleet's keys.
        hop: Milliseconds that one change takes through it, alone and unloaded (of etcd: with the client's part).
    """

    send: float
    ask: float
    back: float
    hop: float


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is measured.

    Attributes:
        etcd, proxy, relay: Of the servers. For the proxy, etcd's own part of a passed question is etcd's.
        client: A runtime's own part: to take a change, to ask, to come back. Its `hop` means nothing.
        put: Microseconds of etcd's CPU for a change that nobody watches.
        event_bytes: Bytes of a sent change beyond key and value.
        ask_bytes: Bytes of a heartbeat's answer.
        item_bytes: Bytes of a listed key beyond key and value.
        back_bytes: Bytes of a comeback beyond the list.
    """

    etcd: Costs
    proxy: Costs
    relay: Costs
    client: Costs
    put: float
    event_bytes: float
    ask_bytes: float
    item_bytes: float
    back_bytes: float

    def of(self, name: str) -> Costs:
        """Of the server between in a shape of that name."""
        return self.relay if name == "relay" else self.proxy


class Tier(msgspec.Struct, frozen=True):
    """Servers of one kind side by side.

    Attributes:
        count: How many.
        clients: Of the busiest one.
        asked: Questions a second that the busiest one is asked by its clients.
        asks: Questions a second that it asks above.
    """

    count: int
    clients: int
    asked: float
    asks: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What etcd has to do (all members together), and what the fleet sees of it.

    Attributes:
        tiers: Between, the one below etcd first.
        watches: At etcd, and as many streams and connections.
        memory: Bytes of etcd for them.
        messages, bytes: etcd sends for one change.
        change_cpu: Milliseconds of etcd's CPU for one change.
        asked: Heartbeats a second that reach etcd.
        cores: Of etcd's, busy with heartbeats and changes.
        last: Milliseconds until the last runtime shows a change.
        back_ranges, back_bytes: etcd answers and sends when it restarts and all come back.
        back_seconds: Until all are back, of which etcd is busy for `back_busy`.
        busiest: Cores that the busiest server between uses for heartbeats and changes; it has one if it is Python.
    """

    tiers: tuple[Tier, ...]
    watches: int
    memory: float
    messages: int
    bytes: float
    change_cpu: float
    asked: float
    cores: float
    last: float
    back_ranges: int
    back_bytes: float
    back_seconds: float
    back_busy: float
    busiest: float


def tiers(fleet: Fleet, shape: Shape) -> tuple[Tier, ...]:
    """The servers between that a fleet needs, the one below etcd first; empty for none."""
    if not shape.fan_out:
        return ()
    beats = 1.0 / (BEAT * fleet.keepalive)
    found: list[Tier] = []
    below, each = fleet.processes, beats
    while not found or (shape.deep and found[0].count > shape.fan_out):
        count = ceil(below / shape.fan_out)
        clients = ceil(below / count)
        asked = clients * each
        each = min(asked, shape.asks) if shape.asks else asked
        found.insert(0, Tier(count, clients, asked, each))
        below = count
    return tuple(found)


def load(fleet: Fleet, shape: Shape, prices: Prices, *, cores: float = 2.0, together: float = 0.0) -> Load:
    """What a fleet costs.

    Args:
        fleet: Who follows what.
        shape: How.
        prices: Measured.
        cores: That etcd has.
        together: Cores on which everything runs, clients included, as in a bench on one machine; 0: etcd and every
            other server and client has a machine of its own.
    """
    between = tiers(fleet, shape)
    etcd, step = prices.etcd, prices.of(shape.name)
    watches = between[0].count if between else fleet.processes
    beats = fleet.processes / (BEAT * fleet.keepalive)
    asked = between[0].count * between[0].asks if between else beats
    change = fleet.key_bytes + fleet.value_bytes + prices.event_bytes
    change_cpu = prices.put + watches * etcd.send
    lists = fleet.keys * (fleet.key_bytes + fleet.value_bytes + prices.item_bytes)
    back_cpu = watches * etcd.back / 1e6
    # One after another: what every tier sends to its clients, and what the last of them adds.
    sends = etcd.send * watches / cores + sum(step.send * tier.clients for tier in between)
    waits = back_cpu / cores + sum(step.back * tier.clients for tier in between) / 1e6
    if together:
        everywhere = sum(tier.count * tier.clients for tier in between)
        clients = fleet.processes * prices.client.send
        sends = (etcd.send * watches + step.send * everywhere + clients) / together
        waits = (back_cpu + (step.back * everywhere + fleet.processes * prices.client.back) / 1e6) / together
    busy = [(step.send * tier.clients * fleet.changes + step.ask * tier.asked) / 1e6 for tier in between]
    return Load(
        tiers=between,
        watches=watches,
        memory=watches * CONNECTION,
        messages=watches,
        bytes=watches * change,
        change_cpu=change_cpu / 1e3,
        asked=asked,
        cores=(asked * etcd.ask + fleet.changes * change_cpu) / 1e6,
        last=etcd.hop + step.hop * len(between) + sends / 1e3,
        back_ranges=watches * COMEBACK_RANGES,
        back_bytes=watches * (lists + prices.back_bytes),
        back_seconds=SPREAD + waits,
        back_busy=back_cpu / cores,
        busiest=max(busy, default=0.0),
    )
