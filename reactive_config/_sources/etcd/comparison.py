"""Whether etcd holds what we hold, key by key, beside the watch and without haste.

A random sample of keys tells most of it before a session resumes; the rest is compared page by page.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence

import anyio.to_thread

from reactive_config._etcd.errors import Compacted, DeadlinePassed, FutureRevision, TooLarge
from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import Item, KeyRange
from reactive_config._etcd.reading import MOST
from reactive_config._etcd.rpc import RangeRequest
from reactive_config._sources.etcd.handover import Handover
from reactive_config._sources.etcd.store import Store, StoredKey

KEYS, BYTES = 1000, 256 * 1024
"""Of a page at most; one value may be larger."""

PAUSE = 2.0
"""Seconds between two pages, from half to one and a half of it."""

SHARE = 20
"""Times as long as a page took, the pause after it lasts at least: 5 % of a slow link or of a busy etcd at most."""

Advance = Callable[[], Awaitable[None]]


class Comparison:
    """One walk over all keys. The watch goes on meanwhile, and what it brings needs no comparison.

    A page is read at the revision of the store at that moment, so it must be equal to what the store holds at that
    moment. Which keys there are is noted once, at the begin: a key that is newer came by this etcd's own watch.
    """

    def __init__(
        self, link: Link, keys: KeyRange, store: Store, handover: Handover, rng: random.Random, advance: Advance
    ) -> None:
        """`advance` brings the store's revision up to date: what a compaction has overtaken cannot be read."""
        self._link = link
        self._first, self._end = keys.start, keys.end or keys.start + b"\0"
        self._store = store
        self._handover = handover
        self._rng = rng
        self._advance = advance
        self._since = 0
        self._names: list[bytes] = []
        self._most = KEYS

    async def equal(self) -> bool:
        """Whether all that etcd holds is what we hold; False as soon as one key is not.

        Raises:
            Unavailable, Refused: See `errors`.
        """
        self._since = self._store.revision
        names = self._store.names()
        self._names = await anyio.to_thread.run_sync(lambda: sorted(names.keys()))
        begin = self._handover.checked
        if begin is None and self._names:
            begin = self._rng.choice(self._names)
        begin = begin or self._first
        if not await self._walk(begin, self._end):
            return False
        if begin > self._first and not await self._walk(self._first, begin):
            return False
        self._handover.checked = None
        return True

    async def _walk(self, start: bytes, end: bytes) -> bool:
        following: bytes | None = start
        pause = 0.0
        while following is not None:
            self._handover.checked = following
            await asyncio.sleep(max(PAUSE * self._rng.uniform(0.5, 1.5), pause))
            begin = time.monotonic()
            try:
                equal, following = await self._page(following, end)
            except (FutureRevision, TooLarge):  # a page of ours is never too large
                return False
            except Compacted:
                await self._advance()
                continue
            except DeadlinePassed:  # whether it is dead, the heartbeat finds out
                self._most = max(1, self._most // 4)
                continue
            finally:
                pause = SHARE * (time.monotonic() - begin)
            if not equal:
                return False
        return True

    async def _page(self, start: bytes, end: bytes) -> tuple[bool, bytes | None]:
        """Compare one page: whether it is equal, and where the next one starts, None at the end."""
        held, behind = self._next_held(start, end)
        request = RangeRequest(key=start, range_end=behind or end, limit=self._most + 1, revision=self._store.revision)
        reply = await self._link.call(
            self._link.kv.Range, request, self._handover.pace.patience(self._link.settings.timeout)
        )
        items = [Item(kv.key, kv.value, kv.mod_revision) for kv in reply.kvs]
        if reply.more:
            behind = items[-1].key + b"\0"
            held = {key: one for key, one in held.items() if key < behind}
        return self._is_equal(items, held), behind

    def _next_held(self, start: bytes, end: bytes) -> tuple[dict[bytes, StoredKey], bytes | None]:
        """What we hold from `start` on, and the key before which that ends, None for `end`."""
        first = bisect_left(self._names, start)
        last = len(self._names) if end == b"\0" else bisect_left(self._names, end)
        found: dict[bytes, StoredKey] = {}
        left = BYTES
        for index in range(first, last):
            key = self._names[index]
            held = self._store.held(key)
            left -= held.size if held else 0
            if index > first and (left < 0 or index - first == self._most):
                return found, key
            if held is not None:
                found[key] = held
        return found, None

    def _is_equal(self, items: list[Item], held: dict[bytes, StoredKey]) -> bool:
        for item in items:
            ours = held.pop(item.key, None)
            if item.mod_revision <= self._since and (ours is None or not ours.equals(item)):
                return False
        return not held  # a key that is ours and not etcd's


NEWEST = 16
"""Of them those that changed last: what an etcd that was killed has most likely lost."""

BYTES = 256 * 1024
"""Of the values together; one alone may be larger."""


def sample_store(store: Store, rng: random.Random) -> list[bytes]:
    """The newest keys, and some of all others; see `sample`."""
    newest = heapq.nlargest(NEWEST, store.documents.values(), key=lambda document: document.revision)

    def size(key: bytes) -> int:
        held = store.held(key)
        return held.size if held else 0

    return sample(store.names().keys(), size, rng, first=[document.place.encode() for document in newest])


def sample(
    keys: Sequence[bytes], size: Callable[[bytes], int], rng: random.Random, *, first: Sequence[bytes] = ()
) -> list[bytes]:
    """Keys to compare: `first`, and for the rest every key with the same chance, until `MOST` or `BYTES` is reached.

    If d of n keys differ, s random ones miss all of them with a probability of at most (1 - d/n)**s: 1 in 10,000
    for s = 111 and d/n = 8 %. A few are for `comparison` to find.
    """
    random_ones = rng.sample(keys, min(MOST, len(keys)))
    chosen: list[bytes] = []
    left = BYTES
    for key in dict.fromkeys([*first, *random_ones]):
        left -= size(key)
        if len(chosen) == MOST or (left < 0 and chosen):
            break
        chosen.append(key)
    return chosen
