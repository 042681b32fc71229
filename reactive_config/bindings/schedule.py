"""When ticks are due. Pure and in whole nanoseconds: no waiting here, and nothing is ever rounded."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

import msgspec

Missed = Literal["skip", "burst", "delay"]

SLACK = 5_000_000
"""Nanoseconds that a tick may be late before `delay` counts from it: timers are that coarse (tokio's figure)."""


class Tick(msgspec.Struct, frozen=True):
    """One tick.

    Attributes:
        count: 1 for the first.
        scheduled: Its place on the grid, on the timer's clock: nanoseconds, as `time.monotonic_ns()`.
        missed: How many ticks were left out right before this one, because the loop was not back in time.
    """

    count: int
    scheduled: int
    missed: int


class Schedule:
    """The rule of the timer: the next tick is due at the last one's place on the grid plus the interval.

    Whatever happens comes down to where the last tick is said to have been. `burst` leaves it where it was due;
    `skip` moves it to the newest place that has passed; `delay`, when late, moves it to now. A new interval
    counts from the last tick too; where that is past, a tick is due now, and the grid begins there.

    Jitter moves only the moment at which a tick comes, never the grid.

    Args:
        start: Nanoseconds; stands for the last tick before the first.
        interval: Nanoseconds; 0 is a pause.
        missed: What to do with ticks for which nobody was back in time.
        jitter: Nanoseconds; the most by which a tick comes after its place, cut to the interval.
        draw: Gives a number from 0 up to, not including, 1 for every tick.

    Attributes:
        count: How many ticks were taken.
        interval: In force; nanoseconds, 0 is a pause.
        fires: When the next tick comes; None in a pause.
    """

    def __init__(
        self,
        start: int,
        interval: int,
        missed: Missed = "skip",
        jitter: int = 0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.count = 0
        self.interval = interval
        self.fires: int | None = None
        self._missed = missed
        self._jitter = jitter
        self._draw = draw
        self._last = self._due = start
        # Drawn once for each tick: a storm of changes must not draw until a late one comes out.
        self._share = draw()
        self._plan()

    def change(self, interval: int, now: int) -> None:
        """Put another interval in force. Ticks that the one before still owed are dropped with it."""
        if interval == self.interval:
            return
        self.interval = interval
        self._plan()
        if self.fires is not None and self.fires <= now:
            self._due = self.fires = now

    def take(self, now: int) -> Tick:
        """The tick that is due, and plan the next one.

        Args:
            now: At or after `fires`, which is not None.
        """
        assert self.fires is not None
        late = now - self.fires
        passed = late // self.interval
        tick = Tick(self.count + 1, *self._placed(now, late, passed))
        self.count, self._last = tick.count, tick.scheduled
        self._share = self._draw()
        self._plan()
        return tick

    def _placed(self, now: int, late: int, passed: int) -> tuple[int, int]:
        """Where on the grid the tick is said to be, and how many were left out."""
        if self._missed == "burst":
            return self._due, 0
        if self._missed == "skip":
            return self._due + passed * self.interval, passed
        return (now if late > SLACK else self._due), passed

    def _plan(self) -> None:
        self._due = self._last + self.interval
        self.fires = self._due + int(self._share * min(self._jitter, self.interval)) if self.interval else None
