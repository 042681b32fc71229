"""Slow links: nothing that flows is given up, and nothing that was read is read twice."""

from __future__ import annotations

import asyncio
import math

import pytest

from reactive_config._etcd import reading
from reactive_config._etcd.channel import channel_options
from reactive_config._etcd.errors import DeadlinePassed, Unavailable
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.pace import LONGEST, Pace
from reactive_config._etcd.reading import RangeReading, read_all, read_head
from reactive_config._etcd.rpc import RangeRequest
from reactive_config._etcd.settings import Settings
from reactive_config._etcd.transaction import write
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


async def fill(link, prefix, count, size):
    for number in range(count):
        await write(link, {f"{prefix}{number:03}": "x" * size})


def counted(link):
    """Limits of the pages that are asked for, as they go out."""
    real, asked = link.call, []

    async def call(method, request, timeout=None, **more):
        asked.append(request.limit)
        return await real(method, request, timeout, **more)

    link.call = call
    return asked


@pytest.mark.slow
async def test_pings_behind_a_large_answer_do_not_end_it(server, prefix, link, connect):
    await fill(link, prefix, 2, 500_000)
    async with tcp_proxy(server.endpoint) as proxy:
        proxy.rate = 250_000
        async with connect(proxy.endpoint, keepalive=2.0, timeout=30.0) as slow:
            keys = prefix_range(prefix.encode())
            reply = await slow.call(slow.kv.Range, RangeRequest(key=keys.start, range_end=keys.end))
            assert len(reply.kvs) == 2


@pytest.mark.slow
async def test_pages_shrink_when_they_take_long_and_grow_again(server, prefix, link, connect, monkeypatch):
    monkeypatch.setattr(reading, "PAGE_SECONDS", 0.3)
    monkeypatch.setattr(reading, "FIRST", 32)
    await fill(link, prefix, 60, 10_000)
    pace = Pace()
    async with tcp_proxy(server.endpoint) as proxy:
        proxy.rate = 400_000
        async with connect(proxy.endpoint) as slow:
            asked = counted(slow)
            task = asyncio.ensure_future(read_all(slow, prefix_range(prefix.encode()), pace=pace))
            async with asyncio.timeout(10):
                while len(asked) < 3:
                    await asyncio.sleep(0.01)
            assert 3 <= asked[1] <= 16  # 0.3 s of 400 kB/s; 32 keys took 0.8 s
            proxy.rate = math.inf
            assert len((await task).items) == 60
            assert max(asked[3:], default=99) > asked[1]


@pytest.mark.slow
async def test_a_page_that_is_late_is_asked_for_again_in_a_smaller_one(server, prefix, link, connect, monkeypatch):
    """32 values of 12 kB are one page of 0.4 MB, and more than a second of this link."""
    monkeypatch.setattr(reading, "FIRST", 32)
    await fill(link, prefix, 40, 12_000)
    async with tcp_proxy(server.endpoint) as proxy:
        proxy.rate = 250_000
        async with connect(proxy.endpoint, timeout=0.7) as slow:
            asked = counted(slow)
            assert len((await read_all(slow, prefix_range(prefix.encode()))).items) == 40
            assert asked[:2] == [32, 8]


@pytest.mark.slow
async def test_one_value_that_takes_longer_than_the_deadline_is_waited_for(server, prefix, link, connect):
    await fill(link, prefix, 1, 500_000)
    async with tcp_proxy(server.endpoint) as proxy:
        proxy.rate = 250_000
        pace, keys = Pace(), prefix_range(prefix.encode())
        for _ in range(4):
            async with connect(proxy.endpoint, timeout=0.5) as slow:
                try:
                    assert len((await read_all(slow, keys, pace=pace)).items) == 1
                    return
                except DeadlinePassed:
                    pass
        pytest.fail("never read")


async def test_a_list_goes_on_at_its_revision_over_another_connection(server, prefix, link, connect, monkeypatch):
    monkeypatch.setattr(reading, "FIRST", 10)
    await fill(link, prefix, 50, 10)
    revision = (await read_head(link, prefix_range(prefix.encode()))).revision
    under_way = RangeReading(prefix_range(prefix.encode()), page=10)
    async with tcp_proxy(server.endpoint) as proxy:
        async with connect(proxy.endpoint) as first:
            real, pages = first.call, []

            async def cut(*args):
                pages.append(1)
                if len(pages) == 3:
                    proxy.refuse()
                return await real(*args)

            first.call = cut
            with pytest.raises(Unavailable):
                await under_way.finish(first)
        assert len(under_way.items) == 20
    await write(link, {f"{prefix}001": "late", f"{prefix}048": "late"})
    asked = counted(link)
    read = await under_way.finish(link)
    assert asked == [10, 10, 10]
    assert read.sight.revision == revision
    assert [item.value for item in read.items] == [b"x" * 10] * 50


async def test_a_dead_server_ends_a_list(server, prefix, link, connect):
    await fill(link, prefix, 1, 10)
    async with connect(server.endpoint, timeout=0.2) as short:
        await read_head(short, prefix_range(prefix.encode()))
        server.stop()
        try:
            with pytest.raises(DeadlinePassed):
                async with asyncio.timeout(2):
                    await read_all(short, prefix_range(prefix.encode()))
        finally:
            server.cont()


def test_a_ping_has_longer_on_a_link_that_is_slow():
    pace, usual = Pace(), Settings()
    assert pace.settings(usual) == usual
    pace.late()
    assert pace.settings(usual).ping_timeout == LONGEST > usual.ping_timeout
    assert dict(channel_options(pace.settings(usual), None))["grpc.http2.ping_timeout_ms"] == 1000 * LONGEST


def test_patience_is_as_long_as_what_may_be_under_way():
    pace = Pace()
    assert pace.patience(4.0) == pace.deadline(4.0) == 4.0
    pace.took(100_000, 0.1)
    assert pace.patience(4.0) == 4.0
    pace.took(250_000, 1.0)
    assert 12.0 < pace.patience(4.0) < 13.0
    assert pace.deadline(4.0) == 4.0
    pace.took(1_000, 2.0)  # a stall
    pace.took(4_000, 0.016)  # small, and no slower than this
    assert pace.rate == pytest.approx(250_000)
    pace.took(100, 0.1)
    assert pace.rate == pytest.approx(250_000)
    pace.took(100_000, 0.01)
    assert pace.patience(4.0) == 4.0
    pace.late()
    pace.late()
    assert pace.deadline(4.0) == 16.0
    for _ in range(2000):
        pace.late()
    assert pace.deadline(4.0) == LONGEST
    assert pace.deadline(100.0) == 100.0
    pace.on_time()
    assert pace.deadline(4.0) == 4.0
