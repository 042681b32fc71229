"""Reads one file when it is due, and keeps the bytes only if nobody wrote meanwhile.

When to read is decided in one place, which weighs being early against reading half a save.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import anyio
import anyio.to_thread

from reactive_config._core.delta import Malformed
from reactive_config._sources.files.notifiers.base import Notifier, WriteEvent
from reactive_config._sources.files.read_whole import ChangedWhileRead, FileContent, FileSignature, read_whole
from reactive_config._sources.files.scan import FoundFile

YOUNG = 0.03
"""Seconds in which a second write may leave no trace in the stat: clocks of file systems tick."""

Mark = tuple[FileSignature | None, Malformed | None]


@dataclass(frozen=True)
class WaitLimits:
    """See `Files`."""

    settle: float
    max_wait: float


@dataclass
class KnownFile:
    """What is known about one file.

    Attributes:
        mark: Of the state that `outcome` came from.
        outcome: The bytes that were sent last, or why there were none; None before the first time.
        found: What was found then.
        seen: The mark that was seen last.
        seen_at: Since when, in seconds of the source's clock, as all times here.
        changed_at: Since when it differs from what was sent.
        recheck_at: When to read it again although its stat stays: it was young.
        trouble: What kept it from being read the last time, not yet said.
        trouble_at: Since when.
        gone_at: Since when it is not there.
        missed_at: The same, but its directory stayed as it is from then on: it was not there in between either.
        home: That state of the directory.
    """

    mark: Mark = (None, None)
    outcome: bytes | Malformed | None = None
    found: FoundFile | None = None
    seen: Mark = (None, None)
    seen_at: float = 0.0
    changed_at: float | None = None
    recheck_at: float | None = None
    trouble: Malformed | None = None
    trouble_at: float = 0.0
    gone_at: float | None = None
    missed_at: float = 0.0
    home: FileSignature | None = None

    def at_rest(self, found: FoundFile) -> bool:
        """Whether it was read as it stands, and nothing is left to be done unless somebody writes."""
        waits = (self.changed_at, self.recheck_at, self.trouble, self.gone_at) != (None, None, None, None)
        return found == self.found and not waits and not isinstance(self.outcome, Malformed)

    def observe(self, found: FoundFile, now: float) -> None:
        """Note when a change came up first, and when the last one did."""
        self.gone_at = None
        mark = (found.signature, found.trouble)
        if mark != self.seen:
            self.seen, self.seen_at, self.trouble = mark, now, None
        if mark != self.mark or self.outcome is None:
            self.changed_at = now if self.changed_at is None else self.changed_at
        else:
            self.changed_at = None

    def overdue(self, now: float, max_wait: float) -> bool:
        """Whether a change waited for `max_wait`: then it is taken as it is."""
        return self.changed_at is not None and now >= self.changed_at + max_wait

    def swapped(self, found: FoundFile) -> bool:
        """Whether a `..data` link leads to it that did not before."""
        return found.swap is not None and (self.found is None or found.swap != self.found.swap)

    def lasts(self, trouble: Malformed, now: float, settle: float) -> bool:
        """Whether a trouble was there `settle` ago, or said already. Saves pass through many for a moment."""
        if trouble == self.outcome:
            return True
        if trouble != self.trouble:
            self.trouble, self.trouble_at = trouble, now
        return now >= self.trouble_at + settle

    def gone(self, home: FileSignature | None, now: float, limits: WaitLimits) -> float:
        """When its absence counts, seen with its directory in this state.

        A file that is made anew all the time may be away at every look; its directory tells.
        """
        if self.gone_at is None:
            self.gone_at = now
        if self.gone_at == now or home != self.home:
            self.home, self.missed_at = home, now
        return min(self.missed_at + limits.settle, self.gone_at + limits.max_wait)

    def sent(self, found: FoundFile, content: FileContent, now: float, wall_ns: int) -> None:
        """This content, read at that time, is what the feed has."""
        signature = content.signature or found.signature
        self.mark, self.outcome, self.found = (
            (signature, found.trouble),
            content.data,
            found._replace(signature=signature),
        )
        self.changed_at = self.trouble = self.recheck_at = None
        if signature is not None and abs(wall_ns - signature.ctime_ns) < YOUNG * 1e9:
            self.recheck_at = now + YOUNG


def due(
    known: KnownFile, found: FoundFile, write: WriteEvent | None, now: float, wall_ns: int, limits: WaitLimits
) -> float | None:
    """When the file is to be read, in seconds of the source's clock; None if there is no need.

    Args:
        known: After `observe`.
        found: The stat.
        write: What inotify knows about its writer.
        now: The source's clock.
        wall_ns: The system's clock, which stats carry.
        limits: See `Files`.
    """
    if write is not None and write.open:
        since = write.since if known.changed_at is None else min(write.since, known.changed_at)
        return since + limits.max_wait
    if known.trouble is not None:
        return known.trouble_at + limits.settle
    finished = write is not None and write.finished
    if known.changed_at is None:
        # What could not be used is tried again at every look: not every cause shows in a stat.
        again = isinstance(known.outcome, Malformed) or (finished and known.recheck_at is not None)
        return now if again else known.recheck_at
    if finished or found.trouble is not None or found.signature is None or known.swapped(found):
        return now
    return min(_quiet_at(known, found.signature, now, wall_ns, limits.settle), known.changed_at + limits.max_wait)


def _quiet_at(known: KnownFile, signature: FileSignature, now: float, wall_ns: int, settle: float) -> float:
    """When it will have been quiet for `settle` seconds.

    ctime and not mtime, which writers may set; and not in the future, as another machine's clock may be.
    """
    age = (wall_ns - signature.ctime_ns) / 1e9
    seen = known.seen_at + settle
    return min(seen, now + settle - age) if age >= 0 else seen


_ON_LOOP = 64 << 10
_FRESH_ON_LOOP = 256 << 10  # bytes that the page cache gives in some 60 us
_FRESH = 5.0  # seconds
_RETRY = 0.005


class FileChange(NamedTuple):
    """A reading that can be trusted.

    Attributes:
        found: The file.
        content: What it held.
        now: When it was read, by the source's clock.
        wall_ns: And by the system's.
        swapped: Whether a new `..data` link led to it.
        told_by_notifier: Whether the notifier told how its write ended, and so will tell of the next one.
    """

    found: FoundFile
    content: FileContent
    now: float
    wall_ns: int
    swapped: bool
    told_by_notifier: bool


class ReadLater(NamedTuple):
    """Not now: look again at this time."""

    at: float


class FileReader:
    """Reads files.

    Args:
        notifier: Asked whether somebody wrote.
        limits: See `Files`.
        max_bytes: Of one file.
        clock: Seconds, monotonic.
        limiter: For the thread that reads long files.
        count: As `Feed.count`.
    """

    def __init__(
        self,
        notifier: Notifier,
        limits: WaitLimits,
        max_bytes: int,
        clock: Callable[[], float],
        limiter: anyio.CapacityLimiter,
        count: Callable[[str], None],
    ) -> None:
        self._notifier, self._limits, self._max_bytes = notifier, limits, max_bytes
        self._clock, self._limiter, self._count = clock, limiter, count

    async def read(
        self, known: KnownFile, found: FoundFile, write: WriteEvent | None, *, unfinished: bool
    ) -> FileChange | ReadLater | None:
        """Read a file if it is due.

        Args:
            known: Of this file; it takes note of what was seen.
            found: The file.
            write: What was known of its writer before it was found.
            unfinished: Whether the `..data` swap that leads to it still misses links.

        Returns:
            The reading, when to come back, or None if there is nothing to do.
        """
        now, wall_ns = self._clock(), time.time_ns()
        known.observe(found, now)
        swapped = known.swapped(found)
        when = due(known, found, write, now, wall_ns, self._limits)
        settle = self._limits.settle
        if swapped and unfinished and known.changed_at is not None and now < known.changed_at + settle:
            when = known.changed_at + settle
        if when is None or when > now:
            return None if when is None else ReadLater(when)
        final = (write is not None and write.open) or known.overdue(now, self._limits.max_wait)
        content = await self._content(found, write, wall_ns, final=final)
        if content is None:
            self._count("retries")
            return ReadLater(self._clock() + _RETRY)
        # What a swap brings is meant so: nothing passes through a moment of being empty there.
        if isinstance(content.data, Malformed) and not known.lasts(content.data, now, settle) and not swapped:
            return ReadLater(known.trouble_at + settle)
        return FileChange(found, content, now, wall_ns, swapped, write is not None and not final)

    async def _content(
        self, found: FoundFile, write: WriteEvent | None, wall_ns: int, *, final: bool
    ) -> FileContent | None:
        """The content, or None when it may be half a save.

        The stat of `found` was made after `write` was asked for. If nothing came since, it is the stat of a file that
        nobody was writing, and content with that stat is whole, whatever begins while it is read. Only asking after the
        read is not enough: the first write of a save is in the file before it is told, and its open may be told as one
        with ours.

        Args:
            found: The file.
            write: What was known of its writer before it was found.
            wall_ns: The system's clock.
            final: Whether it was waited for long enough: only the two equal stats of the read speak for it then.
        """
        if found.trouble is not None:
            return FileContent(found.trouble, found.signature)
        if not self._notifier.begin_read(found.real, write) and not final:
            return None
        self._count("reads")
        try:
            if found.signature is None or found.signature.size <= _most_on_loop(found.signature, write, wall_ns):
                content = read_whole(found.real, self._max_bytes)
            else:
                content = await anyio.to_thread.run_sync(read_whole, found.real, self._max_bytes, limiter=self._limiter)
        except ChangedWhileRead:
            content = None
        after = self._notifier.end_read(found.real)
        if final:
            if content is not None and write is not None and write.open:
                self._notifier.give_up(found.real)
            return content
        if content is None or content.signature not in (None, found.signature):  # None: it cannot be opened
            return None
        return content if (after and after.serial) == (write and write.serial) else None


def _most_on_loop(signature: FileSignature, write: WriteEvent | None, wall_ns: int) -> int:
    """Bytes that may be read on the loop.

    A thread costs more than reading does, but for a disk that is slow. What the notifier told of was written on this
    machine, and if that was a moment ago the system still has it in memory; an old file that was moved may not be.
    """
    fresh = write is not None and abs(wall_ns - signature.mtime_ns) < _FRESH * 1e9
    return _FRESH_ON_LOOP if fresh else _ON_LOOP
