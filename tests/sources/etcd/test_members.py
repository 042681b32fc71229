"""A cluster of three: its leader dies, a member falls silent, the quorum goes and comes back."""

from __future__ import annotations

import asyncio
import time

import pytest

from reactive_config._core.status import SourceState
from reactive_config._sources.etcd.session_loop import Backoff
from reactive_config._testing.etcd_cluster import running_cluster

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]


@pytest.fixture(scope="module")
def cluster(binary):
    """Every test leaves all three members running."""
    with running_cluster(binary=binary) as cluster:
        yield cluster


def stale(feed):
    return feed.states and feed.states[-1][0] is SourceState.STALE


async def leader_first(cluster):
    leader = await cluster.wait_leader()
    return leader, [leader.endpoint, *(endpoint for endpoint in cluster.endpoints if endpoint != leader.endpoint)]


async def test_another_member_takes_over_when_the_leader_that_is_followed_dies(cluster, prefix, follow, synced, values):
    leader, endpoints = await leader_first(cluster)
    await leader.put(f"{prefix}a", "1")
    async with follow(*endpoints, prefix=prefix) as feed:
        await feed.wait(synced)
        leader.kill()
        await feed.wait(stale)
        survivor = await cluster.wait_leader()
        elected = time.monotonic()
        revision = await survivor.put(f"{prefix}a", "2")
        await feed.wait(lambda feed: synced(feed) and feed.revision >= revision)
        took = time.monotonic() - elected
        assert values(feed) == {f"{prefix}a": "<2>"}
        assert (feed.counters["relists"], feed.counters["restores"]) == (0, 0)
        await cluster.start()
    print(f"etcd {leader.binary.version} leader killed: SYNCED {took:.2f} s after the election")
    assert took < 3.0


async def test_a_member_that_falls_silent_is_left_within_the_keepalive(cluster, prefix, follow, synced):
    leader, endpoints = await leader_first(cluster)
    await leader.put(f"{prefix}a", "1")
    async with follow(*endpoints, prefix=prefix, keepalive=2.0) as feed:
        await feed.wait(synced)
        cluster.stop(leader)
        begin = time.monotonic()
        await feed.wait(stale)
        found = time.monotonic() - begin
        await feed.wait(synced)
        took = time.monotonic() - begin
        cluster.cont()
        await cluster.wait_leader()
        assert feed.counters["relists"] == 0
    print(f"etcd {leader.binary.version} leader stopped: STALE after {found:.2f} s, SYNCED after {took:.2f} s")
    assert found < 2.5


async def test_without_a_quorum_it_is_stale_and_back_soon_after(cluster, prefix, follow, synced, values, monkeypatch):
    """However long it was away: a member that speaks is asked again within about 2 s, whatever the backoff says."""
    leader, _ = await leader_first(cluster)
    await leader.put(f"{prefix}a", "1")
    rest = [member for member in cluster.members if member is not leader]
    async with follow(rest[0].endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        begin = time.monotonic()
        for member in (leader, rest[1]):
            member.kill()
        await feed.wait(lambda feed: stale(feed) and "no leader" in feed.states[-1][1])
        found = time.monotonic() - begin
        assert values(feed) == {f"{prefix}a": "<1>"}
        monkeypatch.setattr(Backoff, "pause", lambda self: 10.0)
        await asyncio.to_thread(cluster.start_blocking)
        await cluster.wait_leader()
        begin = time.monotonic()
        await feed.wait(synced)
        took = time.monotonic() - begin
        assert feed.counters["relists"] == 0
    print(f"etcd {leader.binary.version} quorum lost: STALE after {found:.2f} s, SYNCED {took:.2f} s after its return")
    assert took < 3.0
