"""A replica goes on, whatever its store raises."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import anyio
import pytest

from reactive_config._releases.key_store import Stored, StoreListing
from reactive_config._releases.replica import Replica

pytestmark = pytest.mark.anyio


class _Broken:
    """A store whose driver raises what nobody expects, and then answers."""

    name = "broken"

    def __init__(self, failures):
        self.failures = failures
        self.away = []
        self.replica = None

    async def follow(self, take):
        self.away.append(self.replica.away)
        if self.failures:
            raise self.failures.pop(0)
        take(StoreListing({"shop/production/a": Stored(b"1", 7)}, 7))
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def running(store):
    replica = store.replica = Replica(store, again=0)
    task = asyncio.create_task(replica.run())
    try:
        yield replica
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_an_unexpected_error_of_a_store_is_told_and_followed_again(caplog):
    store = _Broken([RuntimeError("boom"), ExceptionGroup("both", [ValueError("a"), KeyError("b")])])
    async with running(store) as replica:
        with anyio.fail_after(10):
            await replica.listed.wait()
        assert (replica.revision, replica.away) == (7, "")
    assert store.away == ["", "broken: an unexpected RuntimeError", "broken: an unexpected ExceptionGroup"]
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in told] == [
        "broken: an unexpected RuntimeError; it is read again in 0 s",
        "broken: an unexpected ExceptionGroup; it is read again in 0 s",
    ]
    assert "boom" in str(told[0].exc_info[1])
