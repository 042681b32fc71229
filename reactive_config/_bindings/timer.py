"""Ticks at an interval or at times of day that follow a live value.

This does not stand on `Binding`: there is no thing to make before another one breaks, nothing that can fail
between preparing and committing, and no task. A timer is an iterator; it waits inside the loop that uses it, so
cancelling that loop leaves nothing behind.
"""

from __future__ import annotations

import math
import random
import weakref
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, TypeVar, get_args

import anyio

from reactive_config._bindings.binding import got
from reactive_config._bindings.clocks import Clock, LoopClock
from reactive_config._bindings.cron import Cron
from reactive_config._bindings.cron_times import CronTimes
from reactive_config._bindings.schedule import Grid, Missed, Tick, TickManner
from reactive_config._core.runtime.live import Live, label, logbook_of, report
from reactive_config._core.status import BindingState, BindingStatus, Moment

E = TypeVar("E", bound=timedelta | Cron | float | None)

_MICROSECOND = timedelta(microseconds=1)


class _TimerRecord:
    """What the status shows of a timer. Apart from it, so that being shown does not keep a timer alive."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.changes = 1
        self.failures = 0
        self._state = BindingState.IN_FORCE
        self._since = Moment.now()
        self._error = ""

    def enter(self, state: BindingState, error: str = "") -> None:
        if state is not self._state:
            self._since = Moment.now()
        self._state, self._error = state, error

    @property
    def refused_for(self) -> float | None:
        """Seconds since a value was refused, if the newest one is."""
        return self._since.age if self._state is BindingState.REFUSED else None

    def status(self) -> BindingStatus:
        since = self._since
        return BindingStatus(
            self.name, self._state, since.wall, self._error, self.changes, self.failures, age=since.age
        )


class Timer(AsyncIterator[Tick]):
    """An endless stream of ticks. Made by `timer`."""

    def __init__(self, live: Live[Any], manner: TickManner, clock: Clock, name: str) -> None:
        self._account = _TimerRecord(label("timer", live, name))
        self._live = live
        self._values = aiter(live)
        self._seen = live.current
        self._rule = rule_of(self._seen, live)
        self._manner = manner
        self._clock = clock
        self._schedule: Grid | CronTimes | None = None
        # By the monotonic clock: when the last tick came, or else the iteration began. An interval counts from here.
        self._last = 0
        self._forget: weakref.finalize[Any, Any] | None = None

    def status(self) -> BindingStatus:
        """Where it stands."""
        return self._account.status()

    async def __anext__(self) -> Tick:
        schedule = self._schedule or self._start()
        while True:
            # Also when a tick is due: a change, a pause or the end that came first must be seen first.
            await self._wait(schedule.left(schedule.now(self._clock)))
            schedule = self._schedule = self._follow(schedule)
            if (tick := schedule.take(schedule.now(self._clock))) is not None:
                self._last = tick.scheduled if isinstance(schedule, Grid) else self._clock.now()
                return tick

    def _start(self) -> Grid | CronTimes:
        self._last = self._clock.now()
        report(self._live, self._account, self._account.status)
        # A loop that is left has no end that it would tell us; its timer is collected.
        self._forget = weakref.finalize(self, report, self._live, self._account, None)
        self._forget.atexit = False
        return self._made(self._rule, 0)

    def _made(self, rule: Cron | int, count: int) -> Grid | CronTimes:
        if isinstance(rule, Cron):
            return CronTimes(rule, self._clock.wall(), self._manner, count)
        return Grid(self._last, rule, self._manner, count)

    async def _wait(self, left: int | None) -> None:
        """Return after a time, or when the value changes, or at once where that has happened since the last call."""
        with anyio.CancelScope() as scope:
            alarm = None
            if left is not None and left <= 0:
                scope.cancel()  # takes effect only if the line below has to wait
            elif left is not None:
                alarm = self._clock.call_at(self._clock.now() + left, scope.cancel)
            try:
                await anext(self._values)
            except StopAsyncIteration:
                self._end()
                raise
            finally:
                if alarm is not None:
                    alarm.cancel()

    def _follow(self, schedule: Grid | CronTimes) -> Grid | CronTimes:
        """The schedule with the newest rule in force; a value that is none keeps the one before."""
        value = self._live.current
        if value is self._seen:
            return schedule
        self._seen = value
        try:
            rule = rule_of(value, self._live)
        except ValueError as error:
            self._account.failures += 1
            self._account.enter(BindingState.REFUSED, str(error))
            logbook_of(self._live).binding_fails(f"{self._account.name}: {error}", "the one before stays in force")
            return schedule
        if (failed_for := self._account.refused_for) is not None:
            logbook_of(self._live).binding_follows(self._account.name, failed_for)
        self._account.enter(BindingState.IN_FORCE)
        self._account.changes += rule != self._rule
        self._rule = rule
        return self._changed(schedule, rule)

    def _changed(self, schedule: Grid | CronTimes, rule: Cron | int) -> Grid | CronTimes:
        if isinstance(rule, Cron):
            if not isinstance(schedule, CronTimes):
                return self._made(rule, schedule.count)
            schedule.change(rule, self._clock.wall())
        else:
            if not isinstance(schedule, Grid):
                schedule = Grid(self._last, 0, self._manner, schedule.count)
            schedule.change(rule, self._clock.now())
        return schedule

    def _end(self) -> None:
        self._account.enter(BindingState.CLOSED)
        if self._forget is not None:
            self._forget()


def rule_of(value: object, live: Live[Any]) -> Cron | int:
    """A cron rule, or an interval in whole nanoseconds; 0 for a pause.

    Raises:
        ValueError: It is neither. The text shows it if `got` does.
    """
    return value if isinstance(value, Cron) else nanoseconds(value, live)


def nanoseconds(value: object, live: Live[Any] | None = None) -> int:
    """An interval in whole nanoseconds; 0 for a pause. Exact for a timedelta.

    Raises:
        ValueError: It is no interval. The text shows it if `got` does.
    """
    if value is None:
        return 0
    if isinstance(value, timedelta) and value >= timedelta(0):
        return value // _MICROSECOND * 1000
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return max(round(value * 1_000_000_000), 1 if value else 0)  # the smallest number is not a pause
    raise ValueError(f"timer: expected a duration, 0 or more, a cron rule, or None, got {got(value, live)}")


def timer(
    live: Live[E],
    *,
    missed: Missed = "skip",
    jitter: timedelta | float = 0,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    name: str = "",
) -> Timer:
    """Ticks at a live interval or at live times of day: `async for tick in timer(config.select("refresh")): ...`

    With the type `Every` in the configuration, an operator may switch from one to the other.

    The rule of an interval: the next tick is due at the last one's `scheduled` plus the interval. The first is due one
    interval after the iteration began.

    - A new interval takes effect at once, and the elapsed time counts: the next tick is due at the last one plus the
      new interval, or now if that is past, and the grid begins there. While the loop's body runs, a change is seen
      as soon as it asks for the next tick; ticks that the interval before still owed are dropped with it.
    - 0 and None are a pause. Going on is a change like any other: after a long pause, a tick is due now.
    - Ticks do not drift: they lie on the grid of the last change, however late each of them came.

    The rule of a `Cron`: the next tick is due at its first time strictly after the last tick.

    - A new expression or time zone takes effect at once: the next tick is due at its first time after now. What
      passed in a pause, or before the iteration began, does not come.
    - It goes by the time of day, which is looked at again every 30 seconds. What a clock that is set forward, or a
      machine that sleeps, passes over is missed, and `missed` decides. A clock that is set back repeats no tick,
      unless by more than three hours: then the expression begins anew.

    Where the body takes longer than the interval, `missed` decides, by tokio's names:

    | missed  | the next tick                             | its `scheduled`             | its `missed`        |
    |---------|-------------------------------------------|-----------------------------|---------------------|
    | `skip`  | at once, the one after it on the grid     | the newest place passed     | those before it     |
    | `burst` | at once, until all owed ones have come    | each one's own place        | 0                   |
    | `delay` | at once, the one after it an interval on  | now, if over 5 ms late      | those left out      |

    With a `Cron`, `delay` is the same as `skip`, and no more than 1000 missed ones are counted.

    It ends with the configuration's context. A later value that is no interval (negative) keeps the one before and
    shows in the status.

    Args:
        live: A timedelta, or seconds, or a `Cron`; None or 0 for a pause.
        missed: See above.
        jitter: The most by which a tick comes after its place, fully random; a timedelta or seconds. Of it, at most
            the distance to the next place is used. `scheduled` and the places do not move.
        clock: Where the time comes from.
        rng: Where the jitter comes from.
        name: For the status.

    Raises:
        ValueError: The first value is no interval, or a setting is none.
    """
    if missed not in get_args(Missed):
        raise ValueError(f"missed: expected skip, burst or delay, got {missed!r}")
    manner = TickManner(missed, nanoseconds(jitter), (rng or random.Random()).random)
    return Timer(live, manner, clock or LoopClock(), name)
