"""What a timer asks of its schedule, whichever kind that is."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from reactive_config.bindings.clocks import Clock

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


class Manner(msgspec.Struct, frozen=True):
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
