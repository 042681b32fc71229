"""One session: from a new connection to its end. Resume where that is safe, list where it is not, then watch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio.to_thread

from reactive_config.core.delta import Patch
from reactive_config.etcd.errors import Compacted, EtcdError, FutureRevision, Unavailable
from reactive_config.etcd.link import Link
from reactive_config.etcd.listing import look, read_all
from reactive_config.etcd.messages import Batch, Sight
from reactive_config.etcd.watching import Watch, open_watch
from reactive_config.sources.etcd.documents import read_documents
from reactive_config.sources.etcd.plan import Plan
from reactive_config.sources.etcd.stand import Stand
from reactive_config.sources.etcd.store import Store

FAR_BEHIND = 20_000
"""Revisions. Replaying 60,000 of them took etcd 14 s, listing 10,000 keys 25 ms."""

SMALL_KEYS, SMALL_BYTES = 500, 256 * 1024
"""A range up to this is compared byte by byte when a session begins, a larger one by its newest key and count."""

CHEAP_KEYS = 2000
"""Up to this every heartbeat asks for the newest key too; the server sorts the range for it."""

LARGE = 20_000
"""Keys from which a list is taken in a thread: 100,000 would hold the event loop for 40 to 140 ms."""

RARELY = 12
"""Of a larger range, every so many heartbeats."""


class Session:
    """Follows etcd over one link until that fails.

    Attributes:
        synced_at: When it first was SYNCED, by the loop's clock; None before.
    """

    def __init__(self, plan: Plan, link: Link, store: Store, stand: Stand) -> None:
        self.synced_at: float | None = None
        self._plan = plan
        self._range = plan.keys.range
        self._link = link
        self._store = store
        self._stand = stand
        self._heard = 0
        self._told = 0  # the newest revision known to be in the store
        self._target: Sight | None = None
        self._doubt: tuple[int, int] | None = None

    async def run(self) -> None:
        """Deliver until the connection ends.

        Raises:
            EtcdError: Always, sooner or later: why it ended.
        """
        settings = self._plan.settings
        sight = await look(self._link, self._range, timeout=settings.connect_timeout)
        why = await self._reason_to_list(sight)
        if not why and self._stand.on_mirror:
            why = "mirror"  # what is in force is not ours, so a resume would not bring ours back
        if why:
            await self._list(why)
        else:
            self._target, self._told = sight, sight.revision
            self._store.term = max(self._store.term, sight.term)
        self._stand.back()
        async with open_watch(self._link, self._range, self._store.revision + 1) as watch:
            self._settle()
            await _first_end(lambda: self._read(watch), self._beat)

    async def _reason_to_list(self, sight: Sight) -> str:
        store = self._store
        if not store.revision:
            return "first"
        lost = self._lost_history(sight, store.revision)
        if lost:
            return lost
        if sight.revision - store.revision > FAR_BEHIND:
            return "far behind"
        try:
            return "" if await self._still_true() else "restored: the keys at our revision are others than before"
        except Compacted:
            return "compacted"
        except FutureRevision:
            return "restored: its revision fell meanwhile"

    def _lost_history(self, sight: Sight, known: int) -> str:
        """Why the store cannot be the one that we knew; empty if it can.

        A cluster made anew from the same settings has the same ids, so revision and term are looked at too.
        """
        store = self._store
        if sight.cluster != store.cluster:
            return "restored: it is another cluster"
        if sight.revision < known:
            return f"restored: revision {sight.revision} is below ours, {known}"
        if sight.term < store.term:
            return f"restored: raft term {sight.term} is below the one seen, {store.term}"
        return ""

    async def _still_true(self) -> bool:
        """Whether the store at our revision is what we hold: a wiped one that advanced past it is not."""
        store = self._store
        if store.count <= SMALL_KEYS and store.size <= SMALL_BYTES:
            return store.equals(await read_all(self._link, self._range, revision=store.revision))
        then = await look(self._link, self._range, newest=True, revision=store.revision)
        return then.count == store.count and then.newest == store.newest

    async def _list(self, why: str) -> None:
        store, stand = self._store, self._stand
        listing = await read_all(self._link, self._range)
        documents = await read_documents(self._plan.keys, listing.items, store.documents)
        if store.revision:
            stand.feed.count("relists")
            stand.feed.count(f"relists_{why.partition(':')[0].replace(' ', '_')}")
        if why.startswith("restored"):
            stand.rewound = True
            stand.feed.count("restores")
            stand.note("restored", f"etcd was {why}; its state was taken anew at revision {listing.sight.revision}")
        if len(listing.items) > LARGE:  # nobody else touches the store before the watch
            replace = await anyio.to_thread.run_sync(store.replace, listing, documents)
        else:
            replace = store.replace(listing, documents)
        stand.send(replace)
        stand.note("keys", *store.notes())

    async def _read(self, watch: Watch) -> None:
        while True:
            batch = await watch.read()
            self._heard += 1
            if batch.changes:
                await self._take(batch)

    async def _take(self, batch: Batch) -> None:
        latest = batch.latest()
        documents = await read_documents(self._plan.keys, latest, self._store.documents)
        self._stand.send(self._store.patch(latest, documents))
        self._stand.feed.count("events", len(batch.changes))
        self._stand.note("keys", *self._store.notes())
        self._settle()

    def _settle(self) -> None:
        """Say how far behind we are, and SYNCED once everything that was there at the begin of the session has come."""
        self._stand.lags(max(0, self._told - self._store.revision))
        if self._target is not None and self._store.covers(self._target):
            self._target = None
        if self._target is None and self.synced_at is None:
            self.synced_at = asyncio.get_running_loop().time()
            self._stand.synced()

    async def _beat(self) -> None:
        """Ask now and then whether etcd is still there, still the same, and not ahead of a watch that fell silent."""
        keepalive, rng = self._plan.settings.keepalive, self._plan.rng
        beats = 0
        while True:
            if beats or self._target is None:
                await asyncio.sleep(keepalive * rng.uniform(0.35, 0.5))
            newest = self._target is not None or self._store.count <= CHEAP_KEYS or beats % RARELY == 0
            beats += 1
            await self._check(newest, keepalive * 0.4)

    async def _check(self, newest: bool, timeout: float) -> None:
        known, heard = self._store.revision, self._heard
        try:
            sight = await look(self._link, self._range, newest=newest, timeout=timeout)
        except Unavailable:
            if self._heard != heard:
                return  # slow, but alive
            raise
        lost = self._lost_history(sight, known)
        if lost:
            raise Unavailable(f"{self._link.endpoint}: etcd was {lost}")
        self._store.term = max(self._store.term, sight.term)
        if not newest:
            return
        self._told = max(self._told, sight.revision)
        if self._store.covers(sight):
            self._doubt = None
            if self._store.revision < sight.revision:
                # Others write, this range is quiet: resuming from here survives a compaction up to here.
                self._store.advance(sight.revision)
                self._stand.send(Patch({}, {}, sight.revision))
        elif self._doubt == (self._store.revision, self._heard):
            # Nothing has come for a whole beat although something was there: this watch is deaf.
            raise Unavailable(f"{self._link.endpoint}: the watch has fallen silent")
        else:
            self._doubt = (self._store.revision, self._heard)
        self._settle()


async def _first_end(*parts: Callable[[], Awaitable[None]]) -> None:
    """Run siblings until the first one fails; cancel the others and raise its error alone."""
    failures: list[EtcdError] = []

    async def run(part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except EtcdError as error:
            if not failures:
                failures.append(error)
            for task in tasks:  # itself too, but it is over
                task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(part)) for part in parts]
    raise failures.pop()  # a list here would refer to the error, and the error to this frame
