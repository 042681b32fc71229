"""Reading single keys of a range, all at one revision and in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from reactive_config.etcd.errors import Late, TooLarge
from reactive_config.etcd.link import Link
from reactive_config.etcd.messages import Item
from reactive_config.etcd.pace import Pace
from reactive_config.etcd.ranges import KeyRange
from reactive_config.etcd.rpc import RangeRequest, RequestOp, TxnRequest

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
        except Late:
            pace.late()
            raise
        ranges = [response.response_range for response in reply.responses]
        count = int(ranges[0].count)
        found = [Item(kv.key, kv.value, kv.mod_revision) for one in ranges[1:] for kv in one.kvs]
        pace.took(sum(len(item.value) for item in found), time.monotonic() - begin)
        items += found
        start += most
    return Picked(count, tuple(items))
