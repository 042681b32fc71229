"""Ticks at an interval that follows a live value.

This does not stand on `Binding`: there is no thing to make before another one breaks, nothing that can fail
between preparing and committing, and no task. A timer is an iterator; it waits inside the loop that uses it, so
cancelling that loop leaves nothing behind.
"""

from __future__ import annotations

import math
import random
import weakref
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args

import anyio

from reactive_config.bindings.clocks import Clock, LoopClock
from reactive_config.bindings.schedule import Missed, Schedule, Tick
from reactive_config.core.live import Live
from reactive_config.core.status import BindingState, BindingStatus

I = TypeVar("I", bound=timedelta | float | None)  # noqa: E741

_MICROSECOND = timedelta(microseconds=1)


class _Account:
    """What the status shows of a timer. Apart from it, so that being shown does not keep a timer alive."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.changes = 1
        self.failures = 0
        self._state = BindingState.IN_FORCE
        self._since = datetime.now(UTC)
        self._error = ""

    def enter(self, state: BindingState, error: str = "") -> None:
        if state is not self._state:
            self._since = datetime.now(UTC)
        self._state, self._error = state, error

    def status(self) -> BindingStatus:
        return BindingStatus(self.name, self._state, self._since, self._error, self.changes, self.failures)


class Timer(AsyncIterator[Tick]):
    """An endless stream of ticks. Made by `timer`."""

    def __init__(
        self, live: Live[Any], missed: Missed, jitter: int, clock: Clock, rng: random.Random, name: str
    ) -> None:
        self._live = live
        self._values = aiter(live)
        self._seen = live.current
        self._interval = nanoseconds(self._seen)
        self._missed: Missed = missed
        self._jitter = jitter
        self._clock = clock
        self._rng = rng
        self._schedule: Schedule | None = None
        self._account = _Account(name or f"timer({live.name})")
        self._forget: weakref.finalize[Any, Any] | None = None

    def status(self) -> BindingStatus:
        """Where it stands."""
        return self._account.status()

    async def __anext__(self) -> Tick:
        schedule = self._schedule or self._start()
        while True:
            # Also when a tick is due: a change, a pause or the end that came first must be seen first.
            await self._wait(schedule.fires)
            now = self._clock.now()
            self._follow(schedule, now)
            if schedule.fires is not None and schedule.fires <= now:
                return schedule.take(now)

    def _start(self) -> Schedule:
        schedule = Schedule(self._clock.now(), self._interval, self._missed, self._jitter, self._rng.random)
        self._schedule = schedule
        self._live.report(self._account, self._account.status)
        # A loop that is left has no end that it would tell us; its timer is collected.
        self._forget = weakref.finalize(self, self._live.report, self._account, None)
        self._forget.atexit = False
        return schedule

    async def _wait(self, until: int | None) -> None:
        """Return at a time, or when the value changes, or at once where that has happened since the last call."""
        with anyio.CancelScope() as scope:
            alarm = None
            if until is not None and until <= self._clock.now():
                scope.cancel()  # takes effect only if the line below has to wait
            elif until is not None:
                alarm = self._clock.call_at(until, scope.cancel)
            try:
                await anext(self._values)
            except StopAsyncIteration:
                self._end()
                raise
            finally:
                if alarm is not None:
                    alarm.cancel()

    def _follow(self, schedule: Schedule, now: int) -> None:
        """Put the newest interval in force; a value that is none keeps the one before."""
        value = self._live.current
        if value is self._seen:
            return
        self._seen = value
        try:
            interval = nanoseconds(value)
        except ValueError as error:
            self._account.failures += 1
            self._account.enter(BindingState.RETRYING, str(error))
            return
        self._account.enter(BindingState.IN_FORCE)
        self._account.changes += interval != schedule.interval
        schedule.change(interval, now)

    def _end(self) -> None:
        self._account.enter(BindingState.CLOSED)
        if self._forget is not None:
            self._forget()


def nanoseconds(value: object) -> int:
    """An interval in whole nanoseconds; 0 for a pause. Exact for a timedelta.

    Raises:
        ValueError: It is no interval. The text names only its kind.
    """
    if value is None:
        return 0
    if isinstance(value, timedelta) and value >= timedelta(0):
        return value // _MICROSECOND * 1000
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return max(round(value * 1_000_000_000), 1 if value else 0)  # the smallest number is not a pause
    raise ValueError(f"timer: expected a duration, 0 or more, or None, got {type(value).__name__}")


def timer(
    live: Live[I],
    *,
    missed: Missed = "skip",
    jitter: timedelta | float = 0,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    name: str = "",
) -> Timer:
    """Ticks at a live interval: `async for tick in timer(config.select("refresh")): ...`

    The rule: the next tick is due at the last one's `scheduled` plus the interval. The first is due one interval after
    the iteration began.

    - A new interval takes effect at once, and the elapsed time counts: the next tick is due at the last one plus the
      new interval, or now if that is past, and the grid begins there. While the loop's body runs, a change is seen
      as soon as it asks for the next tick; ticks that the interval before still owed are dropped with it.
    - 0 and None are a pause. Going on is a change like any other: after a long pause, a tick is due now.
    - Ticks do not drift: they lie on the grid of the last change, however late each of them came.

    Where the body takes longer than the interval, `missed` decides, by tokio's names:

    | missed  | the next tick                             | its `scheduled`             | its `missed`        |
    |---------|-------------------------------------------|-----------------------------|---------------------|
    | `skip`  | at once, the one after it on the grid     | the newest place passed     | those before it     |
    | `burst` | at once, until all owed ones have come    | each one's own place        | 0                   |
    | `delay` | at once, the one after it an interval on  | now, if over 5 ms late      | those left out      |

    It ends with the configuration's context. A later value that is no interval (negative) keeps the one before and
    shows in the status.

    Args:
        live: A timedelta, or seconds; None or 0 for a pause.
        missed: See above.
        jitter: The most by which a tick comes after its place on the grid, fully random; a timedelta or seconds. At
            most one interval of it is used. `scheduled` and the grid do not move.
        clock: Where the time comes from.
        rng: Where the jitter comes from.
        name: For the status.

    Raises:
        ValueError: The first value is no interval, or a setting is none.
    """
    if missed not in get_args(Missed):
        raise ValueError(f"missed: expected skip, burst or delay, got {missed!r}")
    return Timer(live, missed, nanoseconds(jitter), clock or LoopClock(), rng or random.Random(), name)
