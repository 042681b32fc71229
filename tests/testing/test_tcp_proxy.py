"""The proxy is as slow as it was told to be, and gives what it got."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from reactive_config._testing.tcp_proxy import TcpProxy, tcp_proxy

SIZE = 100_000


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Before a server that sends `SIZE` bytes for each byte that it gets."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionResetError):  # the proxy ends connections so
            while await reader.read(1):
                writer.write(bytes(range(250)) * (SIZE // 250))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, tcp_proxy(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def connected(proxy):
    host, port = proxy.endpoint.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def fetch(proxy, pieces=1):
    """Seconds until everything is there."""
    async with connected(proxy) as (reader, writer):
        clock = asyncio.get_running_loop().time
        begin = clock()
        writer.write(b"x" * pieces)
        data = await reader.readexactly(pieces * SIZE)
        assert data == bytes(range(250)) * (pieces * SIZE // 250)
        return clock() - begin


async def test_no_more_than_the_rate_passes(proxy):
    proxy.rate = SIZE / 0.2
    assert await fetch(proxy) >= 0.2


async def test_all_connections_share_the_rate(proxy):
    proxy.rate = SIZE / 0.1
    assert max(await asyncio.gather(fetch(proxy), fetch(proxy))) > 0.199  # the loop's clock has steps


async def test_the_latency_counts_once_each_way_and_not_for_every_piece(proxy):
    proxy.latency = 0.1
    took = await fetch(proxy, pieces=3)  # some 20 pieces of 16 KiB
    assert 0.2 <= took < 1.0


async def test_what_is_under_way_stops_with_the_network_and_passes_after_it(proxy):
    proxy.latency = 0.05
    async with connected(proxy) as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        proxy.drop()
        writer.write(b"x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readexactly(SIZE)
        proxy.heal()
        await reader.readexactly(SIZE)
