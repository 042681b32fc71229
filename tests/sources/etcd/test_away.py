"""The connection is cut while etcd goes on: what happened meanwhile arrives, whole and once."""

from __future__ import annotations

import pytest

from reactive_config._core.delta import Patch
from reactive_config._core.status import SourceState
from reactive_config._etcd.transaction import write

pytestmark = pytest.mark.etcd


def stale(feed):
    return feed.states and feed.states[-1][0] is SourceState.STALE


async def test_changes_while_away_arrive_by_resuming(server, prefix, proxy, follow, values, synced, replaces):
    await server.txn({f"{prefix}a": "1", f"{prefix}gone": "1"})
    async with follow(proxy.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        proxy.refuse()
        await feed.wait(stale)
        await server.txn({f"{prefix}a": "2", f"{prefix}b": "2"})
        last = await server.txn({f"{prefix}a": "3"}, deletes=[f"{prefix}gone"])
        await proxy.listen()
        await feed.wait(lambda feed: synced(feed) and feed.revision >= last)
        assert values(feed) == {f"{prefix}a": "<3>", f"{prefix}b": "<2>"}
        assert replaces(feed) == 1
        assert feed.counters["relists"] == 0


async def test_the_lag_is_told_while_catching_up_and_none_is_left(server, prefix, proxy, follow, synced):
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix) as feed, server.connect() as link:
        await feed.wait(synced)
        assert feed.gauges == {"lag": 0}
        proxy.refuse()
        await feed.wait(stale)
        for number in range(50):
            last = await write(link, {f"{prefix}a": str(number)})
        lags = []
        await proxy.listen()
        await feed.wait(lambda feed: lags.append(feed.gauges["lag"]) or (synced(feed) and feed.revision >= last))
        assert max(lags) == 50
        assert feed.gauges["lag"] == 0
        assert "lag" not in feed.counters


async def test_a_compaction_while_away_means_one_relist(server, prefix, proxy, follow, values, synced, replaces):
    await server.txn({f"{prefix}a": "1", f"{prefix}gone": "1"})
    async with follow(proxy.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        proxy.refuse()
        await feed.wait(stale)
        last = await server.txn({f"{prefix}a": "2", f"{prefix}b": "2"}, deletes=[f"{prefix}gone"])
        await server.compact(last)
        await proxy.listen()
        await feed.wait(lambda feed: synced(feed) and feed.revision >= last)
        assert values(feed) == {f"{prefix}a": "<2>", f"{prefix}b": "<2>"}
        assert replaces(feed) == 2
        assert feed.counters["relists"] == 1
        assert feed.counters["restores"] == 0


async def test_a_relist_with_equal_content_sends_the_same_entries(server, prefix, proxy, follow, synced, replaces):
    """The core compares entries; sending the very same objects makes that free and cannot wake anybody."""
    await server.txn({f"{prefix}a": "[1]", f"{prefix}b": "2"})
    async with follow(proxy.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        before = dict(feed.entries)
        proxy.refuse()
        await feed.wait(stale)
        await server.compact(await server.put("/elsewhere", "1"))
        await proxy.listen()
        await feed.wait(lambda feed: synced(feed) and replaces(feed) == 2)
        assert all(feed.entries[name] is entry for name, entry in before.items())


async def test_a_quiet_prefix_survives_a_compaction_elsewhere(server, prefix, proxy, follow, values, synced, replaces):
    """Heartbeats prove the unchanged state for later revisions, so it needs no relist."""
    await server.put(f"{prefix}a", "1")
    async with follow(proxy.endpoint, prefix=prefix, keepalive=2.0) as feed:
        await feed.wait(synced)
        later = await server.put("/elsewhere", "1")
        await feed.wait(lambda feed: feed.revision >= later)
        await server.compact(later)
        proxy.refuse()
        await feed.wait(stale)
        await server.put(f"{prefix}a", "2")
        await proxy.listen()
        await feed.wait(lambda feed: synced(feed) and values(feed)[f"{prefix}a"] == "<2>")
        assert replaces(feed) == 1


async def test_no_transaction_is_ever_torn_under_fast_writers(server, prefix, proxy, follow, values, synced):
    """Keys of one transaction change together in every single delta, across cuts of the connection."""
    names = [f"{prefix}{name}" for name in "abcdefgh"]
    async with follow(proxy.endpoint, prefix=prefix) as feed, server.connect() as link:
        await feed.wait(synced)
        for number in range(300):
            last = await write(link, dict.fromkeys(names, str(number)))
            if number in (100, 200):
                proxy.refuse()
                await proxy.listen()
        await feed.wait(lambda feed: feed.revision >= last)
        state = {}
        for delta in feed.deltas:
            assert isinstance(delta, Patch) or not state
            entries = delta.set if isinstance(delta, Patch) else delta.entries
            state.update({name: entry.unit for name, entry in entries.items()})
            assert len(set(state.values())) <= 1
        assert len(state) == len(names)
