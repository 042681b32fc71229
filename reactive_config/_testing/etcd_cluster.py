"""A real etcd cluster for a test: leaders killed, quorums lost, snapshots restored.

    async with etcd_cluster() as cluster:
        leader = await cluster.wait_leader()
        leader.kill()
        await cluster.wait_leader()
        await leader.start()
        lost = cluster.lose_quorum()
        await cluster.start(*lost)

Its members are `EtcdServer`s. A cluster of one is a single server with the same means.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from reactive_config._testing.etcd_installed import EtcdBinary, etcd_binaries, free_ports
from reactive_config._testing.etcd_server import EtcdServer, missing_etcd


class EtcdCluster:
    """Made by `etcd_cluster` or `running_cluster`. Members that are stopped (SIGSTOP) are never the leader here.

    Attributes:
        members: In the order of their names.
    """

    def __init__(self, members: Sequence[EtcdServer]) -> None:
        self.members: tuple[EtcdServer, ...] = tuple(members)
        self._stopped: set[EtcdServer] = set()

    @property
    def endpoints(self) -> list[str]:
        """host:port of every member, for `Etcd(*cluster.endpoints, ...)`."""
        return [member.endpoint for member in self.members]

    @property
    def quorum(self) -> int:
        """Members that must be there."""
        return len(self.members) // 2 + 1

    def serving(self) -> list[EtcdServer]:
        """The members that run and are not stopped."""
        return [member for member in self.members if member.running and member not in self._stopped]

    def start_blocking(self, *members: EtcdServer, timeout: float = 20.0) -> None:
        """Start members (all that do not run), together, because none is healthy without a quorum.

        Raises:
            RuntimeError: One did not become healthy.
        """
        chosen = members or tuple(member for member in self.members if not member.running)
        for member in chosen:
            member.spawn()
        for member in chosen:
            member.wait_serving_blocking(timeout)

    async def start(self, *members: EtcdServer, timeout: float = 20.0) -> None:
        """`start_blocking`, without holding the event loop."""
        await asyncio.to_thread(self.start_blocking, *members, timeout=timeout)

    def kill(self, *members: EtcdServer) -> None:
        """SIGKILL; all members when none is named."""
        for member in members or self.members:
            member.kill()
            self._stopped.discard(member)

    def terminate(self, *members: EtcdServer) -> None:
        """SIGTERM, and wait until they are gone; all members when none is named."""
        for member in members or self.members:
            member.terminate()

    def stop(self, *members: EtcdServer) -> None:
        """SIGSTOP; all members when none is named."""
        for member in members or self.members:
            member.stop()
            self._stopped.add(member)

    def cont(self, *members: EtcdServer) -> None:
        """SIGCONT; all stopped members when none is named."""
        for member in members or list(self._stopped):
            member.cont()
            self._stopped.discard(member)

    def leader(self) -> EtcdServer | None:
        """The member that leads, as far as the serving ones know; None while there is none."""
        told = [(member, member.metrics()) for member in self.serving()]
        if sum(told.get("etcd_server_has_leader", 0.0) for _, told in told) < self.quorum:
            return None  # what a member without a quorum believes about itself is old
        return next((member for member, told in told if told.get("etcd_server_is_leader")), None)

    async def wait_leader(self, timeout: float = 20.0) -> EtcdServer:
        """Return the leader once there is one.

        Raises:
            RuntimeError: There is none after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            leader = await asyncio.to_thread(self.leader)
            if leader is not None:
                return leader
            await asyncio.sleep(0.02)
        raise RuntimeError(f"no leader after {timeout:g} s:\n{self.members[0].tail()}")

    def majority(self) -> list[EtcdServer]:
        """As few serving members as take the quorum with them, the leader first. Blocks."""
        leader = self.leader()
        serving = sorted(self.serving(), key=lambda member: member is not leader)
        return serving[: len(serving) - self.quorum + 1]

    def lose_quorum(self) -> list[EtcdServer]:
        """Kill `majority()`, and return it. Blocks; for silence in place of an end, stop it."""
        taken = self.majority()
        self.kill(*taken)
        return taken

    def save(self, snapshot: Path) -> None:
        """Write a snapshot of a serving member to a file. Blocks."""
        self.serving()[0].save(snapshot)

    def restore(self, snapshot: Path) -> None:
        """Put a snapshot's state in place of the data of a cluster of which no member runs. Blocks."""
        for member in self.members:
            member.restore(snapshot)

    def wipe(self) -> None:
        """Remove the data of a cluster of which no member runs; the next start is a new, empty one."""
        for member in self.members:
            member.wipe()


@contextmanager
def running_cluster(
    members: int = 3, binary: EtcdBinary | None = None, *, version: str = "", flags: Sequence[str] = ()
) -> Iterator[EtcdCluster]:
    """A real cluster on loopback, gone at the end with its data. Blocks while it starts.

    Args:
        members: How many.
        binary: Which etcd; the first of `etcd_binaries()` when neither this nor `version` is given.
        version: Its version as etcd spells it: "3.5.1".
        flags: More of etcd's own flags, for every member.

    Raises:
        MissingServer: No such etcd on this machine.
        RuntimeError: A member does not become healthy.
    """
    chosen = binary or next((b for b in etcd_binaries() if version in ("", b.version)), None)
    if chosen is None:
        raise missing_etcd(version)
    with tempfile.TemporaryDirectory(prefix="etcd-cluster-") as home:
        peers = {f"m{number}": port for number, port in enumerate(free_ports(members))}
        servers = []
        for name in peers:
            (Path(home) / name).mkdir()
            servers.append(EtcdServer(chosen, Path(home) / name, name=name, peers=peers, flags=flags))
        cluster = EtcdCluster(servers)
        try:
            cluster.start_blocking()
            yield cluster
        finally:
            cluster.kill()


@asynccontextmanager
async def etcd_cluster(
    members: int = 3, binary: EtcdBinary | None = None, *, version: str = "", flags: Sequence[str] = ()
) -> AsyncIterator[EtcdCluster]:
    """`running_cluster` that does not hold the event loop while it starts."""
    manager = running_cluster(members, binary, version=version, flags=flags)
    cluster = await asyncio.to_thread(manager.__enter__)
    try:
        yield cluster
    finally:
        manager.__exit__(None, None, None)  # kill and remove: some milliseconds
