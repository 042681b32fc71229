"""The servers, the proxies before them, and what is done to them."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.faults.book import Book
from bench.faults.shape import Shape
from bench.faults.writers import AGAIN, Gate, Writer
from reactive_config.etcd.errors import Compacted, EtcdError, FutureRevision
from reactive_config.etcd.listing import read_all
from reactive_config.etcd.messages import Listing
from reactive_config.etcd.ranges import prefix_range
from reactive_config.testing.etcd_cluster import EtcdCluster
from reactive_config.testing.etcd_server import EtcdServer
from reactive_config.testing.tcp_proxy import TcpProxy


class Stage:
    """Everything that a fault needs.

    Args:
        cluster: One member or several.
        proxies: One before each member.
        book: The account of the writers.
        writers: To be asked what they left open when history ends.
        compacted: Told of every compaction.
        home: For snapshots.

    Attributes:
        counts: What was done, beside the faults.
        healthy_at: Since when servers and network are as they should be.
    """

    def __init__(
        self,
        cluster: EtcdCluster,
        proxies: Sequence[TcpProxy],
        book: Book,
        shape: Shape,
        gate: Gate,
        writers: Sequence[Writer],
        compacted: Callable[[int], None],
        home: Path,
        rng: random.Random,
    ) -> None:
        self.cluster = cluster
        self.proxies = list(proxies)
        self.counts: Counter[str] = Counter()
        self.healthy_at = time.monotonic()
        self._book = book
        self._range = prefix_range(shape.prefix.encode())
        self._shape = shape
        self._gate = gate
        self._writers = writers
        self._compacted = compacted
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

    async def restore(self, later: float) -> None:
        """Save a snapshot, let writes go on, and put the snapshot in place of everything."""
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

    @asynccontextmanager
    async def _new_segment(self, cause: str) -> AsyncIterator[None]:
        """Inside, no member runs and no writer asks; after it, all run and the book knows what they hold."""
        async with self._gate.closed():
            yield
            await self._start()
            listing = await self.read()
            items = {item.key: item for item in listing.items}
            for writer in self._writers:
                writer.settle(items)
            self._book.begin(listing.sight.revision, self._shape.state_of_items(listing.items), cause)

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
        revision = self._book.newest - behind
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
