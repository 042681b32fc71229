"""A running source and its feed, for each notifier."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from reactive_config._sources.files import Files
from reactive_config._testing.recording_feed import RecordingFeed

NOTIFIERS = ["inotify", "watchfiles", "polling"]
SETTLE = 0.05
"""Shorter than the default, so that the suites are quick."""

Follow = Callable[..., AbstractAsyncContextManager[RecordingFeed]]


@contextlib.asynccontextmanager
async def running(*paths: str | os.PathLike[str], **options: Any) -> AsyncIterator[RecordingFeed]:
    """A feed that a source fills, past its first delta; the source ends within 5 s and without an error."""
    feed = RecordingFeed()
    source = Files(*paths, **options)
    task = asyncio.create_task(source.run(feed))
    try:
        task.add_done_callback(lambda _: feed._wake())
        await feed.wait(lambda f: f.deltas or task.done())
        yield feed
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, "the source does not end"
        with contextlib.suppress(asyncio.CancelledError):
            task.result()


@pytest.fixture(params=NOTIFIERS)
def notifier(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def follow(notifier: str) -> Follow:
    """`running` with this notifier; where it is not alone, the reconciler is too slow to do its work."""
    pace = 0.02 if notifier == "polling" else 0.5

    def start(*paths: str | os.PathLike[str], **options: Any) -> AbstractAsyncContextManager[RecordingFeed]:
        return running(*paths, **{"notifier": notifier, "settle": SETTLE, "poll_interval": pace, **options})

    return start


@pytest.fixture
def following() -> Follow:
    """Runs a source of any options."""
    return running
