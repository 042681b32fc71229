"""An etcd, or a sidecar before one, that is reached over a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from reactive_config._core.status import SourceState
from reactive_config._testing.etcd_server import EtcdServer

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


class OnSocket(EtcdServer):
    """Listens on the socket `etcd:0` of its working directory, too: that is how etcd spells it."""

    def command(self):
        command = super().command()
        urls = command.index("--listen-client-urls") + 1
        command[urls] += ",unix://etcd:0"
        return command


async def test_etcd_is_followed_over_its_own_socket_through_a_restart(binary, tmp_path, follow, synced, values):
    server = OnSocket(binary, tmp_path)
    await server.start()
    try:
        await server.put("/s/a", "1")
        async with follow(f"unix:{tmp_path}/etcd:0", prefix="/s/") as feed:
            await feed.wait(synced)
            revision = await server.put("/s/a", "2")
            await feed.wait(lambda feed: feed.revision >= revision)
            assert values(feed) == {"/s/a": "<2>"}
            server.kill()
            await feed.wait(lambda feed: feed.states[-1][0] is SourceState.STALE)
            assert f"unix:{tmp_path}/etcd:0: " in feed.states[-1][1]
            (tmp_path / "etcd:0").unlink(missing_ok=True)  # 3.4 does not take the place of one that it has left
            await server.start()
            await feed.wait(synced)
    finally:
        server.kill()


async def test_a_socket_whose_path_is_not_utf_8_is_followed(binary, tmp_path, follow, synced):
    """Its name is shown escaped: a lone surrogate cannot be written to a log."""
    server = OnSocket(binary, tmp_path)
    await server.start()
    try:
        await server.put("/s/a", "1")
        (tmp_path / "\udc80").symlink_to(tmp_path)
        async with follow(f"unix:{tmp_path}/\udc80/etcd:0", "127.0.0.1:1", prefix="/s/") as feed:
            await feed.wait(synced)
            server.kill()
            await feed.wait(lambda feed: feed.states[-1][0] is SourceState.STALE)
            assert rf"unix:{tmp_path}/\udc80/etcd:0: " in feed.states[-1][1]
    finally:
        server.kill()


async def test_a_socket_that_is_not_there_yet_is_waited_for(server, prefix, tmp_path, follow, synced):
    """A sidecar that starts later, between a socket and etcd's port."""
    host, port = server.endpoint.split(":")

    served = []

    async def pump(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader, writer):
        served.append(asyncio.current_task())
        from_etcd, to_etcd = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, to_etcd), pump(from_etcd, writer))
        for end in (to_etcd, writer):
            with contextlib.suppress(OSError):
                await end.wait_closed()

    await server.put(f"{prefix}a", "1")
    path = tmp_path / "a #?%41.sock"
    async with follow(f"unix://{path}", "127.0.0.1:1", prefix=prefix) as feed:
        await feed.wait(lambda feed: feed.states)
        assert feed.states[-1][0] is SourceState.CONNECTING
        sidecar = await asyncio.start_unix_server(serve, path)
        await feed.wait(synced)
    sidecar.close()
    await asyncio.gather(*served)
