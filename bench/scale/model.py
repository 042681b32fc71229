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

AWAKE = 500.0
"""Questions a second at which half of what it costs a server to be woken for each is gone. Measured on etcd 3.5.1 with
100 keys: 45 a second cost it 0.99 ms each, 1,471 cost 0.41 ms, and 2,977 from 32 at once 0.19 ms."""

PROXY_WATCHES, PROXY_STREAMS = 3, 2
"""Of one grpc-proxy at etcd, however many are behind it: the range, and its own look-out for a lost leader. It asks
for the value before each change too, whether or not a client does."""


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """What is followed, and by how many.

    Attributes:
        processes: Runtimes, each with one source over one prefix.
        keys: Below the prefix.
        key_bytes, value_bytes: Of each.
        keepalive: Seconds, as given to `Etcd`.
    """

    processes: int
    keys: int = 100
    key_bytes: int = 12
    value_bytes: int = 256
    keepalive: float = 10.0

    @property
    def beats(self) -> float:
        """Heartbeats a second of one runtime."""
        return 1.0 / (BEAT * self.keepalive)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How runtimes reach etcd.

    Attributes:
        name: direct, proxy or relay.
        fan_out: Clients of one server between, at most; 0 for none between.
        top: Tiers are put above one another until etcd has so many clients or fewer; 0 for one tier.
        asks: Questions a second that one server between asks at most, whatever it is asked; 0: it passes on each.
    """

    name: str
    fan_out: int = 0
    top: int = 0
    asks: float = 0.0


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What one server pays. CPU in microseconds.

    Attributes:
        send: For sending one change to one client.
        ask: For answering one heartbeat, when it is asked seldom.
        back: For one client that comes back with the fleet's keys.
        asks: How many questions that is. A runtime that resumes asks 3: a look, the range at its own revision to
            compare (up to 500 keys), the newest key.
        hop: Milliseconds that one change takes through it, alone (of etcd: with its disk and the runtime's part).
        again: Seconds that it adds to a comeback, over what a runtime takes that has nobody between.
    """

    send: float
    ask: float
    back: float
    asks: float = 3.0
    hop: float = 0.0
    again: float = 0.0


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is measured, for one number of keys and size of documents.

    Attributes:
        etcd: For clients of its own, runtimes and relays.
        behind: etcd's for a runtime behind a grpc-proxy, which passes its questions on.
        proxy, relay: The servers between.
        client: A runtime's own part: to take a change, to ask, to come back.
        put: Microseconds of etcd's CPU for a change that nobody watches.
        ask_busy: Microseconds of etcd's CPU for a heartbeat when it is asked all the time.
        memory: Bytes of etcd's resident memory for one client.
        event_bytes: Of a sent change, beyond key and value.
        ask_bytes: Of a heartbeat's answer.
        back_bytes: Of a comeback, beyond keys and values.
    """

    etcd: Costs
    behind: Costs
    proxy: Costs
    relay: Costs
    client: Costs
    put: float
    ask_busy: float
    memory: float
    event_bytes: float
    ask_bytes: float
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
        clients, streams, watches: At etcd.
        memory: Bytes of etcd's for them.
        messages, bytes: That etcd sends for one change.
        change_cpu: Milliseconds of etcd's CPU for one change.
        asked: Heartbeats a second that reach etcd.
        asked_bytes: That etcd sends a second in answer to them.
        asked_cpu: Cores of etcd's that they keep busy.
        last: Milliseconds until the last runtime shows a change.
        back_ranges, back_bytes: That etcd answers and sends when it restarts and all come back.
        back_cpu: Seconds of etcd's CPU for that.
        back_seconds: Until the last runtime is back.
        busiest: Cores that the busiest server between needs for heartbeats.
    """

    tiers: tuple[Tier, ...]
    clients: int
    streams: int
    watches: int
    memory: float
    messages: int
    bytes: float
    change_cpu: float
    asked: float
    asked_bytes: float
    asked_cpu: float
    last: float
    back_ranges: float
    back_bytes: float
    back_cpu: float
    back_seconds: float
    busiest: float


def tiers(fleet: Fleet, shape: Shape) -> tuple[Tier, ...]:
    """The servers between that a fleet needs, the one below etcd first; empty for none."""
    if not shape.fan_out:
        return ()
    found: list[Tier] = []
    below, each = fleet.processes, fleet.beats
    while not found or 0 < shape.top < found[0].count:
        count = ceil(below / shape.fan_out)
        clients = ceil(below / count)
        asked = clients * each
        each = min(asked, shape.asks) if shape.asks else asked
        found.insert(0, Tier(count, clients, asked, each))
        below = count
    return tuple(found)


def load(fleet: Fleet, shape: Shape, prices: Prices, *, cores: float = 8.0, together: float = 0.0) -> Load:
    """What a fleet costs.

    Args:
        fleet: Who follows what.
        shape: How.
        prices: Measured with these keys.
        cores: That etcd has.
        together: Cores on which everything runs, clients included, as in a bench on one machine; 0: etcd, every
            other server and every runtime has a machine of its own.
    """
    between = tiers(fleet, shape)
    passes = bool(between) and not shape.asks
    etcd, step = (prices.behind if passes else prices.etcd), prices.of(shape.name)
    clients = between[0].count if between else fleet.processes
    comers = fleet.processes if passes else clients
    asked = between[0].count * between[0].asks if between else fleet.processes * fleet.beats
    change_cpu = prices.put + clients * prices.etcd.send
    back_cpu = comers * etcd.back
    # One tier after another; within one, its clients are served in turn. A relay is one Python process: one core.
    sends = clients * prices.etcd.send / cores + sum(step.send * tier.clients for tier in between)
    waits = back_cpu / cores + sum(step.back * tier.clients for tier in between)
    if together:
        served = sum(tier.count * tier.clients for tier in between)
        sends = clients * prices.etcd.send + step.send * served + fleet.processes * prices.client.send
        waits = back_cpu + step.back * served + fleet.processes * prices.client.back
        sends, waits = sends / together, waits / together
    document = fleet.key_bytes + fleet.value_bytes
    sent = document * (2 if passes else 1) + prices.event_bytes
    return Load(
        tiers=between,
        clients=clients,
        streams=clients * (PROXY_STREAMS if passes else 1),
        watches=clients * (PROXY_WATCHES if passes else 1),
        memory=clients * prices.memory,
        messages=clients,
        bytes=clients * sent,
        change_cpu=change_cpu / 1e3,
        asked=asked,
        asked_bytes=asked * prices.ask_bytes,
        asked_cpu=asked * (prices.ask_busy + (etcd.ask - prices.ask_busy) / (1 + asked / AWAKE)) / 1e6,
        last=prices.etcd.hop + step.hop * len(between) + sends / 1e3,
        back_ranges=comers * etcd.asks,
        back_bytes=comers * (fleet.keys * document + prices.back_bytes),
        back_cpu=back_cpu / 1e6,
        back_seconds=SPREAD + step.again * len(between) + waits / 1e6,
        busiest=max((step.ask * tier.asked / 1e6 for tier in between), default=0.0),
    )
