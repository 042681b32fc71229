"""A source that a test writes step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from reactive_config._core.delta import Delta, Entry, Malformed, Patch, Replace
from reactive_config._core.input_trees import entries_of, owned
from reactive_config._core.paths import format_path, parse_path
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState
from reactive_config.errors import Rejected, SourceError


def overwritten(old: Mapping[str, Entry], come: Iterable[Entry]) -> list[str]:
    """The ids of entries that make no sense beside new ones: a scalar above, or whatever stood below a new scalar."""
    above = {entry.path[:depth] for entry in come for depth in range(len(entry.path))}
    ends = {entry.path for entry in come if not _is_table(entry)}
    return [
        entry_id
        for entry_id, entry in old.items()
        if (entry.path in above and not _is_table(entry)) or any(entry.path[:n] in ends for n in range(len(entry.path)))
    ]


def _is_table(entry: Entry) -> bool:
    # Content that cannot be read is no table: what is set below it takes its place.
    return type(entry.value) is dict


class Scripted(Source):
    """A source that says what a test tells it to, when it is told to.

        source = Scripted({"log": {"root": "INFO"}})
        async with open_config(App, source) as config:
            await source.set({"log": {"root": "DEBUG"}})
            await source.malformed("log.root")              # held: DEBUG stays
            source.state(State.STALE, "the network is gone")
            await source.fail("wrong password")

    Every call that changes content is one unit with a revision of its own, counted from 1. It returns once
    the runtime has taken it, so that the next line of the test may look at the outcome. Unlike `Memory` it
    sends what changes nothing too, as a store does where somebody writes the same value again. What is said
    before the source runs comes in its first `Replace`.

    Args:
        tree: What it says first, nested mappings with str keys. None: nothing yet, so that `open_config`
            waits until something is said.
        name: In the status.
        optional: See `core.source.Source`.
        last_good: A tree that was accepted once, to start from where the first one does not fit.

    Attributes:
        revision: Of the last step.
    """

    def __init__(
        self,
        tree: Mapping[str, Any] | None = None,
        *,
        name: str = "scripted",
        optional: bool = True,
        last_good: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.layers: tuple[str, ...] = (name,)
        self.optional = optional
        self.revision: int = 0
        self._entries: dict[str, Entry] | None = None
        self._last_good = None if last_good is None else Replace(entries_of(owned(last_good), 0))
        self._state: tuple[SourceState, str, datetime | None] | None = None
        self._feed: Feed | None = None
        self._ending = False
        self._outcome: Exception | None = None
        if tree is not None:
            self.revision = 1
            self._entries = entries_of(owned(tree), 1)

    # -- content -------------------------------------------------------------------------------

    async def set(self, tree: Mapping[str, Any]) -> None:
        """Merge a tree into what the source says, table by table, as one unit.

        Raises:
            Rejected: It is held. It stays pending until it fits or is overwritten.
        """
        unit = self.revision + 1
        come = entries_of(owned(tree), unit)
        gone = overwritten(self._entries or {}, come.values())
        await self.send(Patch(come, dict.fromkeys(gone, unit), unit))

    async def delete(self, *paths: str) -> None:
        """Delete what the source says at dotted paths and below them, as one unit.

        Raises:
            LookupError: It says nothing at one of them.
            Rejected: It is held.
        """
        unit = self.revision + 1
        gone: dict[str, int] = {}
        for path in map(parse_path, paths):
            found = [i for i, entry in (self._entries or {}).items() if entry.path[: len(path)] == path]
            if not found:
                raise LookupError(f"{self.name}: expected something at {format_path(path)}, got nothing there")
            gone |= dict.fromkeys(found, unit)
        await self.send(Patch({}, gone, unit))

    async def replace(self, tree: Mapping[str, Any]) -> None:
        """Make a tree all that the source says; sent as a `Replace`, as after a reconnect.

        Raises:
            Rejected: It is held.
        """
        unit = self.revision + 1
        await self.send(Replace(entries_of(owned(tree), unit), unit))

    async def malformed(
        self, path: str, *, expected: str = "readable content", got: str = "something else", line: int = 0
    ) -> None:
        """Let the document at a dotted path (the empty text: the root) be one that cannot be read.

        It is held, of course, so this does not raise `Rejected`. The next `set` or `delete` there mends it.
        """
        at, unit = parse_path(path), self.revision + 1
        entry = Entry(at, Malformed(expected, got, line), unit, unit, place=format_path(at))
        try:
            await self.send(Patch({format_path(at): entry}, {}, unit))
        except Rejected:
            pass  # what the caller wanted to see

    async def send(self, delta: Delta) -> None:
        """Say a delta as it is: for entries, units and revisions that the other methods do not make.

        Raises:
            Rejected: What has the delta's revision, or names it as its unit, is held.
            RuntimeError: The source was told to end.
        """
        if self._ending:
            raise RuntimeError(f"{self.name}: expected a source that goes on, got one that was told to end")
        first = self._entries is None
        if isinstance(delta, Replace):
            self._entries = dict(delta.entries)
        else:
            kept = {i: e for i, e in (self._entries or {}).items() if i not in delta.deleted}
            self._entries = {**kept, **delta.set}
        self.revision = delta.revision
        if self._feed is not None:
            self._feed.send(Replace(self._entries, delta.revision) if first else delta)
            self._tell(self._feed)
            await self._feed.wait_revision(delta.revision)

    # -- everything else -----------------------------------------------------------------------

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        """Say where the source stands. Unless told, it is SYNCED as soon as it has said something."""
        self._state = (state, reason, next_try)
        if self._feed is not None:
            self._tell(self._feed)

    async def fail(self, error: SourceError | str) -> None:
        """End as a source does that needs a person; returns once it has."""
        await self._end(SourceError(error) if isinstance(error, str) else error)

    async def crash(self, error: Exception) -> None:
        """End as a source does that has a bug: the configuration ends with it."""
        await self._end(error)

    async def end(self) -> None:
        """End as a source does that has nothing more to say; returns once it has."""
        await self._end(None)

    async def _end(self, outcome: Exception | None) -> None:
        self._ending, self._outcome = True, outcome
        if self._feed is not None:
            self._wake.set()
            await self._left.wait()

    def _tell(self, feed: Feed) -> None:
        state, reason, next_try = self._state or (SourceState.SYNCED, "", None)
        if self._state is not None or self._entries is not None:
            feed.state(state, reason, next_try=next_try)

    # -- for the runtime -----------------------------------------------------------------------

    async def run(self, feed: Feed) -> None:
        if self._feed is not None:
            raise RuntimeError(f"{self.name}: expected one configuration to use this source, got two")
        self._feed = feed
        self._wake, self._left = asyncio.Event(), asyncio.Event()  # of this run's loop
        try:
            if self._entries is not None:
                feed.send(Replace(self._entries, self.revision))
            self._tell(feed)
            if not self._ending:
                await self._wake.wait()
            if self._outcome is not None:
                raise self._outcome
        finally:
            self._feed = None
            self._left.set()

    async def last_good(self) -> Replace | None:
        return self._last_good
