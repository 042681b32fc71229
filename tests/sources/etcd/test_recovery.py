"""How long it takes until SYNCED once etcd is healthy again, when the next try is far away.

The figures of docs/faults.md come from here, with `pytest -s` and in the environment:
RECOVERY_ROUNDS=20 for many rounds; RECOVERY_OUTAGE=60 for an outage that lasts so long, nothing simulated;
RECOVERY_QUIET=60 RECOVERY_KEEPALIVE=10 for quiet before the fault, and the usual keepalive.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time

import pytest

from reactive_config._core.status import SourceState
from reactive_config._sources.etcd.session_loop import Backoff
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

ROUNDS = int(os.environ.get("RECOVERY_ROUNDS", "1"))
OUTAGE = float(os.environ.get("RECOVERY_OUTAGE", "0"))
QUIET = float(os.environ.get("RECOVERY_QUIET", "0"))
KEEPALIVE = float(os.environ.get("RECOVERY_KEEPALIVE", "2"))
CAP = 10.0


def stale(feed):
    return feed.states and feed.states[-1][0] is SourceState.STALE


@pytest.fixture
def long_outage(monkeypatch):
    """The backoff stands where a minute of failed attempts has brought it, and the jitter is not kind."""
    if not OUTAGE:
        monkeypatch.setattr(Backoff, "pause", lambda self: CAP)


class Kill:
    """SIGKILL, and the start of the same etcd."""

    def __init__(self, server, proxy):
        self.begin, self.end = server.kill, server.start


class Stop:
    """SIGSTOP and SIGCONT: connections stay, new ones are accepted by the kernel, and nothing answers."""

    def __init__(self, server, proxy):
        self.begin, self._cont = server.stop, server.cont

    async def end(self):
        self._cont()


class Hole:
    """A network that swallows everything, on old connections and new ones."""

    def __init__(self, server, proxy):
        self.begin, self._heal = proxy.drop, proxy.heal

    async def end(self):
        self._heal()


async def measure(fault, binary, follow, synced):
    """Break a server of its own again and again; returns the times to recover."""
    found, took = [], []
    async with etcd_server(binary) as server, tcp_proxy(server.endpoint) as proxy:
        await server.put("/s/a", "1")
        endpoint = proxy.endpoint if fault is Hole else server.endpoint
        async with follow(endpoint, prefix="/s/", keepalive=KEEPALIVE, timeout=0.5) as feed:
            for _ in range(ROUNDS):
                await feed.wait(synced)
                await asyncio.sleep(QUIET)
                wrong, told, begin = fault(server, proxy), len(feed.states), time.monotonic()
                wrong.begin()
                await feed.wait(lambda feed, told=told: stale(feed) and len(feed.states) > told, timeout=20)
                found.append(time.monotonic() - begin)
                await asyncio.sleep(OUTAGE or 1.2)  # longer than a probe and an attempt: the long pause has begun
                await wrong.end()
                healthy = time.monotonic()
                await feed.wait(synced, timeout=CAP)
                took.append(time.monotonic() - healthy)
    for name, times in (("STALE after its begin", found), ("SYNCED after its end", took)):
        shown = f"p50 {statistics.median(times):.3f} s, worst {max(times):.3f} s of {len(times)}"
        print(f"etcd {binary.version} {fault.__name__}: {name}: {shown}")
    return took


@pytest.mark.timeout(120 + ROUNDS * (OUTAGE + QUIET + 20))
async def test_it_takes_less_than_a_second_however_far_the_next_try_is(binary, follow, synced, long_outage):
    times = await asyncio.gather(*(measure(fault, binary, follow, synced) for fault in (Kill, Stop, Hole)))
    assert max(map(max, times)) < 1.0


async def test_a_start_does_not_wait_for_an_endpoint_that_is_a_black_hole(server, prefix, follow, synced):
    async with tcp_proxy(server.endpoint) as hole:
        hole.drop()
        begin = time.monotonic()
        async with follow(hole.endpoint, server.endpoint, prefix=prefix) as feed:
            await feed.wait(synced)
            assert time.monotonic() - begin < 1.0
            assert [state for state, _ in feed.states] == [SourceState.SYNCED]
