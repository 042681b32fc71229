"""What a timer asks of its schedule, and ticks at an interval.

They are places on a grid, in whole nanoseconds, and nothing is ever rounded.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from reactive_config._bindings.clocks import Clock

Missed = Literal["skip", "burst", "delay"]


class Tick(msgspec.Struct, frozen=True):
    """One tick.

    Attributes:
        count: 1 for the first.
        scheduled: Its place, in nanoseconds: at an interval on the timer's clock, as `time.monotonic_ns()`; for a
            cron expression since the epoch, as `time.time_ns()`.
        missed: How many ticks were left out right before this one, because the loop was not back in time.
        at: The time that a cron expression names, in its time zone; None at an interval.
    """

    count: int
    scheduled: int
    missed: int
    at: datetime | None = None


class TickManner(msgspec.Struct, frozen=True):
    """How ticks come, whatever they are due by.

    Attributes:
        missed: What to do with ticks for which nobody was back in time.
        jitter: Nanoseconds; the most by which a tick comes after its place, cut to the distance to the next one.
        draw: Gives a number from 0 up to, not including, 1 for every tick.
    """

    missed: Missed = "skip"
    jitter: int = 0
    draw: Callable[[], float] = random.random


class Schedule(Protocol):
    """When ticks are due. Pure: it is told the time, by the clock that it goes by.

    Attributes:
        count: How many ticks were taken.
        fires: When the next tick comes; None where none does.
    """

    count: int
    fires: int | None

    def now(self, clock: Clock) -> int:
        """The time by which it goes; nanoseconds."""

    def left(self, now: int) -> int | None:
        """How long to wait before asking again, in nanoseconds; None for as long as nothing changes."""

    def take(self, now: int) -> Tick | None:
        """The tick that is due, and plan the next one; None where none is due."""


SLACK = 5_000_000
"""Nanoseconds that a tick may be late before `delay` counts from it: timers are that coarse (tokio's figure)."""


class Grid:
    """The rule of an interval: the next tick is due at the last one's place on the grid plus the interval.

    Whatever happens comes down to where the last tick is said to have been. `burst` leaves it where it was due;
    `skip` moves it to the newest place that has passed; `delay`, when late, moves it to now. A new interval
    counts from the last tick too; where that is past, a tick is due now, and the grid begins there.

    Jitter moves only the moment at which a tick comes, never the grid.

    Args:
        start: Nanoseconds; stands for the last tick before the first.
        interval: Nanoseconds; 0 is a pause.
        manner: What becomes of missed ticks, and the jitter.
        count: How many ticks there were before.

    Attributes:
        count: How many ticks were taken.
        interval: In force; nanoseconds, 0 is a pause.
        fires: When the next tick comes; None in a pause.
    """

    def __init__(self, start: int, interval: int, manner: TickManner, count: int = 0) -> None:
        self.count = count
        self.interval = interval
        self.fires: int | None = None
        self._manner = manner
        self._last = self._due = start
        # Drawn once for each tick: a storm of changes must not draw until a late one comes out.
        self._share = manner.draw()
        self._plan()

    def now(self, clock: Clock) -> int:
        """The monotonic clock's: it stands still while the machine sleeps, and nobody can set it."""
        return clock.now()

    def left(self, now: int) -> int | None:
        """How long until the next tick; 0 or less where one is due, None in a pause."""
        return None if self.fires is None else self.fires - now

    def change(self, interval: int, now: int) -> None:
        """Put another interval in force. Ticks that the one before still owed are dropped with it."""
        if interval == self.interval:
            return
        self.interval = interval
        self._plan()
        if self.fires is not None and self.fires <= now:
            self._due = self.fires = now

    def take(self, now: int) -> Tick | None:
        """The tick that is due, and plan the next one; None where none is due."""
        if self.fires is None or now < self.fires:
            return None
        late = now - self.fires
        passed = late // self.interval
        tick = Tick(self.count + 1, *self._placed(now, late, passed))
        self.count, self._last = tick.count, tick.scheduled
        self._share = self._manner.draw()
        self._plan()
        return tick

    def _placed(self, now: int, late: int, passed: int) -> tuple[int, int]:
        """Where on the grid the tick is said to be, and how many were left out."""
        if self._manner.missed == "burst":
            return self._due, 0
        if self._manner.missed == "skip":
            return self._due + passed * self.interval, passed
        return (now if late > SLACK else self._due), passed

    def _plan(self) -> None:
        self._due = self._last + self.interval
        self.fires = self._due + int(self._share * min(self._manner.jitter, self.interval)) if self.interval else None
