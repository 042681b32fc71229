"""A store in etcd, below one prefix: any number of processes read and write it, and none has a state of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.backoff import Backoff
from reactive_config._etcd.errors import EtcdError, RequestRefused, TooLarge, Unavailable
from reactive_config._etcd.link import Link, open_link
from reactive_config._etcd.messages import Item, KeyRange, prefix_range
from reactive_config._etcd.reading import read_all, read_head
from reactive_config._etcd.rpc import Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest
from reactive_config._etcd.settings import Endpoint, Settings
from reactive_config._etcd.waiting import wait_within
from reactive_config._etcd.watching import Watch, open_watch
from reactive_config._printable import printable
from reactive_config._releases.key_store import (
    HEADS,
    MOST_BYTES,
    TOKENS,
    KeysMoved,
    NotWritten,
    StoreAway,
    StoreChanges,
    Stored,
    StoreListing,
    StoreNews,
    StoreRefused,
    StoreTooLarge,
    Write,
    is_followed,
)

LINK_SECONDS = 5.0
"""How long a call waits for a connection."""

MOST_ASKED = 100
"""Keys whose revisions are asked for when a transaction fails."""

NO_SPACE = "database space exceeded"
MAKE_ROOM = "compact and defragment etcd, or raise its quota, and then disarm the alarm (etcdctl alarm disarm)"


class EtcdStore:
    """A `KeyStore` below a prefix. Calls wait until somebody follows it: `follow` makes the connection.

    Args:
        endpoints: Members, one at least.
        root: The prefix; it ends in `/`.
        settings: Of connections.
        credentials: Whose.

    Attributes:
        name: What a person calls it.
        root: Its prefix.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        root: str,
        settings: Settings | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        if not root.endswith("/"):
            raise ValueError(f"expected a prefix that ends in '/', got '{printable(root)}'")
        self.name: str = f"etcd://{','.join(map(str, endpoints))}{printable(root)}"
        self._endpoints = list(endpoints)
        self.root: str = root
        self._settings = settings or Settings()
        self._credentials = credentials
        self._range = prefix_range(root.encode())
        self._rng = random.Random()
        self._link: Link | None = None
        self._linked = asyncio.Event()
        self._trouble = "etcd has not answered yet"

    # -- single calls ----------------------------------------------------------------------------

    async def commit(self, write: Write) -> int:
        """As `KeyStore.commit`."""
        if write.size > MOST_BYTES:
            raise StoreTooLarge(f"{self.name}: expected at most {MOST_BYTES:,} bytes in one change, got {write.size:,}")
        try:
            link = await self._connected()
        except NotWritten as error:
            raise NotWritten(f"{error}; nothing was written") from None
        request = TxnRequest(
            compare=self._conditions(write), success=self._operations(write), failure=self._newest(write)
        )
        try:
            reply = await link.call(link.kv.Txn, request)
        except TooLarge as error:
            raise StoreTooLarge(str(error)) from None
        except RequestRefused as error:
            raise StoreRefused(str(error)) from None
        except EtcdError as error:
            if NO_SPACE in str(error):
                raise StoreRefused(f"{error}; nothing was written; {MAKE_ROOM}") from None
            raise StoreAway(f"{error}; whether it was written is not known") from None
        if not reply.succeeded:
            found = [kv.mod_revision for part in reply.responses for kv in part.response_range.kvs]
            raise KeysMoved(f"{self.name}: a key has changed meanwhile", max(found, default=0))
        return int(reply.header.revision)

    def _conditions(self, write: Write) -> list[Compare]:
        conditions = [
            Compare(key=self._key(key), target=Compare.MOD, result=Compare.EQUAL, mod_revision=revision)
            for key, revision in write.unchanged.items()
        ]
        for prefix, newest in write.quiet.items():
            keys = prefix_range(self._key(prefix))
            conditions.append(
                Compare(
                    key=keys.start,
                    range_end=keys.end,
                    target=Compare.MOD,
                    result=Compare.LESS,
                    mod_revision=newest + 1,
                )
            )
        return conditions

    def _newest(self, write: Write) -> list[RequestOp]:
        """Ask for the revisions of what must not have changed. That of the store says nothing: others use it, too."""
        apart = [key for key in write.unchanged if not key.startswith(tuple(write.quiet))][:MOST_ASKED]
        asked = [RangeRequest(key=self._key(key), keys_only=True) for key in apart]
        for prefix in write.quiet:
            keys = prefix_range(self._key(prefix))
            by_revision = {"sort_order": RangeRequest.DESCEND, "sort_target": RangeRequest.MOD}
            asked.append(RangeRequest(key=keys.start, range_end=keys.end, keys_only=True, limit=1, **by_revision))
        return [RequestOp(request_range=request) for request in asked]

    def _operations(self, write: Write) -> list[RequestOp]:
        puts = [RequestOp(request_put=PutRequest(key=self._key(k), value=v)) for k, v in write.puts.items()]
        deletes = [RequestOp(request_delete_range=DeleteRangeRequest(key=self._key(k))) for k in write.deletes]
        return [*puts, *deletes]

    async def get(self, key: str) -> Stored | None:
        """As `KeyStore.get`."""
        found = await self._range_of(RangeRequest(key=self._key(key)))
        return found[0][1] if found else None

    async def scan(self, prefix: str, start: str, end: str, limit: int) -> list[tuple[str, Stored]]:
        """As `KeyStore.scan`."""
        return await self._range_of(
            RangeRequest(
                key=self._key(prefix + start),
                range_end=self._key(prefix + end),
                limit=limit,
                sort_order=RangeRequest.DESCEND,
                sort_target=RangeRequest.KEY,
            )
        )

    async def _range_of(self, request: RangeRequest) -> list[tuple[str, Stored]]:
        link = await self._connected()
        try:
            reply = await link.call(link.kv.Range, request)
        except RequestRefused as error:
            raise StoreRefused(str(error)) from None
        except EtcdError as error:
            raise StoreAway(str(error)) from None
        return [(self.name_of(kv.key) or "", Stored(kv.value, kv.mod_revision)) for kv in reply.kvs]

    def _key(self, key: str) -> bytes:
        return (self.root + key).encode()

    def name_of(self, key: bytes) -> str | None:
        """The key below our prefix; None for one that is not UTF-8, and so nobody's."""
        try:
            return key.decode().removeprefix(self.root)
        except UnicodeDecodeError:
            return None

    async def _connected(self) -> Link:
        if self._link is None:
            await wait_within(LINK_SECONDS, self._linked.wait())
        if self._link is None:
            raise NotWritten(f"{self.name}: {self._trouble}")
        return self._link

    # -- following -------------------------------------------------------------------------------

    async def follow(self, take: Callable[[StoreNews], object]) -> None:
        """As `KeyStore.follow`."""
        pauses = Backoff(self._rng, base=0.1, cap=5.0)
        while True:
            for endpoint in list(self._endpoints):
                try:
                    async with open_link(endpoint, self._settings, self._credentials, f"to read {self.root}") as link:
                        await _Following(self, link, take).run(pauses.reset)
                except EtcdError as error:
                    self._trouble = str(error)
                finally:
                    self._unlink()
                take(StoreAway(f"{self.name}: {self._trouble}"))
                self._endpoints = [*self._endpoints[1:], self._endpoints[0]]
            await asyncio.sleep(pauses.pause())

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[Link]:
        """A connection to the first member that answers, for calls without following.

        Raises:
            StoreAway: None does.
        """
        trouble = "no member answers"
        for endpoint in self._endpoints:
            async with open_link(endpoint, self._settings, self._credentials, f"to read {self.root}") as link:
                try:
                    await read_head(link, self._range, timeout=self._settings.connect_timeout)
                except EtcdError as error:
                    trouble = str(error)
                    continue
                self.use(link)
                try:
                    yield link
                finally:
                    self._unlink()
                return
        raise StoreAway(f"{self.name}: {trouble}")

    def _unlink(self) -> None:
        self._link = None
        self._linked = asyncio.Event()

    def use(self, link: Link) -> None:
        """Calls go over this connection."""
        self._link = link
        self._linked.set()

    @property
    def range(self) -> KeyRange:
        """All keys of the store."""
        return self._range

    def followed(self, key: bytes) -> str | None:
        """What a key is called, if it is one of which is told; None for any other."""
        name = self.name_of(key)
        return name if name is not None and is_followed(name) else None

    def listed_ranges(self) -> list[KeyRange]:
        """The ranges that hold all followed keys, and little else: no history, and no instances."""
        root = self.root
        return [
            KeyRange(root.encode(), f"{root}_".encode()),  # names that begin with a digit
            prefix_range(f"{root}{HEADS}".encode()),
            prefix_range(f"{root}{TOKENS}".encode()),
            KeyRange(f"{root}`".encode(), prefix_range(root.encode()).end),  # "`" follows "_"
        ]


class _Following:
    """One connection: a list, and then what changes, until it ends."""

    def __init__(self, store: EtcdStore, link: Link, take: Callable[[StoreNews], object]) -> None:
        self._store = store
        self._link = link
        self._take = take
        self._revision = 0
        self._silent = 0

    async def run(self, worked: Callable[[], object]) -> None:
        """Follow; always raises an `EtcdError` in the end."""
        # A list that begins here knows of every write that was acknowledged before.
        head = await read_head(self._link, self._store.range, timeout=self._link.settings.connect_timeout)
        self._revision = head.revision
        keys: dict[str, Stored] = {}
        for keys_range in self._store.listed_ranges():
            listing = await read_all(self._link, keys_range, revision=head.revision)
            keys |= dict(self._stored(listing.items))
        self._take(StoreListing(keys, head.revision))
        async with open_watch(self._link, self._store.range, head.revision + 1) as watch:
            self._store.use(self._link)
            worked()
            await self._until_it_ends(watch)

    def _stored(self, items: Sequence[Item]) -> Mapping[str, Stored]:
        named = ((self._store.followed(item.key), item) for item in items)
        return {name: Stored(item.value, item.mod_revision) for name, item in named if name is not None}

    async def _until_it_ends(self, watch: Watch) -> None:
        failures: list[EtcdError] = []

        async def run(part: Callable[[], object]) -> None:
            try:
                await part()  # type: ignore[misc]
            except EtcdError as error:
                failures.append(error)
                for task in tasks:
                    task.cancel()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(lambda: self._read(watch))), group.create_task(run(self._beat))]
        raise failures.pop(0)

    async def _read(self, watch: Watch) -> None:
        while True:
            batch = await watch.read()
            if not batch.changes:
                continue
            changed = {}
            for change in batch.latest():
                name = self._store.followed(change.key)
                if name is not None:
                    changed[name] = None if change.value is None else Stored(change.value, change.mod_revision)
            self._revision, self._silent = batch.revision, 0
            self._take(StoreChanges(changed, batch.revision))

    async def _beat(self) -> None:
        """Ask now and then whether etcd is there, and whether the watch has fallen silent."""
        keepalive = self._link.settings.keepalive
        while True:
            await asyncio.sleep(keepalive * random.uniform(0.35, 0.5))
            known = self._revision
            head = await read_head(self._link, self._store.range, newest=True, timeout=keepalive * 0.4)
            if head.revision < known:
                raise Unavailable(f"{self._link.endpoint}: etcd was restored: its revision fell to {head.revision}")
            self._silent = self._silent + 1 if (head.newest or 0) > self._revision else 0
            if self._silent > 1:
                raise Unavailable(f"{self._link.endpoint}: the watch has fallen silent")
