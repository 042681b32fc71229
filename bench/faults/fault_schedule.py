"""Which fault comes next: faults, shuffled from the seed, so that every kind comes in its share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

from bench.faults.stage import Stage

BALLAST = (600, 5000)
"""Keys beside those of the writers: above 500 a source resumes on a sample, and compares the rest later."""

Fault = Callable[[Stage, random.Random], Awaitable[None]]


async def kill(stage: Stage, rng: random.Random) -> None:
    """kill -9 of one member, and a restart."""
    await stage.take_down([stage.some_member()], rng.choice([0.0, 0.0, 0.2, 1.0, 3.0]))


async def kill_leader(stage: Stage, rng: random.Random) -> None:
    """The same, of the leader."""
    await stage.take_down([await stage.cluster.wait_leader()], rng.choice([0.0, 0.5, 2.0]))


async def kill_quorum(stage: Stage, rng: random.Random) -> None:
    """All but one member of three, the leader among them."""
    lost = await asyncio.to_thread(stage.cluster.majority)
    await stage.take_down(lost, rng.uniform(0.5, 3.0))


async def terminate(stage: Stage, rng: random.Random) -> None:
    """SIGTERM and a restart, as in a rolling upgrade."""
    await stage.take_down([stage.some_member()], rng.uniform(0.0, 1.0), gracefully=True)


async def stop(stage: Stage, rng: random.Random) -> None:
    """SIGSTOP and SIGCONT: shorter and longer than the keepalive."""
    await stage.freeze([stage.some_member()], rng.choice([0.3, 1.0, 2.0, 6.0]))


async def stop_leader(stage: Stage, rng: random.Random) -> None:
    """The same, of the leader: the others elect a new one."""
    await stage.freeze([await stage.cluster.wait_leader()], rng.choice([1.0, 3.0]))


async def compact(stage: Stage, rng: random.Random) -> None:
    """A compaction near the newest revision."""
    await stage.compact(rng.choice([0, 5, 50]))


async def compact_away(stage: Stage, rng: random.Random) -> None:
    """A compaction of what a follower behind a black hole has not seen yet."""
    await stage.black_hole(stage.proxies, rng.uniform(0.3, 1.0), reset=True, compact=True)


async def restore(stage: Stage, rng: random.Random) -> None:
    """A snapshot, more writes, and back to the snapshot."""
    await stage.restore(rng.uniform(0.2, 1.0), rng.choice([0, *BALLAST]))


async def wipe(stage: Stage, _: random.Random) -> None:
    """An empty etcd in place of the old one."""
    await stage.wipe()


async def reseed(stage: Stage, rng: random.Random) -> None:
    """Another etcd that differs in one value, and in nothing else that can be asked for."""
    await stage.reseed(rng.choice([0, *BALLAST]))


async def partition(stage: Stage, rng: random.Random) -> None:
    """Some followers are cut off without a word; in a cluster sometimes from one member only."""
    proxies = stage.proxies if rng.random() < 0.5 else [rng.choice(stage.proxies)]
    await stage.black_hole(proxies, rng.choice([0.5, 2.0, 6.0]), reset=rng.random() < 0.5, compact=False)


async def reset(stage: Stage, _: random.Random) -> None:
    """Every connection through a proxy is reset."""
    for proxy in stage.proxies:
        proxy.reset()


async def delay(stage: Stage, rng: random.Random) -> None:
    """A slow network."""
    await stage.delay(rng.uniform(0.5, 1.5), rng.uniform(0.02, 0.2))


SINGLE: dict[Fault, int] = {
    kill: 22,
    terminate: 3,
    stop: 7,
    compact: 10,
    compact_away: 3,
    restore: 1,
    wipe: 1,
    reseed: 1,
}
SINGLE |= {partition: 3, reset: 2, delay: 1}
CLUSTER: dict[Fault, int] = {kill: 10, kill_leader: 9, kill_quorum: 3, terminate: 3, stop: 4, stop_leader: 3}
CLUSTER |= {compact: 10, compact_away: 3, restore: 1, wipe: 1, reseed: 1, partition: 3, reset: 2, delay: 1}


def fault_schedule(members: int, rng: random.Random) -> Iterator[Fault]:
    """Faults for ever: first one of each kind, then shuffled rounds in which each kind has its share."""
    shares = SINGLE if members == 1 else CLUSTER
    faults = list(shares)
    while True:
        rng.shuffle(faults)
        yield from faults
        faults = [fault for fault, number in shares.items() for _ in range(number)]
