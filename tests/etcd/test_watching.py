"""Watches: whole transactions, and a clear end for every way in which a server may end one."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from aetcd.rpc import Event, KeyValue, WatchResponse

from reactive_config._core.delta import Patch
from reactive_config._core.status import SourceState
from reactive_config._etcd.errors import Compacted, Unavailable
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.transaction import compact, write
from reactive_config._etcd.watching import open_watch
from reactive_config._sources.etcd import Etcd
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = pytest.mark.half_grid

KEYS = prefix_range(b"/s/")


@pytest.mark.etcd
async def test_transactions_come_whole_and_in_order(link, prefix):
    keys = prefix_range(prefix.encode())
    first = await write(link, {f"{prefix}a": "1", f"{prefix}b": "1"})
    async with open_watch(link, keys, first) as watch:
        second = await write(link, {f"{prefix}b": "2"}, [f"{prefix}a"])
        seen = []
        while not seen or seen[-1].mod_revision < second:
            batch = await watch.read()
            seen += batch.changes
            assert batch.revision in (first, second)
        key = prefix.encode()
        assert [(change.key, change.value, change.mod_revision) for change in seen[:2]] == [
            (key + b"a", b"1", first),
            (key + b"b", b"1", first),
        ]
        assert {(change.key, change.value) for change in seen[2:]} == {(key + b"a", None), (key + b"b", b"2")}


@pytest.mark.etcd
async def test_a_compacted_start_is_told(link, prefix):
    first = await write(link, {f"{prefix}a": "1"})
    last = await write(link, {f"{prefix}a": "2"})
    await compact(link, last)
    with pytest.raises(Compacted):
        async with open_watch(link, prefix_range(prefix.encode()), first) as watch:
            await watch.read()


def event(key, value, revision):
    kv = KeyValue(key=key.encode(), value=value.encode(), mod_revision=revision)
    return Event(type=Event.PUT, kv=kv)


def responses(*told):
    """A script that confirms the watch, says these responses, and stays."""

    async def script(request, context, number):
        header = {"cluster_id": 7, "revision": 9, "raft_term": 2}
        await context.write(WatchResponse(header=header, created=True))
        for response in told:
            await context.write(response)
        await asyncio.Event().wait()

    return script


async def test_fragments_are_put_together_before_anything_is_handed_out(fake_etcd, connect):
    halves = (
        WatchResponse(fragment=True, events=[event("/s/a", "1", 6), event("/s/b", "1", 7)]),
        WatchResponse(fragment=True, events=[event("/s/c", "1", 7)]),
        WatchResponse(events=[event("/s/d", "1", 7)]),
    )
    async with (
        fake_etcd(responses(*halves)) as fake,
        connect(fake.endpoint) as link,
        open_watch(link, KEYS, 6) as watch,
    ):
        batch = await watch.read()
        assert [(change.key, change.mod_revision) for change in batch.changes] == [
            (b"/s/a", 6), (b"/s/b", 7), (b"/s/c", 7), (b"/s/d", 7),
        ]  # fmt: skip


async def test_progress_is_a_sign_of_life_and_no_revision(fake_etcd, connect):
    progress = WatchResponse(header={"revision": 1000})
    async with (
        fake_etcd(responses(progress)) as fake,
        connect(fake.endpoint) as link,
        open_watch(link, KEYS, 6) as watch,
    ):
        batch = await watch.read()
        assert (batch.changes, batch.revision) == ((), 0)


async def end(request, context, number):
    """The server ends the stream cleanly, without a word."""


async def internal(request, context, number):
    await context.abort(grpc.StatusCode.INTERNAL, "stream terminated by RST_STREAM")


async def cancelled_call(request, context, number):
    await context.write(WatchResponse(created=True))
    await context.abort(grpc.StatusCode.CANCELLED, "the proxy has gone")


async def cancelled_at_once(request, context, number):
    await context.write(WatchResponse(created=True, canceled=True, cancel_reason="etcdserver: permission denied"))
    await asyncio.Event().wait()


async def cancelled_later(request, context, number):
    await context.write(WatchResponse(created=True))
    await context.write(WatchResponse(canceled=True, cancel_reason="mvcc: watcher is slow"))
    await asyncio.Event().wait()


async def compacted(request, context, number):
    await context.write(WatchResponse(created=True))
    await context.write(WatchResponse(canceled=True, compact_revision=8))
    await asyncio.Event().wait()


async def compacted_at_once(request, context, number):
    await context.write(WatchResponse(created=True, canceled=True, compact_revision=8))
    await asyncio.Event().wait()


async def silent(request, context, number):
    await asyncio.Event().wait()


async def something_else(request, context, number):
    await context.write(WatchResponse(events=[event("/s/a", "1", 6)]))
    await asyncio.Event().wait()


ENDS = [
    (end, Unavailable, "ended the stream"),
    (internal, Unavailable, "INTERNAL: stream terminated"),
    (cancelled_call, Unavailable, "CANCELLED: the proxy has gone"),
    (cancelled_at_once, Unavailable, "cancelled the watch: etcdserver: permission denied"),
    (cancelled_later, Unavailable, "cancelled the watch: mvcc: watcher is slow"),
    (compacted, Compacted, "compacted up to revision 8"),
    (compacted_at_once, Compacted, "compacted up to revision 8"),
    (silent, Unavailable, "did not confirm the watch in 0.3 s"),
    (something_else, Unavailable, "something else than the creation"),
]


@pytest.mark.parametrize(("script", "kind", "text"), ENDS, ids=[script.__name__ for script, _, _ in ENDS])
async def test_every_end_of_a_watch_is_a_clear_error(fake_etcd, connect, script, kind, text):
    async with fake_etcd(script) as fake, connect(fake.endpoint, timeout=0.3) as link:
        with pytest.raises(kind, match=text):
            async with open_watch(link, KEYS, 6) as watch:
                await watch.read()


@pytest.mark.parametrize("script", [script for script, _, _ in ENDS], ids=[script.__name__ for script, _, _ in ENDS])
@pytest.mark.slow
async def test_a_source_outlives_every_end_of_a_watch_and_misses_nothing(fake_etcd, script):
    """Two watches end so; the third goes on from the same revision and brings what came meanwhile."""

    async def third(request, context, number):
        await responses(WatchResponse(events=[event("/s/a", "2", 6)]))(request, context, number)

    async with fake_etcd(script, script, third) as fake:
        feed = RecordingFeed()
        task = asyncio.create_task(Etcd(fake.endpoint, prefix="/s/", timeout=0.3).run(feed))
        await feed.wait(lambda feed: feed.revision == 6)
        assert fake.starts == [6, 6, 6]
        assert isinstance(feed.deltas[-1], Patch)
        assert feed.entries["/s/a"].raw == b"2"
        assert feed.states[-1][0] is SourceState.SYNCED
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


@pytest.mark.slow
async def test_a_watch_that_falls_silent_is_found_by_the_heartbeat(fake_etcd):
    """The store moves on and the watch says nothing: after two beats it is taken for deaf, and a new one made."""
    async with fake_etcd(*[responses()], responses(WatchResponse(events=[event("/s/a", "2", 6)]))) as fake:
        feed = RecordingFeed()
        task = asyncio.create_task(Etcd(fake.endpoint, prefix="/s/", keepalive=2.0).run(feed))
        await feed.wait(lambda feed: feed.states and feed.states[-1][0] is SourceState.SYNCED)
        fake.revision = 6
        fake.old = dict(fake.kvs)
        fake.kvs[b"/s/a"] = (b"2", 6)
        await feed.wait(lambda feed: feed.revision == 6)
        assert any("fallen silent" in reason or "the keys at our revision" in reason for _, reason in feed.states)
        task.cancel()
        await asyncio.wait([task])
