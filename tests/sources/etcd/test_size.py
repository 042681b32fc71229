"""Lists and backlogs above gRPC's 4 MiB, and a hundred thousand keys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import AsyncExitStack

import pytest

from reactive_config import Etcd, open_config
from reactive_config._core.status import SourceState
from reactive_config._etcd.transaction import compact, write
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]

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
            await feed.wait(lambda feed: feed.states[-1][0] is SourceState.STALE)
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


@contextlib.asynccontextmanager
async def longest_hold(what):
    """Prints for how long the event loop was held at most; see docs/bounds.md."""
    holds = [0.0]

    async def tick():
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            holds.append(time.perf_counter() - begin - 0.001)

    ticking = asyncio.create_task(tick())
    try:
        yield
        before = len(holds)
        while len(holds) == before:  # the hold that has just ended
            await asyncio.sleep(0)
    finally:
        ticking.cancel()
    print(f"{what}: the loop was held for {1000 * max(holds):.0f} ms")
    assert max(holds) < 5


@pytest.mark.storm
@pytest.mark.parametrize("keys", [10_000, KEYS])
async def test_for_how_long_the_loop_is_held(binary, keys):
    """Untyped: no type bounds what a value may be, so each is looked at. With `-s` the figures of docs/bounds.md."""
    async with etcd_server(binary, flags=["--max-txn-ops", "10000"]) as server, server.connect() as link:

        async def put(changed, value):
            for start in range(0, changed, 5000):
                numbers = range(start, min(changed, start + 5000))
                await write(link, {f"/s/t{number % 100:02}/k{number:06}": value for number in numbers})

        await put(keys, "0")
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(tcp_proxy(server.endpoint))
            async with longest_hold(f"{keys} keys, start"):
                config = await stack.enter_async_context(open_config(dict, Etcd(proxy.endpoint, prefix="/s/")))
            for number, changed in enumerate([0, keys // 100, keys], 1):
                proxy.refuse()
                await put(changed, str(number))
                revision = await write(link, {"/other": "1"}) + 1
                await write(link, {"/other": "2"})
                await compact(link, revision)
                async with longest_hold(f"{keys} keys, relist of which {changed} have changed"):
                    await proxy.listen()
                    await config.wait_revision("etcd", revision)
                assert config.status().sources[0].counters["relists"] == number
