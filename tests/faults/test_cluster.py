"""The helpers that break things: a cluster that loses leaders, quorum and history, and a network that fails."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.reading import read_all
from reactive_config._testing.etcd_cluster import etcd_cluster
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]


async def content(server):
    async with server.connect() as link:
        listing = await read_all(link, prefix_range(b"/s/"))
    return {item.key.decode(): item.value.decode() for item in listing.items}


async def test_a_cluster_survives_its_leader_and_not_its_quorum(binary):
    async with etcd_cluster(binary=binary) as cluster:
        first = await cluster.wait_leader()
        await first.put("/s/a", "1")
        first.kill()
        second = await cluster.wait_leader()
        assert second is not first
        await second.put("/s/a", "2")
        lost = cluster.lose_quorum()
        assert await asyncio.to_thread(cluster.leader) is None
        await cluster.start(*lost, first)
        assert await content(await cluster.wait_leader()) == {"/s/a": "2"}
        stopped = await cluster.wait_leader()
        cluster.stop(stopped)
        assert await cluster.wait_leader() is not stopped
        cluster.cont()


@pytest.mark.parametrize("members", [1, 3])
async def test_a_snapshot_brings_an_older_state_back(binary, members, tmp_path):
    async with etcd_cluster(members, binary) as cluster:
        await cluster.members[0].put("/s/a", "1")
        cluster.save(tmp_path / "snapshot")
        await cluster.members[0].put("/s/a", "2")
        cluster.kill()
        cluster.restore(tmp_path / "snapshot")
        await cluster.start()
        assert [await content(member) for member in cluster.members] == [{"/s/a": "1"}] * members
        cluster.terminate()
        cluster.wipe()
        await cluster.start()
        assert await content(cluster.members[-1]) == {}


@contextlib.asynccontextmanager
async def connected(endpoint):
    reader, writer = await asyncio.open_connection(*endpoint.split(":"))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


REQUEST = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_proxy_holds_back_and_resets(binary):
    async with etcd_server(binary) as server, tcp_proxy(server.endpoint) as proxy:
        async with connected(proxy.endpoint) as (reader, writer):
            proxy.drop()
            writer.write(REQUEST)
            line = asyncio.create_task(reader.readline())
            assert not (await asyncio.wait([line], timeout=0.1))[0]
            proxy.heal()
            assert (await line).startswith(b"HTTP/1.1 200")
            proxy.reset()
            with pytest.raises(ConnectionError):
                while await reader.read(100):
                    pass
        assert proxy.connections == 1


async def test_a_proxy_refuses_until_it_listens_again(binary):
    async with etcd_server(binary) as server, tcp_proxy(server.endpoint) as proxy:
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*proxy.endpoint.split(":"))
        await proxy.listen()
        async with connected(proxy.endpoint) as (reader, writer):
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
