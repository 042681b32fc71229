"""Many processes behind etcd's own grpc-proxy, which makes one watch of many."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest

from reactive_config._sources.etcd import Etcd
from reactive_config._testing.etcd_server import free_ports
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

SOURCES = 50


@pytest.fixture
def grpc_proxy(own, tmp_path):
    """A grpc-proxy before `own`; yields its host:port. A source waits for it, so the test need not."""
    endpoint = f"127.0.0.1:{free_ports(1)[0]}"
    command = [own.binary.path, "grpc-proxy", "start", "--endpoints", own.endpoint, "--listen-addr", endpoint]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--data-dir", str(tmp_path / "data")], stdout=log, stderr=log)
        yield endpoint
        process.kill()
        process.wait()


async def test_fifty_sources_behind_a_grpc_proxy_cost_etcd_a_few_watches(own, grpc_proxy, synced):
    await own.put("/s/a", "1")
    feeds = [RecordingFeed() for _ in range(SOURCES)]
    tasks = [asyncio.create_task(Etcd(grpc_proxy, prefix="/s/").run(feed)) for feed in feeds]
    for feed in feeds:
        await feed.wait(synced)
    begin = time.monotonic()
    revision = await own.put("/s/a", "2")
    for feed in feeds:
        await feed.wait(lambda feed: feed.revision >= revision)
    took = time.monotonic() - begin
    watchers = own.metrics()["etcd_debugging_mvcc_watcher_total"]
    print(f"etcd {own.binary.version}: {SOURCES} sources, {watchers:.0f} watchers, a change at all in {took:.3f} s")
    assert watchers <= 5
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
