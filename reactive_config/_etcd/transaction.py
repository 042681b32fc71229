"""Writing: one transaction, with conditions where needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from reactive_config._etcd.errors import EtcdError
from reactive_config._etcd.link import Link
from reactive_config._etcd.rpc import (
    CompactionRequest,
    Compare,
    DeleteRangeRequest,
    PutRequest,
    RequestOp,
    TxnRequest,
)

Key = str | bytes


class Outcome(msgspec.Struct, frozen=True):
    """How a transaction went; `revision` is its own when it succeeded, the store's otherwise."""

    succeeded: bool
    revision: int


class ConditionFailed(EtcdError):
    """A key was not at the revision that the writer had seen; nothing was written."""


def _bytes(text: Key) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _unchanged(key: Key, revision: int) -> Any:
    return Compare(key=_bytes(key), target=Compare.MOD, result=Compare.EQUAL, mod_revision=revision)


async def transact(
    link: Link,
    puts: Mapping[Key, Key] | Mapping[str, str],
    deletes: Iterable[Key] = (),
    *,
    when: Mapping[Key, int] | None = None,
) -> Outcome:
    """Put and delete keys in one transaction, if every key in `when` is at the given mod_revision.

    Args:
        link: The connection.
        puts: Key to value.
        deletes: Keys; one that is not there is no error.
        when: Key to mod_revision; 0 says that the key must not exist.

    Raises:
        Unavailable: Whether it was written is unknown: the answer may have been lost.
        Refused: No permission.
    """
    operations = [RequestOp(request_put=PutRequest(key=_bytes(k), value=_bytes(v))) for k, v in puts.items()]
    operations += [RequestOp(request_delete_range=DeleteRangeRequest(key=_bytes(key))) for key in deletes]
    compare = [_unchanged(key, revision) for key, revision in (when or {}).items()]
    reply = await link.call(link.kv.Txn, TxnRequest(compare=compare, success=operations))
    return Outcome(bool(reply.succeeded), int(reply.header.revision))


async def write(
    link: Link,
    puts: Mapping[Key, Key] | Mapping[str, str],
    deletes: Iterable[Key] = (),
    *,
    when: Mapping[Key, int] | None = None,
) -> int:
    """`transact`, returning the revision.

    Raises:
        ConditionFailed: A key of `when` was at another revision.
    """
    outcome = await transact(link, puts, deletes, when=when)
    if not outcome.succeeded:
        raise ConditionFailed(f"{link.endpoint}: a key has changed meanwhile (store at revision {outcome.revision})")
    return outcome.revision


async def compact(link: Link, revision: int) -> None:
    """Forget the history before `revision`.

    Raises:
        Compacted: That has happened already.
        FutureRevision: There is no such revision yet.
    """
    await link.call(link.kv.Compact, CompactionRequest(revision=revision, physical=True))
