"""One attempt at one file: read it when it is due, and keep the bytes only if nobody wrote meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import anyio
import anyio.to_thread

from reactive_config.core.delta import Malformed
from reactive_config.sources.files.notifier import Notifier, Write
from reactive_config.sources.files.patience import Known, Limits, due
from reactive_config.sources.files.reading import Changed, Content, Signature, read_whole
from reactive_config.sources.files.scanning import Found

_ON_LOOP = 64 << 10
_FRESH_ON_LOOP = 256 << 10  # bytes that the page cache gives in some 60 us
_FRESH = 5.0  # seconds
_RETRY = 0.005


class Change(NamedTuple):
    """A reading that can be trusted.

    Attributes:
        found: The file.
        content: What it held.
        now: When it was read, by the source's clock.
        wall_ns: And by the system's.
        swapped: Whether a new `..data` link led to it.
        heard: Whether the notifier told how its write ended, and so will tell of the next one.
    """

    found: Found
    content: Content
    now: float
    wall_ns: int
    swapped: bool
    heard: bool


class Later(NamedTuple):
    """Not now: look again at this time."""

    at: float


class Attempts:
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
        limits: Limits,
        max_bytes: int,
        clock: Callable[[], float],
        limiter: anyio.CapacityLimiter,
        count: Callable[[str], None],
    ) -> None:
        self._notifier, self._limits, self._max_bytes = notifier, limits, max_bytes
        self._clock, self._limiter, self._count = clock, limiter, count

    async def read(self, known: Known, found: Found, write: Write | None, *, unfinished: bool) -> Change | Later | None:
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
            return None if when is None else Later(when)
        final = (write is not None and write.open) or known.overdue(now, self._limits.hold)
        content = await self._content(found, write, wall_ns, final=final)
        if content is None:
            self._count("retries")
            return Later(self._clock() + _RETRY)
        # What a swap brings is meant so: nothing passes through a moment of being empty there.
        if isinstance(content.data, Malformed) and not known.lasts(content.data, now, settle) and not swapped:
            return Later(known.trouble_at + settle)
        return Change(found, content, now, wall_ns, swapped, write is not None and not final)

    async def _content(self, found: Found, write: Write | None, wall_ns: int, *, final: bool) -> Content | None:
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
            return Content(found.trouble, found.signature)
        if not self._notifier.begin_read(found.real, write) and not final:
            return None
        self._count("reads")
        try:
            if found.signature is None or found.signature.size <= _most_on_loop(found.signature, write, wall_ns):
                content = read_whole(found.real, self._max_bytes)
            else:
                content = await anyio.to_thread.run_sync(read_whole, found.real, self._max_bytes, limiter=self._limiter)
        except Changed:
            content = None
        after = self._notifier.end_read(found.real)
        if final:
            if content is not None and write is not None and write.open:
                self._notifier.give_up(found.real)
            return content
        if content is None or content.signature not in (None, found.signature):  # None: it cannot be opened
            return None
        return content if (after and after.serial) == (write and write.serial) else None


def _most_on_loop(signature: Signature, write: Write | None, wall_ns: int) -> int:
    """Bytes that may be read on the loop.

    A thread costs more than reading does, but for a disk that is slow. What the notifier told of was written on this
    machine, and if that was a moment ago the system still has it in memory; an old file that was moved may not be.
    """
    fresh = write is not None and abs(wall_ns - signature.mtime_ns) < _FRESH * 1e9
    return _FRESH_ON_LOOP if fresh else _ON_LOOP
