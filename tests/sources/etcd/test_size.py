"""Lists and backlogs above gRPC's 4 MiB, and a hundred thousand keys."""

from __future__ import annotations

import time

import pytest

from reactive_config.core.status import State
from reactive_config.etcd.transaction import write
from reactive_config.testing.etcd_server import etcd_server
from reactive_config.testing.tcp_proxy import tcp_proxy

pytestmark = pytest.mark.etcd

LARGE = 1_200_000
KEYS = 100_000


def large(letter):
    return f'"{letter * LARGE}"'


async def test_a_list_and_a_backlog_above_4_mib_come_whole(own, follow, synced):
    async with own.connect() as link, tcp_proxy(own.endpoint) as proxy:
        for name in "abcd":
            await write(link, {f"/s/{name}": large("x")})
        async with follow(proxy.endpoint, prefix="/s/") as feed:
            await feed.wait(synced)
            assert {len(entry.raw) for entry in feed.entries.values()} == {LARGE + 2}
            proxy.refuse()
            await feed.wait(lambda feed: feed.states[-1][0] is State.STALE)
            for name in "abcd":
                last = await write(link, {f"/s/{name}": large("y")})
            await proxy.listen()
            await feed.wait(lambda feed: synced(feed) and feed.revision >= last)
            assert {entry.raw[1:2] for entry in feed.entries.values()} == {b"y"}
            assert feed.counters["relists"] == 0


async def test_a_hundred_thousand_keys(binary, follow, synced):
    """Listed in pages at one revision, and one change of one key is then one small patch."""
    async with etcd_server(binary, flags=["--max-txn-ops", "10000"]) as server, server.connect() as link:
        for start in range(0, KEYS, 5000):
            await write(link, {f"/s/k{number:06}": str(number) for number in range(start, start + 5000)})
        begin = time.monotonic()
        async with follow(server.endpoint, prefix="/s/") as feed:
            await feed.wait(synced, timeout=20)
            listed = time.monotonic() - begin
            assert len(feed.entries) == KEYS
            begin = time.monotonic()
            last = await write(link, {"/s/k050000": "changed"})
            await feed.wait(lambda feed: feed.revision >= last)
            changed = time.monotonic() - begin
            assert len(feed.deltas) == 2
            assert list(feed.deltas[-1].set) == ["/s/k050000"]
        print(f"etcd {binary.version}: {KEYS} keys SYNCED after {listed:.2f} s, one change {1000 * changed:.1f} ms")
