"""A run ends within a bounded time, whatever it is doing, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from pathlib import Path

import grpc
import pytest

from reactive_config._core.status import SourceState
from reactive_config._etcd.auth import Credentials
from reactive_config._sources.etcd import Etcd
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


def left_over():
    """Tasks, open files and threads, but for the idle workers that belong to the event loop."""
    gc.collect()
    threads = [thread for thread in threading.enumerate() if "worker" not in thread.name.lower()]
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir())), len(threads)


async def test_nothing_is_left_behind(server, prefix, follow, synced, tmp_path):
    await server.put(f"{prefix}a", "1")

    async def once():
        async with follow(server.endpoint, "127.0.0.1:1", prefix=prefix, mirror=tmp_path / "m.json") as feed:
            await feed.wait(synced)
            revision = await server.put(f"{prefix}a", "2")
            await feed.wait(lambda feed: feed.revision >= revision)

    await once()
    before = left_over()
    for _ in range(5):
        await once()
    async with asyncio.timeout(5):
        while any(now > then for now, then in zip(left_over(), before, strict=True)):
            await asyncio.sleep(0.01)  # gRPC closes its sockets in threads of its own, a moment later


def connections(port):
    """Sockets of this process that are connected to a port; gRPC's are IPv6 ones also for IPv4."""
    ours = set()
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            ours.add(file.readlink().name)
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/self/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[2].endswith(f":{port:04X}") and f"socket:[{fields[9]}]" in ours:
                found.append(line)
    return len(found)


def calls():
    """Watches that gRPC still has.

    `isinstance` would ask every object of the process for its `__class__`. Another library's lazy object answers by
    setting itself up, and that may warn or raise.
    """
    return sum(issubclass(type(thing), grpc.aio.StreamStreamCall) for thing in gc.get_objects())


@pytest.fixture
def no_collection():
    """Cycles are not collected: what only they keep stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_no_connection_outlives_its_source(own, follow, synced, no_collection):
    """A call that something still refers to keeps its connection, also after its channel was closed."""
    for _ in range(20):
        async with follow(own.endpoint, prefix="/s/") as feed:
            await feed.wait(synced)
    async with asyncio.timeout(5):
        while connections(own.port):
            await asyncio.sleep(0.01)  # gRPC closes its sockets in threads of its own, a moment later


@pytest.mark.parametrize("stopped", [False, True])
async def test_no_connection_outlives_a_login_that_was_left(binary, follow, no_collection, monkeypatch, stopped):
    """The program ends while etcd checks the password, or while it does not answer."""
    asked = asyncio.Event()
    real = Credentials._authenticate

    async def told(self, *args):
        asked.set()
        return await real(self, *args)

    async with etcd_server(binary, auth={"app": ("app-password", ["/s/"])}) as guarded:
        monkeypatch.setattr(Credentials, "_authenticate", told)
        for _ in range(5):
            asked.clear()
            async with follow(guarded.endpoint, prefix="/s/", username="app", password="app-password"):
                await asked.wait()
                async with asyncio.timeout(5):
                    while not connections(guarded.port):
                        await asyncio.sleep(0)
                if stopped:
                    guarded.stop()
            guarded.cont()
        async with asyncio.timeout(5):
            while connections(guarded.port):
                await asyncio.sleep(0.01)  # gRPC closes its sockets in threads of its own, a moment later


async def test_no_call_outlives_its_session(own, follow, synced, no_collection):
    """Also while the trouble that ended it is told and waited for."""
    async with follow(own.endpoint, prefix="/s/", keepalive=2.0) as feed:
        await feed.wait(synced)
        assert calls() == 1
        own.stop()
        await feed.wait(lambda feed: feed.states[-1][0] is SourceState.STALE)
        assert calls() == 0
        own.cont()


async def test_an_end_in_any_state_is_quick(own, follow, synced, tmp_path):
    async def timed(*endpoints, until):
        async with follow(*endpoints, prefix="/s/", mirror=tmp_path / "m.json", mirror_after=0.05) as feed:
            await feed.wait(until)
            begin = time.monotonic()
        return time.monotonic() - begin

    took = [
        await timed(own.endpoint, until=lambda feed: True),
        await timed(own.endpoint, until=lambda feed: feed.deltas),
        await timed(own.endpoint, until=synced),
        await timed("127.0.0.1:1", until=lambda feed: feed.states and feed.states[-1][0] is SourceState.STALE),
    ]
    own.stop()
    took.append(await timed(own.endpoint, until=lambda feed: feed.deltas))
    own.cont()
    assert max(took) < 1.0


async def test_two_runs_of_one_object_do_not_disturb_each_other(server, prefix, follow, synced, values):
    source = Etcd(server.endpoint, prefix=prefix)
    feeds = [RecordingFeed(), RecordingFeed()]
    tasks = [asyncio.create_task(source.run(feed)) for feed in feeds]
    revision = await server.put(f"{prefix}a", "1")
    for feed in feeds:
        await feed.wait(lambda feed: synced(feed) and feed.revision >= revision)
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    revision = await server.put(f"{prefix}a", "2")
    await feeds[1].wait(lambda feed: values(feed) == {f"{prefix}a": "<2>"})
    tasks[1].cancel()
    await asyncio.wait(tasks)
