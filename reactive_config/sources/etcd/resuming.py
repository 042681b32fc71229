"""How a session begins: whether the etcd of its link is the one that we know, and a list where it may not be."""

from __future__ import annotations

import anyio.to_thread

from reactive_config.etcd.errors import Compacted, FutureRevision
from reactive_config.etcd.link import Link
from reactive_config.etcd.listing import ATTEMPTS, Reading, overtaken, read_all
from reactive_config.etcd.messages import Listing, Sight
from reactive_config.etcd.picking import pick
from reactive_config.sources.etcd.handover import Handover
from reactive_config.sources.etcd.plan import Plan
from reactive_config.sources.etcd.sample import sample, sample_store
from reactive_config.sources.etcd.store import LARGE, Store

FAR_BEHIND = 20_000
"""Revisions. Replaying 60,000 of them took etcd 14 s, listing 10,000 keys 25 ms."""

SMALL_KEYS, SMALL_BYTES = 500, 256 * 1024
"""A range up to this is compared as a whole before a session resumes; of a larger one a sample, and the rest later."""

OTHERS = "restored: the keys at our revision are others than before"


class Resuming:
    """The begin of one session.

    Attributes:
        unproven: Some of what we hold was not compared with what this etcd holds; see `comparison`.
    """

    def __init__(self, plan: Plan, link: Link, store: Store, handover: Handover) -> None:
        self.unproven = False
        self._rng = plan.rng
        self._range = plan.keys.range
        self._link = link
        self._store = store
        self._handover = handover

    async def reason_to_list(self, sight: Sight) -> str:
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

    def lost_history(self, sight: Sight, known: int) -> str:
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

    async def listing(self, sight: Sight) -> Listing:
        """Everything at one revision; goes on with the list that the session before could not finish."""
        handover = self._handover
        for _ in range(ATTEMPTS):
            reading = handover.reading
            if reading is None or not await self._continues(reading, sight):
                reading = handover.reading = Reading(self._range, pace=self._handover.pace)
                self.unproven = False
            try:
                listing = await reading.finish(self._link)
            except (Compacted, FutureRevision):
                handover.reading = None
                continue
            handover.reading = None
            return listing
        raise overtaken(self._link, self._range)

    async def _continues(self, reading: Reading, sight: Sight) -> bool:
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
