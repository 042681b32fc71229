"""A TCP proxy on loopback that stands for a bad network: it falls silent, resets, delays, refuses, is slow.

async with tcp_proxy(server.endpoint) as proxy:
    source = Etcd(proxy.endpoint, prefix="/shop/")
    proxy.drop()                  # a black hole: connections stay open, no byte passes
    proxy.heal()                  # what was held back passes, as TCP would send it again
    proxy.rate, proxy.latency = 250_000, 0.1    # bytes a second in each direction, seconds one way
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: the close sends RST."""

PIECE = 16 * 1024
"""Bytes that are passed on at a time."""

WINDOW = 128 * 1024
"""Bytes that the kernel takes from a server before the proxy has read them: without a limit, megabytes."""

PIECES = 1024
"""Pieces that are under way with a latency at most, 16 MiB."""


class _Wire:
    """One direction of the link, shared by all connections: it serves one piece after the other."""

    def __init__(self) -> None:
        self._free_at = 0.0

    async def carry(self, size: int, rate: float) -> None:
        """Return once so many bytes have been put on the wire."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + size / rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)


class TcpProxy:
    """Made by `tcp_proxy`. Used from its loop only.

    Attributes:
        endpoint: host:port to connect to; the same while it lives.
        delay: Seconds for which every piece of data holds up those behind it, in both directions.
        latency: Seconds that every piece of data is under way, in both directions; those behind it follow at once.
        rate: Bytes a second that pass in each direction, over all connections together.
        connections: How many were accepted.
    """

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self.endpoint: str = ""
        self.delay: float = 0.0
        self.latency: float = 0.0
        self.rate: float = math.inf
        self.connections: int = 0
        self._target = (host, int(port))
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._up, self._down = _Wire(), _Wire()

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
            there, back = await self._connect()
            self._writers.add(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back, self._up))
                group.create_task(self._pump(there, writer, self._down))
        except* OSError:
            pass  # the target is down, or one side is gone: closing is how the other side learns of it
        finally:
            for one in (writer, back):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket(socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET)
        sock.setblocking(False)
        if self.rate < math.inf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._target)
            return await asyncio.open_connection(sock=sock, limit=PIECE)
        except BaseException:
            sock.close()
            raise

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: _Wire) -> None:
        """Pass on what one side sends until it has ended, and then end the other."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._arrive(under_way, writer))
            while data := await reader.read(PIECE):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._passing.wait()
                await wire.carry(len(data), self.rate)
                await under_way.put((asyncio.get_running_loop().time() + self.latency, data))
            await under_way.put((0.0, b""))
        writer.transport.abort()

    async def _arrive(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, data = await under_way.get()
            if not data:
                return
            if due > clock():
                await asyncio.sleep(due - clock())
            await self._passing.wait()
            if writer.is_closing():
                raise ConnectionResetError  # uvloop's write has another error for it
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def tcp_proxy(target: str) -> AsyncIterator[TcpProxy]:
    """A proxy to host:port, on a free loopback port, gone at the end with its connections."""
    proxy = TcpProxy(target)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
