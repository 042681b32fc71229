"""The servers, the proxies before them, and what is done to them."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.faults.recorder import WriteRecorder
from bench.faults.shape import Shape
from bench.faults.writers import AGAIN, Gate, Writer
from reactive_config._etcd.errors import Compacted, EtcdError, FutureRevision
from reactive_config._etcd.messages import Listing, prefix_range
from reactive_config._etcd.reading import read_all
from reactive_config._etcd.transaction import write
from reactive_config._testing.etcd_cluster import EtcdCluster
from reactive_config._testing.etcd_server import EtcdServer
from reactive_config._testing.tcp_proxy import TcpProxy

ROOT = ("root", "root-password")
READER = ("app", "app-password")
"""Who may read the prefix, where there is authentication."""


def add_users(cluster: EtcdCluster, prefix: str) -> None:
    """Turn authentication on in an empty cluster. Blocks."""
    for member in cluster.members:
        member.login = None
    first = cluster.members[0]
    first.users = {READER[0]: (READER[1], [prefix])}
    first.enable_auth(ROOT[1])
    for member in cluster.members:
        member.login = ROOT


class Stage:
    """Everything that a fault needs.

    Args:
        cluster: One member or several.
        proxies: One before each member.
        recorder: The account of the writers.
        writers: To be asked what they left open when history ends.
        compacting: Told of every compaction before it is asked for.
        compacted: Told of every compaction that etcd has made.
        shown: Returns once every follower shows a number in a slot.
        home: For snapshots.
        login: An empty etcd gets users.

    Attributes:
        counts: What was done, beside the faults.
        healthy_at: Since when servers and network are as they should be.
    """

    def __init__(
        self,
        cluster: EtcdCluster,
        proxies: Sequence[TcpProxy],
        recorder: WriteRecorder,
        shape: Shape,
        gate: Gate,
        writers: Sequence[Writer],
        compacting: Callable[[int], None],
        compacted: Callable[[int], None],
        shown: Callable[[int, int], Awaitable[None]],
        home: Path,
        rng: random.Random,
        *,
        login: bool = False,
    ) -> None:
        self.cluster = cluster
        self.proxies = list(proxies)
        self.counts: Counter[str] = Counter()
        self.healthy_at = time.monotonic()
        self._recorder = recorder
        self._range = prefix_range(shape.prefix.encode())
        self._shape = shape
        self._gate = gate
        self._writers = writers
        self._compacting = compacting
        self._compacted = compacted
        self._shown = shown
        self._login = login
        self._snapshot = home / "snapshot.db"
        self._rng = rng

    async def _off_loop(self, function: Callable[..., object], *args: object) -> None:
        await asyncio.to_thread(function, *args)

    def some_member(self) -> EtcdServer:
        return self._rng.choice(self.cluster.members)

    # Processes.

    async def take_down(self, members: Sequence[EtcdServer], down: float, *, gracefully: bool = False) -> None:
        """End members, and start them again after `down` seconds."""
        await self._off_loop(self.cluster.terminate if gracefully else self.cluster.kill, *members)
        if len(members) < len(self.cluster.members):
            await asyncio.sleep(down)
            await self._start(*members)
            return
        async with self._new_segment("terminate" if gracefully else "kill"):
            await asyncio.sleep(down)

    async def _start(self, *members: EtcdServer) -> None:
        await self.cluster.start(*members)
        self.healthy_at = time.monotonic()

    async def freeze(self, members: Sequence[EtcdServer], seconds: float) -> None:
        """Stop members for a while: they hold their connections and answer nothing."""
        self.cluster.stop(*members)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.cluster.cont(*members)
            self.healthy_at = time.monotonic()

    async def restore(self, later: float, ballast: int) -> None:
        """Save a snapshot, let writes go on, and put the snapshot in place of everything.

        With so much ballast; it stays until the next wipe.
        """
        await self._fill(ballast)
        self._snapshot.unlink(missing_ok=True)
        await self._off_loop(self.cluster.save, self._snapshot)
        await asyncio.sleep(later)
        await self._off_loop(self.cluster.kill)
        async with self._new_segment("restore"):
            await self._off_loop(self.cluster.restore, self._snapshot)

    async def wipe(self) -> None:
        """Begin with an empty etcd."""
        await self._off_loop(self.cluster.kill)
        async with self._new_segment("wipe"):
            self.cluster.wipe()

    async def add_users(self) -> None:
        """Turn authentication on, if there is to be any."""
        if self._login:
            await self._off_loop(add_users, self.cluster, self._shape.prefix)

    async def reseed(self, ballast: int) -> None:
        """Fill an empty etcd, let everybody follow it, and fill another one by the same transactions.

        Of all that a follower can know, only the values of one group are others then.
        """
        slot = self._rng.randrange(self._shape.groups)
        async with self._gate.closed():
            for _ in range(2):
                await self._off_loop(self.cluster.kill)
                async with self._segment("wipe"):
                    self.cluster.wipe()
                number = self._recorder.next_number()
                revision = await self._put(dict.fromkeys(self._shape.names(slot), str(number)))
                self._recorder.wrote(number, {slot: number}, revision, acknowledged=True)
                await self._fill(ballast)
                self.healthy_at = time.monotonic()
                # Until then a follower may show a state that is neither's.
                await self._shown(slot, number)
        self.healthy_at = time.monotonic()

    async def _fill(self, ballast: int) -> None:
        keys = self._shape.ballast(ballast)
        for start in range(0, ballast, 100):
            await self._put(dict.fromkeys(keys[start : start + 100], "0"))

    async def _put(self, puts: Mapping[str, str]) -> int:
        async with self.cluster.serving()[0].connect() as link:
            return await write(link, puts)

    @asynccontextmanager
    async def _new_segment(self, cause: str) -> AsyncIterator[None]:
        """Inside, no member runs and no writer asks; after it, all run and the recorder knows what they hold."""
        async with self._gate.closed(), self._segment(cause):
            yield

    @asynccontextmanager
    async def _segment(self, cause: str) -> AsyncIterator[None]:
        yield
        await self._start()
        if cause == "wipe":
            await self.add_users()
        listing = await self.read()
        items = {item.key: item for item in listing.items}
        for writer in self._writers:
            writer.settle(items)
        self._recorder.begin(listing.sight.revision, self._shape.state_of_items(listing.items), cause)

    # Reading and compacting.

    async def read(self) -> Listing:
        """Everything that the servers hold; tried until one answers."""
        while True:
            for member in self.cluster.serving():
                try:
                    async with member.connect() as link:
                        return await read_all(link, self._range)
                except EtcdError:
                    await asyncio.sleep(AGAIN)

    async def compact(self, behind: int) -> None:
        """Forget all history but the last `behind` revisions."""
        revision = self._recorder.newest - behind
        self._compacting(revision)
        try:
            await self._rng.choice(self.cluster.serving()).compact(revision)
        except (Compacted, FutureRevision):
            return  # there is nothing new to forget
        self.counts["compactions"] += 1
        self._compacted(revision)

    # The network.

    async def black_hole(self, proxies: Sequence[TcpProxy], seconds: float, *, reset: bool, compact: bool) -> None:
        """Let nothing pass for a while; the connections then go on, or are reset."""
        for proxy in proxies:
            proxy.drop()
        try:
            await asyncio.sleep(seconds)
            if compact:
                await self.compact(0)
        finally:
            for proxy in proxies:
                if reset:
                    proxy.reset()
                proxy.heal()
            self.healthy_at = time.monotonic()

    async def delay(self, seconds: float, by: float) -> None:
        """Make every proxy slow for a while."""
        for proxy in self.proxies:
            proxy.delay = by
        try:
            await asyncio.sleep(seconds)
        finally:
            for proxy in self.proxies:
                proxy.delay = 0.0
            self.healthy_at = time.monotonic()
