"""One session: from a new connection to its end.

It begins by asking whether the etcd of its link is the one that we know. It resumes where that is safe, lists where it
is not, and then watches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import anyio.to_thread

from reactive_config._core.delta import Patch
from reactive_config._etcd.errors import Compacted, DeadlinePassed, EtcdError, FutureRevision, Unavailable
from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import Batch, Listing, StoreHead
from reactive_config._etcd.reading import ATTEMPTS, RangeReading, overtaken, pick, read_all, read_head
from reactive_config._etcd.watching import Watch, open_watch
from reactive_config._sources.etcd.comparison import Comparison, sample, sample_store
from reactive_config._sources.etcd.etcd_options import EtcdOptions
from reactive_config._sources.etcd.handover import Handover
from reactive_config._sources.etcd.key_documents import read_documents
from reactive_config._sources.etcd.run_state import RunState
from reactive_config._sources.etcd.store import LARGE, Store

FAR_BEHIND = 20_000
"""Revisions. Replaying 60,000 of them took etcd 14 s, listing 10,000 keys 25 ms."""

SMALL_KEYS, SMALL_BYTES = 500, 256 * 1024
"""A range up to this is compared as a whole before a session resumes; of a larger one a sample, and the rest later."""

OTHERS = "restored: the keys at our revision are others than before"


class SessionStart:
    """The begin of one session.

    Attributes:
        unproven: Some of what we hold was not compared with what this etcd holds; see `comparison`.
    """

    def __init__(self, plan: EtcdOptions, link: Link, store: Store, handover: Handover) -> None:
        self.unproven = False
        self._rng = plan.rng
        self._range = plan.keys.range
        self._link = link
        self._store = store
        self._handover = handover

    async def reason_to_list(self, sight: StoreHead) -> str:
        store = self._store
        if not store.revision:
            return "first"
        lost = self.lost_history(sight, store.revision) or store.distrusted
        if lost:
            return lost
        if sight.revision - store.revision > FAR_BEHIND:
            return "far behind"
        try:
            return "" if await self._still_true() else OTHERS
        except Compacted:
            return "compacted"
        except FutureRevision:
            return "restored: its revision fell meanwhile"

    def lost_history(self, sight: StoreHead, known: int) -> str:
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
            reading = read_all(self._link, self._range, revision=store.revision, pace=self._handover.pace)
            return store.equals(await reading)
        self.unproven = True
        keys = await self._sample()
        picked = await pick(self._link, self._range, keys, store.revision, self._handover.pace)
        held = [store.held(item.key) for item in picked.items]
        equal = all(one is not None and one.equals(item) for one, item in zip(held, picked.items, strict=True))
        return equal and len(picked.items) == len(keys) and picked.count == store.count

    async def _sample(self) -> list[bytes]:
        if self._store.count <= LARGE:
            return sample_store(self._store, self._rng)
        return await anyio.to_thread.run_sync(sample_store, self._store, self._rng)  # nobody writes it before the watch

    async def listing(self, sight: StoreHead) -> Listing:
        """Everything at one revision; goes on with the list that the session before could not finish."""
        handover = self._handover
        for _ in range(ATTEMPTS):
            reading = handover.reading
            if reading is None or not await self._continues(reading, sight):
                reading = handover.reading = RangeReading(self._range, pace=self._handover.pace)
                self.unproven = False
            try:
                listing = await reading.finish(self._link)
            except (Compacted, FutureRevision):
                handover.reading = None
                continue
            handover.reading = None
            return listing
        raise overtaken(self._link, self._range)

    async def _continues(self, reading: RangeReading, sight: StoreHead) -> bool:
        """Whether the etcd of this session holds what was read in another."""
        told = reading.sight
        if told is None:
            return True
        if sight.cluster != told.cluster or sight.term < told.term:
            return False
        if not 0 <= sight.revision - reading.revision <= FAR_BEHIND:
            return False
        read = {item.key: item for item in reading.items}
        keys = sample(list(read), lambda key: len(read[key].value), self._rng)
        try:
            picked = await pick(self._link, self._range, keys, reading.revision, self._handover.pace)
        except (Compacted, FutureRevision):
            return False
        self.unproven = True
        return picked.count == told.count and list(picked.items) == [read[key] for key in keys]


CHEAP_KEYS = 2000
"""Up to this every heartbeat asks for the newest key too; the server sorts the range for it."""

RARELY = 12
"""Of a larger range, every so many heartbeats."""


class Session:
    """Follows etcd over one link until that fails.

    Attributes:
        synced_at: When it first was SYNCED, by the loop's clock; None before.
    """

    def __init__(
        self, plan: EtcdOptions, link: Link, store: Store, stand: RunState, handover: Handover, cluster: int | None
    ) -> None:
        self.synced_at: float | None = None
        self._handover = handover
        self._resuming = SessionStart(plan, link, store, handover)
        self._plan = plan
        self._range = plan.keys.range
        self._link = link
        self._store = store
        self._stand = stand
        self._cluster = cluster
        self._signs = 0
        self._told = 0  # the newest revision known to be in the store
        self._target: StoreHead | None = None
        self._doubt: tuple[int, int] | None = None
        self._doubted_at = 0.0
        self._emptied = store.emptied.layers

    async def run(self) -> None:
        """Deliver until the connection ends.

        Raises:
            EtcdError: Always, sooner or later: why it ended.
        """
        settings = self._plan.settings
        sight = await read_head(self._link, self._range, timeout=settings.connect_timeout)
        if self._cluster not in (None, sight.cluster):
            raise Unavailable(f"{self._link.endpoint}: this is another cluster than the one that advertised it")
        why = await self._resuming.reason_to_list(sight)
        if not why and self._stand.on_mirror:
            why = "mirror"  # what is in force is not ours, so a resume would not bring ours back
        if why:
            await self._list(why, sight)
        else:
            self._handover.reading = None  # of a revision that may be older than ours
            self._target, self._told = sight, sight.revision
            self._store.term = max(self._store.term, sight.term)
        self._stand.back()
        # On a slow link a backlog comes in parts, so that it is seen to come.
        fragment = self._handover.pace.slow
        async with open_watch(self._link, self._range, self._store.revision + 1, fragment=fragment) as watch:
            watch.on_life = self._note_life
            self._tell_progress()
            await _first_end(lambda: self._read(watch), self._beat, self._compare)

    async def _list(self, why: str, sight: StoreHead) -> None:
        store, stand = self._store, self._stand
        listing = await self._resuming.listing(sight)
        documents = await read_documents(self._plan.keys, listing.items, store.documents)
        if store.revision:
            stand.feed.count("relists")
            stand.feed.count(f"relists_{why.partition(':')[0].replace(' ', '_')}")
        if len(listing.items) > LARGE:  # nobody else touches the store before the watch
            replace = await anyio.to_thread.run_sync(store.replace, listing, documents)
        else:
            replace = store.replace(listing, documents)
        stand.send(replace)
        if why.startswith("restored"):
            stand.restored(why, listing.sight.revision)
        self._tell_keys()

    async def _read(self, watch: Watch) -> None:
        while True:
            batch = await watch.read()
            if batch.changes:
                await self._take(batch)

    def _note_life(self) -> None:
        self._signs += 1

    async def _take(self, batch: Batch) -> None:
        latest = batch.latest()
        documents = await read_documents(self._plan.keys, latest, self._store.documents)
        self._stand.send(self._store.patch(latest, documents))
        self._stand.feed.count("events", len(batch.changes))
        self._tell_keys()
        self._tell_progress()

    def _tell_keys(self) -> None:
        """Say which keys are left out, and which layers have lost their last one."""
        store, stand = self._store, self._stand
        stand.note("keys", *store.notes())
        if store.emptied.layers == self._emptied or self._plan.optional:
            return
        self._emptied = store.emptied.layers
        stand.emptied({layer: self._plan.keys.layers[layer] for layer in sorted(store.emptied.layers)})

    def _tell_progress(self) -> None:
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
            asked = time.monotonic()
            await self._check(newest, self._handover.pace.patience(keepalive * 0.4))
            if self.synced_at is not None and time.monotonic() - asked < keepalive * 0.1:
                self._handover.pace.on_time()

    async def _compare(self) -> None:
        """After a resume, find out in the background whether this is the etcd that we know."""
        if not self._resuming.unproven:
            return

        async def advance() -> None:
            await self._check(newest=True, timeout=self._link.settings.timeout)

        walk = Comparison(self._link, self._range, self._store, self._handover, self._plan.rng, advance)
        if not await walk.equal():
            self._store.distrusted = OTHERS  # whatever a sample says in the next session
            raise Unavailable(f"{self._link.endpoint}: etcd was {OTHERS}")
        self._stand.feed.count("comparisons")

    async def _check(self, newest: bool, timeout: float) -> None:
        known, signs = self._store.revision, self._signs
        try:
            sight = await read_head(self._link, self._range, newest=newest, timeout=timeout)
        except Unavailable as trouble:
            if self._signs != signs:
                return  # slow, but alive
            if isinstance(trouble, DeadlinePassed):
                self._handover.pace.late()
            raise
        lost = self._resuming.lost_history(sight, known)
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
                self._stand.send(Patch({}, {}, sight.revision, self._store.emptied.accepted))
        elif self._doubt != (self._store.revision, self._signs):
            self._doubt = (self._store.revision, self._signs)
            self._doubted_at = asyncio.get_running_loop().time()
        elif asyncio.get_running_loop().time() - self._doubted_at > self._silence():
            # Nothing has come for a whole beat although something was there: this watch is deaf.
            self._handover.pace.late()
            raise Unavailable(f"{self._link.endpoint}: the watch has fallen silent")
        self._tell_progress()

    def _silence(self) -> float:
        """Seconds without a word that are too many where there is news."""
        beat, pace = self._plan.settings.keepalive * 0.3, self._handover.pace
        return 2 * pace.patience(beat) if pace.slow else beat


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
