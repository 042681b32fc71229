"""Reading a range: what it looks like now, and all of it at one revision."""

from __future__ import annotations

from typing import Any

from reactive_config.etcd.errors import Compacted, TooLarge, Unavailable
from reactive_config.etcd.link import Link
from reactive_config.etcd.messages import Item, Listing, Sight
from reactive_config.etcd.ranges import KeyRange
from reactive_config.etcd.rpc import RangeRequest

PAGE = 5000
"""Keys in a page at most: some 5 ms of this process."""

FIRST = 500
"""Keys in the first page at most: it tells how large the values are."""

PAGE_BYTES = 1 << 20
"""Bytes that a later page is to have, if its values are as large as those before: receiving holds the event loop."""

ATTEMPTS = 5
"""Lists that a compaction may overtake before it counts as trouble."""

AGAIN = 0.5
"""Seconds after which a look without an answer is asked for again beside it. What a member is asked while the cluster
has lost its leader, or just before, may wait until the deadline; asked anew once there is one, it answers at once."""


async def look(
    link: Link, keys: KeyRange, *, newest: bool = False, revision: int = 0, timeout: float | None = None
) -> Sight:
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


async def read_all(link: Link, keys: KeyRange, *, revision: int = 0, page: int = PAGE) -> Listing:
    """Every key of the range at one revision, in pages.

    Args:
        link: Whom to ask.
        keys: The range.
        revision: At which; 0 for now, and then a compaction while paging begins a new list.
        page: Keys in one page at most; a quarter of it where an answer is too large to receive.

    Raises:
        Compacted, FutureRevision: Only for a given revision.
        Unavailable, Refused: See `errors`.
    """
    overtaken = 0
    while overtaken < ATTEMPTS:
        try:
            return await _read_pages(link, keys, revision, page)
        except TooLarge:
            if page == 1:
                raise
            page = max(1, page // 4)
        except Compacted:
            if revision:
                raise
            overtaken += 1
    raise Unavailable(f"{link.endpoint}: {keys} was compacted away under {ATTEMPTS} lists")


async def _read_pages(link: Link, keys: KeyRange, revision: int, page: int) -> Listing:
    items: list[Item] = []
    start, limit = keys.start, min(page, FIRST)
    header: Any = None
    while True:
        request = RangeRequest(key=start, range_end=keys.end, limit=limit, revision=revision)
        reply = await link.call(link.kv.Range, request)
        if header is None:
            # Later pages carry the current revision in their header, not the one that is read.
            header = reply.header
            revision = revision or header.revision
        news = [Item(kv.key, kv.value, kv.mod_revision) for kv in reply.kvs]
        items += news
        if not reply.more or not news:
            break
        start = news[-1].key + b"\0"
        size = sum(len(item.key) + len(item.value) for item in news)
        limit = max(1, min(page, 4 * len(news), PAGE_BYTES * len(news) // size))
    top = max((item.mod_revision for item in items), default=0)
    sight = _sight(header, len(items), top)
    return Listing(Sight(sight.cluster, sight.term, revision, sight.count, top), tuple(items))


def _sight(header: Any, count: int, newest: int | None) -> Sight:
    return Sight(int(header.cluster_id), int(header.raft_term), int(header.revision), count, newest)
