"""Many processes: etcd's own grpc-proxy stands between, and makes one watch of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import urllib.request

import pytest

from reactive_config.testing.etcd_installed import free_ports

pytestmark = pytest.mark.etcd

SOURCES = 20


@contextlib.asynccontextmanager
async def grpc_proxy(server, log):
    """The address of a proxy before a server."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    command = [server.binary.path, "grpc-proxy", "start", f"--endpoints={server.endpoint}", f"--listen-addr={address}"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            async with asyncio.timeout(10):
                while not await answers(address):
                    assert process.poll() is None, log.read_text()
                    await asyncio.sleep(0.01)
            yield address
        finally:
            process.kill()


async def answers(address):
    host, port = address.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def watchers(server):
    """How many watchers the server serves."""
    with urllib.request.urlopen(f"http://{server.endpoint}/metrics") as reply:
        found = re.search(r"^etcd_debugging_mvcc_watcher_total (\d+)", reply.read().decode(), re.MULTILINE)
    assert found is not None
    return int(found.group(1))


async def test_sources_behind_a_proxy_see_whole_transactions_and_cost_few_watches(
    own, follow, synced, values, tmp_path
):
    await own.put("/s/a", "0")
    async with grpc_proxy(own, tmp_path / "proxy.log") as proxy, contextlib.AsyncExitStack() as stack:
        feeds = [await stack.enter_async_context(follow(proxy, prefix="/s/")) for _ in range(SOURCES)]
        for feed in feeds:
            await feed.wait(synced)
        for number in range(50):
            revision = await own.txn({f"/s/{name}": str(number) for name in "abc"})
        for feed in feeds:
            await feed.wait(lambda feed: feed.revision >= revision)
            assert values(feed) == {f"/s/{name}": "<49>" for name in "abc"}
            for delta in feed.deltas[1:]:
                units = [entry.unit for entry in delta.set.values()]
                assert len(units) in (0, 3), "a transaction arrived in parts"
                assert len(set(units)) <= 1
        assert await asyncio.to_thread(watchers, own) <= SOURCES // 4  # three were seen, with some for the proxy

        own.kill()
        await own.start()
        revision = await own.put("/s/a", "after")
        for feed in feeds:
            await feed.wait(lambda feed: feed.revision >= revision, timeout=20)
            assert values(feed)["/s/a"] == "<after>"
