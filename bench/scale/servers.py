"""What stands between etcd and the runtimes: etcd's grpc-proxy, and relays. Each a process on loopback."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from reactive_config._testing.etcd_server import EtcdServer
from reactive_config._testing.server_process import ServerProcess


class Between(ServerProcess):
    """A server that speaks etcd's protocol and gets it from `upstream` (host:port)."""

    def __init__(self, home: Path, upstream: str) -> None:
        super().__init__(home)
        self.upstream = upstream

    @property
    def endpoint(self) -> str:
        """host:port for its clients."""
        return f"127.0.0.1:{self.port}"

    def serves(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class GrpcProxy(Between):
    """etcd's own: one watch of all that look at the same range; everything else goes through."""

    def __init__(self, home: Path, upstream: str, binary: str) -> None:
        super().__init__(home, upstream)
        self._binary = binary

    def command(self) -> list[str]:
        names = ["--endpoints", self.upstream, "--listen-addr", self.endpoint, "--data-dir", str(self.home / "data")]
        return [self._binary, "grpc-proxy", "start", *names]


class RelayProcess(Between):
    """See `relay`."""

    def __init__(self, home: Path, upstream: str, prefix: str) -> None:
        super().__init__(home, upstream)
        self._prefix = prefix

    def command(self) -> list[str]:
        # By its path, and without that in front of all modules: it needs nothing of the bench.
        script = str(Path(__file__).with_name("relay.py"))
        return [sys.executable, "-P", script, self.upstream, self._prefix, str(self.port)]


Tiers = list[list[Between]]
"""From the one below etcd to the one that the runtimes speak to."""


@asynccontextmanager
async def between(topology: str, server: EtcdServer, prefix: str, counts: Sequence[int]) -> AsyncIterator[Tiers]:
    """Start what a topology needs, each a client of one of the tier above it in turn; killed at the end.

    Args:
        topology: proxy or relay; direct has no counts.
        server: The etcd.
        prefix: What relays offer.
        counts: How many in each tier, the one below etcd first.
    """
    tiers: Tiers = []
    async with AsyncExitStack() as stack:
        for count in counts:
            above = [one.endpoint for one in tiers[-1]] if tiers else [server.endpoint]
            tier: list[Between] = []
            for number in range(count):
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{topology}-")))
                upstream = above[number % len(above)]
                if topology == "proxy":
                    one: Between = GrpcProxy(home, upstream, server.binary.path)
                else:
                    one = RelayProcess(home, upstream, prefix)
                stack.callback(one.kill)
                tier.append(one)
            await asyncio.gather(*(one.start() for one in tier))
            tiers.append(tier)
        yield tiers


def endpoints(server: EtcdServer, tiers: Tiers) -> list[str]:
    """Whom runtimes speak to."""
    return [one.endpoint for one in tiers[-1]] if tiers else [server.endpoint]
