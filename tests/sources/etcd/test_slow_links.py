"""A slow link starts, follows and resumes; each as long as its bytes take, and a little more."""

from __future__ import annotations

import asyncio
import time

import pytest

from reactive_config._etcd.reading import RangeReading
from reactive_config._etcd.transaction import write
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]

RATE = 250_000


async def fill(server, keys, size, letter="x"):
    async with server.connect() as link:
        step = max(1, 100_000 // size)
        for start in range(0, keys, step):
            names = range(start, min(keys, start + step))
            last = await write(link, {f"/s/k{number:04}": letter * size for number in names})
    return last


async def timed(waiting):
    begin = time.monotonic()
    await waiting
    return time.monotonic() - begin


@pytest.mark.parametrize(
    ("keys", "size", "rate", "latency", "options"),
    [
        pytest.param(150, 4000, RATE, 0.0, {"timeout": 0.5, "keepalive": 2}, id="many"),
        pytest.param(3, 200_000, RATE, 0.0, {"timeout": 0.5, "keepalive": 2}, id="large"),
        pytest.param(150, 4000, 1_000_000, 0.1, {"timeout": 1, "keepalive": 2}, id="far"),
        pytest.param(600, 4000, RATE, 0.0, {}, id="many-usual", marks=pytest.mark.storm),
        pytest.param(10, 240_000, RATE, 0.0, {}, id="large-usual", marks=pytest.mark.storm),
        pytest.param(600, 4000, 1_000_000, 0.1, {}, id="far-usual", marks=pytest.mark.storm),
    ],
)
async def test_a_start(own, follow, synced, keys, size, rate, latency, options):
    await fill(own, keys, size)
    async with tcp_proxy(own.endpoint) as proxy:
        proxy.rate, proxy.latency = rate, latency
        async with follow(proxy.endpoint, prefix="/s/", **options) as feed:
            took = await timed(feed.wait(synced, timeout=60))
            assert len(feed.entries) == keys
    print(f"{keys * size / 1e6:.1f} MB over {rate / 1000:.0f} kB/s, {latency:g} s: {took:.1f} s")
    assert took < 2.5 * keys * size / rate + 30 * latency + 1


@pytest.mark.parametrize(
    ("keys", "stall", "options"),
    [(150, 2.0, {"timeout": 0.5, "keepalive": 2}), pytest.param(600, 8.0, {}, marks=pytest.mark.storm)],
)
async def test_a_start_over_a_link_that_stalls(own, follow, synced, monkeypatch, keys, stall, options):
    await fill(own, keys, 4000)
    readings = []
    real = RangeReading.__init__

    def begin(self, *args, **more):
        readings.append(self)
        real(self, *args, **more)

    monkeypatch.setattr(RangeReading, "__init__", begin)
    async with tcp_proxy(own.endpoint) as proxy:
        proxy.rate = RATE
        async with follow(proxy.endpoint, prefix="/s/", **options) as feed:
            while not readings or len(readings[-1].items) < keys // 3:
                await asyncio.sleep(0.01)
            proxy.drop()
            await asyncio.sleep(stall)
            proxy.heal()
            took = await timed(feed.wait(synced, timeout=60))
            assert len(feed.entries) == keys
    print(f"{keys * 4000 / 1e6:.1f} MB over {RATE / 1000:.0f} kB/s: {took:.1f} s after a stall of {stall:g} s")
    assert len(readings) == 1  # what was read before the stall was not read again


@pytest.mark.parametrize(
    ("size", "options"),
    [(100_000, {"timeout": 0.5, "keepalive": 2}), pytest.param(800_000, {}, marks=pytest.mark.storm)],
)
@pytest.mark.parametrize("known", [True, False], ids=["slow-before", "slow-only-then"])
async def test_a_backlog(own, follow, synced, size, options, known):
    """Four values, in one answer of the watch."""
    await fill(own, 60 if known else 1, 4000)
    async with own.connect() as link, tcp_proxy(own.endpoint) as proxy:
        proxy.rate = 200_000 if known else proxy.rate
        async with follow(proxy.endpoint, prefix="/s/", **options) as feed:
            await feed.wait(synced, timeout=20)
            proxy.refuse()
            await feed.wait(lambda feed: not synced(feed))
            for name in "abcd":
                last = await write(link, {f"/s/{name}": "y" * size})
            proxy.rate = RATE
            await proxy.listen()
            took = await timed(feed.wait(lambda feed: synced(feed) and feed.revision >= last, timeout=90))
            assert {len(feed.entries[f"/s/{name}"].raw) for name in "abcd"} == {size}
            assert feed.counters["relists"] == 0
    what = "link known to be slow" if known else "link not known"
    print(f"{what}: backlog of {4 * size / 1e6:.1f} MB over {RATE / 1000:.0f} kB/s: {took:.1f} s")


async def test_a_black_hole_under_a_fast_link_is_found_as_before(own, follow, synced):
    async with tcp_proxy(own.endpoint) as proxy:
        await fill(own, 10, 4000)
        async with follow(proxy.endpoint, prefix="/s/", keepalive=2) as feed:
            await feed.wait(synced)
            proxy.drop()
            assert await timed(feed.wait(lambda feed: not synced(feed))) < 2.0
            proxy.heal()
            await feed.wait(synced)
