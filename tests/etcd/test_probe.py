"""The pause between two attempts."""

from __future__ import annotations

import asyncio
import random
import time

from reactive_config.etcd.probe import wait_reachable
from reactive_config.etcd.settings import parse_endpoint
from reactive_config.testing.etcd_server import free_ports

RNG = random.Random(1)


async def listen(port, seen):
    async def accept(reader, writer):
        seen.append(time.monotonic())
        writer.close()

    return await asyncio.start_server(accept, "127.0.0.1", port)


async def test_an_endpoint_that_comes_back_ends_the_pause():
    (port,) = free_ports(1)
    waiting = asyncio.create_task(wait_reachable([parse_endpoint(f"127.0.0.1:{port}")], 30.0, RNG))
    await asyncio.sleep(0.6)  # one probe has been refused by then
    server = await listen(port, [])
    async with asyncio.timeout(2):
        assert await waiting
    server.close()


async def test_what_refused_the_last_attempt_may_be_back_already():
    (port,) = free_ports(1)
    server = await listen(port, [])
    endpoint = parse_endpoint(f"127.0.0.1:{port}")
    async with asyncio.timeout(2):
        assert await wait_reachable([endpoint], 30.0, RNG, refused=[endpoint])
    server.close()


async def test_an_endpoint_that_accepts_is_left_alone_for_the_whole_pause():
    (port,) = free_ports(1)
    seen = []
    server = await listen(port, seen)
    begin = time.monotonic()
    assert not await wait_reachable([parse_endpoint(f"127.0.0.1:{port}")], 1.2, RNG)
    assert time.monotonic() - begin > 1.1
    assert len(seen) == 1
    server.close()
