"""Time as something that is passed in: the loop's, or one that a test moves by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)


class Wakeup(Protocol):
    """A call that is still to come."""

    def cancel(self) -> object:
        """Take it back; harmless when it has happened."""


class Clock(Protocol):
    """A clock and its alarm.

    Whole nanoseconds: sums and differences of them are exact, those of floats are not. An alarm rather than a
    coroutine that sleeps: whoever waits for a time or for something else needs no second task for it.
    """

    def now(self) -> int:
        """Nanoseconds since some start; never goes back."""

    def wall(self) -> int:
        """Nanoseconds since the epoch; goes back and forth when the clock is set."""

    def call_at(self, when: int, callback: Callable[[], object]) -> Wakeup:
        """Call once at `when`; a little earlier or later where timers are coarse, but never before this returns."""


class LoopClock:
    """`time.monotonic_ns`, `time.time_ns`, and the alarm of the running loop."""

    def now(self) -> int:
        return time.monotonic_ns()

    def wall(self) -> int:
        return time.time_ns()

    def call_at(self, when: int, callback: Callable[[], object]) -> Wakeup:
        return asyncio.get_running_loop().call_later(max(0, when - self.now()) / 1e9, callback)


class ManualClock:
    """Stands still until it is moved; for tests.

    Args:
        start: Nanoseconds.
        wall: The time of day at the start, with a time zone; the epoch unless given.
    """

    def __init__(self, start: int = 0, wall: datetime | None = None) -> None:
        self._now = start
        self._ahead = _since_epoch(wall) - start if wall is not None else 0
        self._order = itertools.count()
        self._calls: list[tuple[int, int, _ManualWakeup]] = []

    def now(self) -> int:
        return self._now

    def wall(self) -> int:
        return self._now + self._ahead

    @property
    def pending(self) -> list[int]:
        """The times that somebody waits for, earliest first."""
        return sorted(when for when, _, call in self._calls if not call.cancelled)

    def call_at(self, when: int, callback: Callable[[], object]) -> Wakeup:
        call = _ManualWakeup(callback)
        heapq.heappush(self._calls, (when, next(self._order), call))
        return call

    def advance(self, by: timedelta | int) -> None:
        """Move on, and call what is due then, in order. Tasks that are woken so run in later turns of the loop.

        Args:
            by: A duration, or nanoseconds; 0 or more.
        """
        step = by if isinstance(by, int) else by // _MICROSECOND * 1000
        if step < 0:
            raise ValueError(f"by: expected 0 or more, got {by}")
        self._now += step
        while self._calls and (self._calls[0][0] <= self._now or self._calls[0][2].cancelled):
            _, _, call = heapq.heappop(self._calls)
            if not call.cancelled:
                call.callback()

    def set_wall(self, to: datetime) -> None:
        """Set the time of day, as a person or NTP does; no time passes and nobody is called.

        Args:
            to: With a time zone.
        """
        self._ahead = _since_epoch(to) - self._now


def _since_epoch(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("wall: expected a time with a time zone, got one without")
    return (moment - _EPOCH) // _MICROSECOND * 1000


class _ManualWakeup:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
