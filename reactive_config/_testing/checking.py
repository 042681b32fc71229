"""What the conformance suite is made of: sources run and opened so that every breach shows."""

from __future__ import annotations

import asyncio
import copy
import gc
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from typing import Any

from reactive_config._core.delta import Delta, Entry, Replace
from reactive_config._core.runtime.config import Config, open_config
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.source import Source
from reactive_config._core.status import SourceStatus
from reactive_config._testing.awaited_source import AwaitedSource
from reactive_config._testing.harness import Shop, SourceHarness
from reactive_config._testing.recording_feed import RecordingFeed
from reactive_config._testing.scripted import Scripted

BELOW = {"name": "below", "pool": {"size": 1}, "log": {"root": "below"}}
"""The layer under the source."""

LEAVING = 5.0
"""Seconds that leaving may take."""


def needs(harness: SourceHarness, *abilities: str) -> None:
    """Skip a test that asks for what the harness says it has not."""
    import pytest

    for ability in abilities:
        if not getattr(harness, ability):
            pytest.skip(f"{type(harness).__name__}.{ability} is False")


@asynccontextmanager
async def running(
    source: Source, harness: SourceHarness, feed: RecordingFeed | None = None
) -> AsyncIterator[RecordingFeed]:
    """A source alone, past its first delta; it ends within the bound and without an error."""
    feed = feed or RecordingFeed()
    task = asyncio.create_task(source.run(feed))
    task.add_done_callback(lambda _: feed.notes(feed.said))  # lets those who wait look again
    try:
        await feed.wait(lambda f: f.deltas or task.done(), harness.patience)
        yield feed
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=LEAVING)
        assert task.done(), f"{source!r} does not end"
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def opened(harness: SourceHarness) -> AsyncIterator[tuple[Config[Shop], AwaitedSource]]:
    """A configuration with a new source over the layer `BELOW`."""
    awaited = AwaitedSource(harness.source())
    below = Scripted(BELOW, name="below the tested one")
    async with open_config(Shop, below, awaited, startup_timeout=harness.patience) as config:
        yield config, awaited


async def stay(harness: SourceHarness) -> None:
    """Open a configuration and keep it until cancelled."""
    async with opened(harness):
        await asyncio.Event().wait()


async def collect(config: Config[Shop], into: list[Snapshot[Shop]]) -> None:
    """Append every generation, until the context closes."""
    async for snapshot in config.updates(100_000):
        assert isinstance(snapshot, Snapshot), "the buffer has room for all"
        into.append(snapshot)


async def wait_size(config: Config[Shop], awaited: AwaitedSource, size: int, timeout: float) -> None:
    """Return once `pool.size` is this."""
    await awaited.wait(lambda: config.current.pool.size == size, timeout)


def status(config: Config[Any]) -> SourceStatus:
    """Of the source under test."""
    return config.status().sources[-1]


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fail if the body leaves a task, a warning, or an exception that nobody took."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    lost: list[dict[str, Any]] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: lost.append(context))
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
            left = asyncio.all_tasks() - before
            gc.collect()  # what was forgotten speaks when it is collected
    finally:
        loop.set_exception_handler(handler)
    assert not left
    assert [str(warning.message) for warning in warned] == []
    assert lost == []


def rising(numbers: Sequence[int]) -> bool:
    """Whether each is higher than the one before."""
    return all(low < high for low, high in pairwise(numbers))


class CopyingFeed(RecordingFeed):
    """Remembers what each delta was when it came.

    Attributes:
        copies: As `plain` gives them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Any] = []

    def send(self, delta: Delta) -> None:
        self.copies.append(plain(delta))
        super().send(delta)

    async def wait_deltas(self, count: int, timeout: float) -> None:
        """Return once so many came."""
        await self.wait(lambda feed: len(feed.deltas) >= count, timeout)


def plain(delta: Delta) -> tuple[Any, ...]:
    """A deep copy of what a delta says."""
    entries = delta.entries if isinstance(delta, Replace) else delta.set
    gone = {} if isinstance(delta, Replace) else dict(delta.deleted)
    return type(delta), {i: _plain(entry) for i, entry in entries.items()}, gone, delta.revision


def _plain(entry: Entry) -> tuple[Any, ...]:
    return entry.path, copy.deepcopy(entry.value), entry.unit, entry.revision, entry.layer, entry.place
