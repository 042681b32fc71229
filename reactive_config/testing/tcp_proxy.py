"""A TCP proxy on loopback that stands for a bad network: it falls silent, resets, delays, refuses.

async with tcp_proxy(server.endpoint) as proxy:
    source = Etcd(proxy.endpoint, prefix="/shop/")
    proxy.drop()                  # a black hole: connections stay open, no byte passes
    proxy.heal()                  # what was held back passes, as TCP would send it again
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: the close sends RST."""


class TcpProxy:
    """Made by `tcp_proxy`. Used from its loop only.

    Attributes:
        endpoint: host:port to connect to; the same while it lives.
        delay: Seconds that every piece of data waits, in both directions.
        connections: How many were accepted.
    """

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self.endpoint = ""
        self.delay = 0.0
        self.connections = 0
        self._target = (host, int(port))
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Accept connections (again)."""
        if self._server is None:
            port = int(self.endpoint.rsplit(":", 1)[1]) if self.endpoint else 0
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
            self.endpoint = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def refuse(self) -> None:
        """Reset what is there and refuse new connections until `listen`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def drop(self) -> None:
        """Be a black hole: connections stay and new ones are accepted, but nothing passes until `heal`."""
        self._passing.clear()

    def heal(self) -> None:
        """Let everything pass again, first what was held back."""
        self._passing.set()

    def reset(self) -> None:
        """End every connection with a RST, on both sides."""
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        for task in list(self._serving):
            task.cancel()

    async def close(self) -> None:
        """End; returns when every task of it has."""
        self.refuse()
        if self._serving:
            await asyncio.wait(self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back: asyncio.StreamWriter | None = None
        try:
            await self._passing.wait()
            there, back = await asyncio.open_connection(*self._target)
            self._writers.add(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back))
                group.create_task(self._pump(there, writer))
        except OSError:
            pass  # the target is down: closing is how the other side learns of it
        finally:
            for one in (writer, back):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one side is gone; abort tells the other, whose pump then ends as well
        writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(target: str) -> AsyncIterator[TcpProxy]:
    """A proxy to host:port, on a free loopback port, gone at the end with its connections."""
    proxy = TcpProxy(target)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
