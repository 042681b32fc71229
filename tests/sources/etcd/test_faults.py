"""Real faults of a real etcd: each loses nothing, wakes nobody in vain, and is told in the status."""

from __future__ import annotations

import re
import shutil

import pytest

from reactive_config._core.status import SourceState
from reactive_config._etcd import probe
from reactive_config._sources.etcd import session_loop
from reactive_config._testing.etcd_server import etcd_server

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


def stale(feed):
    return feed.states and feed.states[-1][0] is SourceState.STALE


async def test_kill_9_and_restart_resumes_without_a_relist(own, follow, values, synced, replaces):
    await own.txn({"/s/a": "1", "/s/b": "1"})
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        for number in range(2, 5):
            own.kill()
            await feed.wait(stale)
            await own.start()
            revision = await own.txn({"/s/a": str(number), "/s/c": str(number)})
            await feed.wait(lambda feed, revision=revision: feed.revision >= revision)
            assert values(feed) == {"/s/a": f"<{number}>", "/s/b": "<1>", "/s/c": f"<{number}>"}
        await feed.wait(synced)
        assert replaces(feed) == 1
        assert feed.counters["reconnects"] == 3
        assert feed.counters["relists"] == 0


async def test_a_wiped_etcd_is_recognised_and_taken_as_a_replace(own, follow, values, synced, replaces):
    for number in range(5):
        await own.txn({"/s/a": str(number), "/s/b": "1"})
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        own.kill()
        own.wipe()
        await own.start()
        await own.put("/s/new", "1")
        await feed.wait(lambda feed: values(feed) == {"/s/new": "<1>"})
        await feed.wait(synced)
        assert replaces(feed) == 2
        assert feed.counters["restores"] == 1
        assert "etcd was restored" in feed.said[0]
        revision = await own.put("/s/new", "2")
        await feed.wait(lambda feed: feed.revision == revision and values(feed) == {"/s/new": "<2>"})


@pytest.mark.parametrize("keys", [1, 600])
async def test_a_wiped_etcd_that_advanced_past_our_revision_is_recognised(own, follow, values, synced, keys):
    """The same ids, the same term, a higher revision: only the content at our own revision gives it away."""
    await own.txn({f"/s/{number}": "old" for number in range(min(keys, 100))})
    for start in range(100, keys, 100):
        await own.txn({f"/s/{number}": "old" for number in range(start, start + 100)})
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        own.kill()
        own.wipe()
        await own.start()
        await own.txn({"/s/0": "new"})
        for number in range(15):
            await own.put("/noise", str(number))
        await feed.wait(lambda feed: values(feed) == {"/s/0": "<new>"})
        assert feed.counters["restores"] == 1


async def test_a_reseeded_etcd_with_equal_revisions_and_count_is_recognised(own, follow, values, synced):
    """`compose down -v` and up with a changed seed script: every number is as before, only one value is not."""
    await own.put("/s/a", "1")
    await own.put("/s/b", "1")
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        own.kill()
        own.wipe()
        await own.start()
        await own.put("/s/a", "2")
        await own.put("/s/b", "1")
        await feed.wait(lambda feed: values(feed) == {"/s/a": "<2>", "/s/b": "<1>"})


async def test_a_restored_backup_is_recognised(own, follow, values, synced, tmp_path):
    await own.put("/s/a", "1")
    own.terminate()
    shutil.copytree(own.data_dir, tmp_path / "backup")
    await own.start()
    await own.put("/s/a", "2")
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(lambda feed: synced(feed) and values(feed) == {"/s/a": "<2>"})
        own.kill()
        own.wipe()
        shutil.copytree(tmp_path / "backup", own.data_dir)
        await own.start()
        await feed.wait(lambda feed: values(feed) == {"/s/a": "<1>"})
        assert feed.counters["restores"] == 1


async def test_a_restored_snapshot_is_recognised_and_a_member_that_lost_nothing_is_not(
    own, follow, values, synced, replaces, tmp_path
):
    await own.put("/s/a", "1")
    own.save(tmp_path / "snapshot")
    await own.put("/s/a", "2")
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(lambda feed: synced(feed) and values(feed) == {"/s/a": "<2>"})
        own.kill()
        own.restore(tmp_path / "snapshot")
        await own.start()
        await feed.wait(lambda feed: values(feed) == {"/s/a": "<1>"})
        await feed.wait(synced)
        assert feed.counters["restores"] == 1
        own.kill()
        await own.start()
        revision = await own.put("/s/a", "3")
        await feed.wait(lambda feed: feed.revision >= revision and values(feed) == {"/s/a": "<3>"})
        assert (feed.counters["restores"], replaces(feed)) == (1, 2)


async def test_a_black_hole_is_found_within_the_keepalive(own, follow, synced):
    await own.put("/s/a", "1")
    async with follow(own.endpoint, prefix="/s/", keepalive=2.0, timeout=1.0) as feed:
        await feed.wait(synced)
        own.stop()
        try:
            await feed.wait(stale, timeout=2.5)
            assert own.endpoint in feed.states[-1][1]
        finally:
            own.cont()
        await feed.wait(synced)


async def test_sigterm_and_another_endpoint_takes_over(own, follow, synced, values, binary):
    """Two servers with the same content stand in for two members; that they are two clusters is said."""
    async with etcd_server(binary) as other:
        await own.put("/s/a", "1")
        await other.put("/s/a", "1")
        async with follow(own.endpoint, other.endpoint, prefix="/s/") as feed:
            await feed.wait(synced)
            own.terminate()
            await feed.wait(stale)
            await feed.wait(synced, timeout=3)
            revision = await other.put("/s/a", "2")
            await feed.wait(lambda feed: feed.revision == revision and values(feed) == {"/s/a": "<2>"})


async def test_a_compaction_while_connected_costs_nothing(own, follow, values, synced, replaces):
    async with follow(own.endpoint, prefix="/s/") as feed:
        await feed.wait(synced)
        for number in range(5):
            revision = await own.put("/s/a", str(number))
            await own.compact(revision)
        await feed.wait(lambda feed: feed.revision >= revision)
        assert replaces(feed) == 1
        assert [state for state, _ in feed.states] == [SourceState.SYNCED]


async def test_whatever_one_endpoint_brings_about_is_a_failure_of_that_endpoint(
    server, prefix, follow, synced, monkeypatch
):
    """Also what nobody thought of; its text may quote anything and is not shown."""
    real = session_loop.open_link

    def opened(endpoint, *arguments):
        if endpoint.target == "127.0.0.1:1":
            raise RuntimeError("hunter2")
        return real(endpoint, *arguments)

    monkeypatch.setattr(session_loop, "open_link", opened)
    await server.put(f"{prefix}a", "1")
    async with follow("127.0.0.1:1", prefix=prefix) as feed:
        await feed.wait(lambda feed: feed.states)
        state, reason = feed.states[0]
        assert state is SourceState.CONNECTING
        assert re.fullmatch(r"127\.0\.0\.1:1: an unexpected RuntimeError at test_faults\.py:\d+", reason)
    async with follow("127.0.0.1:1", server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)


async def test_a_probe_that_cannot_be_made_ends_nothing(server, prefix, follow, synced, monkeypatch):
    async def refused(host):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(probe, "resolve", refused)
    await server.put(f"{prefix}a", "1")
    async with follow("127.0.0.1:1", server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
