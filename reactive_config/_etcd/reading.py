"""Reading a range: what it looks like now, all of it at one revision, or single keys in one transaction.

It works over links of any speed: pages shrink if they take long.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from reactive_config._etcd.errors import Compacted, DeadlinePassed, TooLarge, Unavailable
from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import Item, KeyRange, Listing, StoreHead
from reactive_config._etcd.pace import Pace
from reactive_config._etcd.rpc import RangeRequest, RequestOp, TxnRequest

PAGE = 5000
"""Keys in a page at most: some 5 ms of this process."""

FIRST = 8
"""Keys in the first page at most: it tells how large the values are."""

GROWTH = 16
"""Times the keys of the page before, at most."""

PAGE_BYTES = 1 << 20
"""Bytes that a later page is to have, if its values are as large as those before: receiving holds the event loop."""

PAGE_SECONDS = 1.0
"""Seconds that a later page is to take, if the link is as fast as before: a page that fails is read again."""

TRIES = 2
"""Deadlines in a row that may pass before a connection counts as dead."""

ATTEMPTS = 5
"""Lists that a compaction may overtake before it counts as trouble."""

AGAIN = 0.5
"""Seconds after which a look without an answer is asked for again beside it. What a member is asked while the cluster
has lost its leader, or just before, may wait until the deadline; asked anew once there is one, it answers at once."""


async def read_head(
    link: Link, keys: KeyRange, *, newest: bool = False, revision: int = 0, timeout: float | None = None
) -> StoreHead:
    """What a range looks like, linearizably: never what a lagging member still believes.

    Args:
        link: Whom to ask.
        keys: The range.
        newest: Ask for the highest mod_revision too; the server sorts the whole range for it.
        revision: Count and newest as of then; 0 for now. The sight's own revision is always the current one.
        timeout: Seconds; None for the settings'.

    Raises:
        Compacted, FutureRevision: Only for a given revision.
        Unavailable, Refused: See `errors`.
    """
    request = RangeRequest(key=keys.start, range_end=keys.end, revision=revision, count_only=not newest)
    if newest:
        request.keys_only = True
        request.limit = 1
        request.sort_order = RangeRequest.DESCEND
        request.sort_target = RangeRequest.MOD

    # A server that is slow because it sorts must not be made to sort again beside it.
    reply = await link.call(link.kv.Range, request, timeout, again=None if newest else AGAIN)
    top = (reply.kvs[0].mod_revision if reply.kvs else 0) if newest else None
    return _sight(reply.header, int(reply.count), top)


class RangeReading:
    """A list under way. What was read stays read: after an error `finish` goes on where it was, over any link.

    It is for the caller to know that a later link leads to the same history.

    Attributes:
        sight: What the first page told of the whole range; None before it.
        revision: Of the list; 0 before the first page.
        items: What was read, in the order of the keys.
    """

    def __init__(self, keys: KeyRange, *, revision: int = 0, page: int = PAGE, pace: Pace | None = None) -> None:
        """`revision` 0 is the one that is current at the first page; of `pace`, see `Pace`."""
        self.sight: StoreHead | None = None
        self.items: list[Item] = []
        self._keys = keys
        self._start = keys.start
        self.revision = revision
        self._page = page if keys.end else 1
        self._limit = min(self._page, FIRST)
        self._pace = pace or Pace()

    async def finish(self, link: Link) -> Listing:
        """Read the rest.

        Raises:
            Compacted: The list must begin anew.
            FutureRevision: Only for a given revision, or at another history.
            Unavailable, Refused: See `errors`.
        """
        while True:
            reply, seconds = await self._next_page(link)
            if self.sight is None:
                # Later pages carry the current revision in their header, not the one that is read.
                self.revision = self.revision or reply.header.revision
                self.sight = _sight(reply.header, int(reply.count), None)
            news = [Item(kv.key, kv.value, kv.mod_revision) for kv in reply.kvs]
            self.items += news
            size = sum(len(item.key) + len(item.value) for item in news)
            self._pace.took(size, seconds)
            if not reply.more or not news:
                return self._listing(self.sight)
            self._start = news[-1].key + b"\0"
            wanted = int(min(PAGE_BYTES, self._pace.rate * PAGE_SECONDS))
            self._limit = max(1, min(self._page, GROWTH * len(news), wanted * len(news) // size))

    async def _next_page(self, link: Link) -> tuple[Any, float]:
        """The reply, and after how many seconds it came."""
        late = 0
        while True:
            request = RangeRequest(key=self._start, range_end=self._keys.end, limit=self._limit, revision=self.revision)
            begin = time.monotonic()
            try:
                reply = await link.call(link.kv.Range, request, self._pace.deadline(link.settings.timeout))
                return reply, time.monotonic() - begin
            except TooLarge:
                if self._limit == 1:
                    raise
                self._page = self._limit = max(1, self._limit // 4)
            except DeadlinePassed:
                late += 1
                self._pace.late()
                self._limit = max(1, self._limit // 4)
                if late == TRIES:
                    raise

    def _listing(self, sight: StoreHead) -> Listing:
        newest = max((item.mod_revision for item in self.items), default=0)
        whole = StoreHead(sight.cluster, sight.term, self.revision, len(self.items), newest)
        return Listing(whole, tuple(self.items))


async def read_all(
    link: Link, keys: KeyRange, *, revision: int = 0, page: int = PAGE, pace: Pace | None = None
) -> Listing:
    """Every key of the range at one revision, in pages.

    Args:
        link: Whom to ask.
        keys: The range.
        revision: At which; 0 for now, and then a compaction while paging begins a new list.
        page: Keys in one page at most; less where an answer is too large to receive, or takes long.
        pace: What is known of the link's speed.

    Raises:
        Compacted, FutureRevision: Only for a given revision.
        Unavailable, Refused: See `errors`.
    """
    for _ in range(ATTEMPTS):
        try:
            return await RangeReading(keys, revision=revision, page=page, pace=pace).finish(link)
        except Compacted:
            if revision:
                raise
    raise overtaken(link, keys)


def overtaken(link: Link, keys: KeyRange) -> Unavailable:
    """What to raise where compactions came faster than lists."""
    return Unavailable(f"{link.endpoint}: {keys} was compacted away under {ATTEMPTS} lists")


def _sight(header: Any, count: int, newest: int | None) -> StoreHead:
    return StoreHead(int(header.cluster_id), int(header.raft_term), int(header.revision), count, newest)


MOST = 127
"""Keys that are picked in one transaction: etcd takes 128 operations (`--max-txn-ops`), and one of them counts."""


class Picked(msgspec.Struct, frozen=True):
    """What `pick` found.

    Attributes:
        count: Keys in the whole range.
        items: Those of the picked keys that are there, in the order in which they were wanted.
    """

    count: int
    items: tuple[Item, ...]


async def pick(link: Link, keys: KeyRange, wanted: Sequence[bytes], revision: int, pace: Pace) -> Picked:
    """Read some keys of a range, and how many it has, as of one revision.

    Args:
        link: Whom to ask.
        keys: The range.
        wanted: Keys of it, any number.
        revision: As of when.
        pace: Is told how fast it was.

    Raises:
        Compacted, FutureRevision, Unavailable, Refused: See `errors`.
    """
    most, items, count = MOST, list[Item](), 0
    start = 0
    while not start or start < len(wanted):
        part = wanted[start : start + most]
        operations = [RangeRequest(key=keys.start, range_end=keys.end, revision=revision, count_only=True)]
        operations += [RangeRequest(key=key, revision=revision) for key in part]
        request = TxnRequest(success=[RequestOp(request_range=operation) for operation in operations])
        begin = time.monotonic()
        try:
            reply = await link.call(link.kv.Txn, request, pace.deadline(link.settings.timeout))
        except TooLarge:  # of another limit than the default
            if most == 1:
                raise
            most = max(1, most // 4)
            continue
        except DeadlinePassed:
            pace.late()
            raise
        ranges = [response.response_range for response in reply.responses]
        count = int(ranges[0].count)
        found = [Item(kv.key, kv.value, kv.mod_revision) for one in ranges[1:] for kv in one.kvs]
        pace.took(sum(len(item.value) for item in found), time.monotonic() - begin)
        items += found
        start += most
    return Picked(count, tuple(items))
