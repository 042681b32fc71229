"""A relay: one watch on etcd, offered to many as if it were etcd. `python relay.py UPSTREAM PREFIX PORT`.

It speaks the two calls that a runtime makes (Range and Watch), over one prefix, so runtimes connect to it
unchanged, and so does another relay: that makes a tree. It is the smallest that keeps the promises:

- **No older state after a newer one.** Before it answers a Range it asks upstream what the range looks like and waits
  until it has that. All Ranges that wait share one question, at most every `PAUSE` seconds; so a fleet's
  heartbeats cost etcd one question a relay, and a client that moves to another relay finds nothing older there.
- **No loss.** It keeps the last `KEPT` transactions. Who asks for older ones is told that they are compacted, and lists
  again, as with etcd. If its own history turns out to be another than etcd's, it ends all its watches.
- **No silence.** Without upstream it answers no Range, so the heartbeat of every runtime below finds out.

Not for production: no TLS, no login, and whoever listens slowly is kept in memory up to `KEPT` transactions behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from bisect import bisect_left
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import anyio
import grpc
from aetcd.rpc import Event, KeyValue, RangeRequest, RangeResponse, ResponseHeader, WatchResponse, rpc_pb2_grpc

from reactive_config._etcd.errors import EtcdError, Unavailable
from reactive_config._etcd.link import Link, open_link
from reactive_config._etcd.messages import Item, KeyChange, Listing, StoreHead, prefix_range
from reactive_config._etcd.reading import read_all, read_head
from reactive_config._etcd.settings import Settings, parse_endpoint
from reactive_config._etcd.watching import Watch, open_watch

PAUSE = 0.25
"""Seconds between two questions upstream, at most."""

KEPT = 10_000
"""Transactions for those who resume."""

PATIENCE = 3.0
"""Seconds that a Range waits to be answered; below the runtimes' own 4 s, so that they are told why."""

AGAIN = 0.2
"""Seconds until a lost upstream is tried again."""

Waiting = asyncio.Future[StoreHead]


class Relay(rpc_pb2_grpc.KVServicer, rpc_pb2_grpc.WatchServicer):  # type: ignore[misc]
    """What upstream holds below a prefix, and who wants to know of it.

    Attributes:
        ready: Set once there is something to offer.
    """

    def __init__(self, upstream: str, prefix: bytes) -> None:
        self.ready = asyncio.Event()
        self._upstream = parse_endpoint(upstream)
        self._range = prefix_range(prefix)
        self._sight = StoreHead(0, 0, 0, 0, 0)
        self._items: dict[bytes, Item] = {}
        # Transactions and their revisions, oldest first; those up to `_forgotten` are gone.
        self._revisions: list[int] = []
        self._log: list[WatchResponse] = []
        self._forgotten = 0
        self._epoch = 0  # counts lost histories: a watch of an older one ends
        self._news = asyncio.Event()
        self._waiting: list[Waiting] = []
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Follow upstream for ever."""
        while True:
            try:
                async with open_link(self._upstream, Settings()) as link:
                    await self._begin(link)
                    async with open_watch(link, self._range, self._sight.revision + 1) as watch:
                        self.ready.set()
                        await _first_error(self._take(watch), self._ask(link))
            except EtcdError as error:
                waiting, self._waiting = self._waiting, []
                _fail(waiting, error)
            await asyncio.sleep(AGAIN)

    async def _begin(self, link: Link) -> None:
        """Resume if upstream still tells our revision as we know it; else take all of it anew."""
        if self._sight.revision:
            try:
                if self._is_ours(await read_all(link, self._range, revision=self._sight.revision)):
                    return
            except Unavailable:
                raise
            except EtcdError:
                pass  # compacted, or of a future revision
        listing = await read_all(link, self._range)
        self._items = {item.key: item for item in listing.items}
        self._sight = listing.sight
        self._revisions, self._log, self._forgotten = [], [], listing.sight.revision
        self._epoch += 1
        self._tell()

    def _is_ours(self, listing: Listing) -> bool:
        same_cluster = listing.sight.cluster == self._sight.cluster and listing.sight.term >= self._sight.term
        return same_cluster and {item.key: item for item in listing.items} == self._items

    async def _take(self, watch: Watch) -> None:
        while True:
            batch = await watch.read()
            for revision, changes in groupby(batch.changes, key=lambda change: change.mod_revision):
                if revision > self._sight.revision:
                    self._apply(revision, tuple(changes))
            if batch.changes:
                self._tell()

    def _apply(self, revision: int, changes: Iterable[KeyChange]) -> None:
        """Take one transaction."""
        events = []
        for change in changes:
            if change.value is None:
                self._items.pop(change.key, None)
                events.append(Event(type=Event.DELETE, kv=KeyValue(key=change.key, mod_revision=revision)))
            else:
                self._items[change.key] = Item(change.key, change.value, revision)
                events.append(Event(kv=KeyValue(key=change.key, value=change.value, mod_revision=revision)))
        newest = max((item.mod_revision for item in self._items.values()), default=0)
        self._sight = StoreHead(self._sight.cluster, self._sight.term, revision, len(self._items), newest)
        self._revisions.append(revision)
        self._log.append(WatchResponse(header=self._header(), events=events))
        if len(self._log) > 2 * KEPT:
            self._forgotten = self._revisions[-KEPT - 1]
            del self._revisions[:-KEPT], self._log[:-KEPT]

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _ask(self, link: Link) -> None:
        """Answer those who wait, as often as one question has an answer."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._catch_up(await read_head(link, self._range, newest=True))
            except EtcdError as error:
                _fail(waiting, error)
                raise
            for one in waiting:
                if not one.done():
                    one.set_result(self._sight)
            await asyncio.sleep(PAUSE)

    async def _catch_up(self, sight: StoreHead) -> None:
        """Wait until we have what upstream has; its word then also holds for its own, later revision.

        Equal count and newest mean an equal state: a key put since would be newer, a deleted one missing.
        """
        try:
            with anyio.fail_after(PATIENCE):
                while self._sight.revision < sight.revision:
                    if (self._sight.count, self._sight.newest) == (sight.count, sight.newest):
                        self._sight = sight
                        return
                    await self._news.wait()
        except TimeoutError:
            raise Unavailable(f"{self._upstream}: the watch has fallen silent") from None

    async def _fresh(self, context: Any) -> None:
        """Return once we have at least what upstream had when this was called."""
        one: Waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(one)
        self._wanted.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await one
        except (EtcdError, TimeoutError) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the relay has lost its upstream: {error}")

    def _header(self) -> ResponseHeader:
        sight = self._sight
        return ResponseHeader(cluster_id=sight.cluster, revision=sight.revision, raft_term=sight.term)

    async def Range(self, request: Any, context: Any) -> RangeResponse:  # noqa: N802 - the servicer's name
        """etcd's, for a range within the prefix; of older revisions only those that look like now."""
        await self._fresh(context)
        if not request.key.startswith(self._range.start):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this relay offers {self._range}")
        if request.revision > self._sight.revision:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "required revision is a future revision")
        if 0 < request.revision < (self._revisions[-1] if self._revisions else self._forgotten):
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "required revision has been compacted")
        found = [item for item in self._items.values() if _within(item.key, request)]
        if request.sort_target == RangeRequest.MOD and request.sort_order == RangeRequest.DESCEND:
            found.sort(key=lambda item: item.mod_revision, reverse=True)
        else:
            found.sort(key=lambda item: item.key)
        shown = [] if request.count_only else found[: request.limit or None]
        kvs = [
            KeyValue(key=item.key, value=b"" if request.keys_only else item.value, mod_revision=item.mod_revision)
            for item in shown
        ]
        more = not request.count_only and len(shown) < len(found)
        return RangeResponse(header=self._header(), kvs=kvs, count=len(found), more=more)

    async def Watch(self, requests: Any, context: Any) -> None:  # noqa: N802 - the servicer's name
        """One watch of the prefix on this stream, from a revision on."""
        start = (await context.read()).create_request.start_revision
        await context.write(WatchResponse(header=self._header(), created=True))
        epoch, told = self._epoch, start - 1
        while epoch == self._epoch:
            if told < self._forgotten:
                gone = self._forgotten + 1
                await context.write(WatchResponse(canceled=True, compact_revision=gone))
                return
            news = self._news
            place = bisect_left(self._revisions, told + 1)
            for response in self._log[place:]:
                await context.write(response)
                told = response.header.revision
            if news is self._news:  # else more has come meanwhile
                await news.wait()


def _within(key: bytes, request: Any) -> bool:
    if not request.range_end:
        return bool(key == request.key)
    return bool(key >= request.key and (request.range_end == b"\0" or key < request.range_end))


def _fail(waiting: Iterable[Waiting], error: EtcdError) -> None:
    for one in waiting:
        if not one.done():
            one.set_exception(error)


async def _first_error(*parts: Any) -> None:
    """Run until one fails, and raise its error alone."""
    failed: list[EtcdError] = []

    async def run(part: Any) -> None:
        try:
            await part
        except EtcdError as error:
            failed.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for part in parts:
            group.start_soon(run, part)
    raise failed[0]


async def serve(upstream: str, prefix: bytes, port: int) -> None:
    """Serve on 127.0.0.1 once there is something to offer; until cancelled."""
    relay = Relay(upstream, prefix)
    server = grpc.aio.server()
    rpc_pb2_grpc.add_KVServicer_to_server(relay, server)
    rpc_pb2_grpc.add_WatchServicer_to_server(relay, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    async with anyio.create_task_group() as group:
        group.start_soon(relay.run)
        await relay.ready.wait()
        await server.start()
        try:
            await server.wait_for_termination()
        finally:
            await server.stop(None)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])))
