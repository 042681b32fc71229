"""Ticks at the times that a cron expression names."""

from __future__ import annotations

from reactive_config._bindings.clocks import Clock
from reactive_config._bindings.cron import Cron
from reactive_config._bindings.schedule import Tick, TickManner

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND

RECHECK = 30 * _SECOND
"""The longest wait: alarms go by the monotonic clock, which does not see that the other one was set, nor a sleep."""

SET_BACK = 3 * 3600 * _SECOND
"""A clock that goes back by more than this was wrong before, and what has ticked may tick again (Debian's figure)."""

MOST_COUNTED = 1000
"""The most places that are counted one by one, so that a clock set from 1970 to now does not hold the loop."""


class CronTimes:
    """The rule of a cron expression: the next tick is due at its first time strictly after the last tick.

    Whatever passes by unattended is missed, no matter whether the loop was busy, the machine slept, or the clock
    was set forward: `burst` makes up for each, `skip` and `delay` for the newest only. A clock that goes back by
    up to three hours repeats no tick; one that goes back further begins anew.

    Jitter moves only the moment at which a tick comes, never its place.

    Args:
        rule: The expression and its time zone.
        after: Nanoseconds since the epoch; stands for the last tick before the first.
        manner: What becomes of missed ticks, and the jitter.
        count: How many ticks there were before.

    Attributes:
        count: How many ticks were taken.
        rule: In force.
        fires: When the next tick comes; nanoseconds since the epoch.
    """

    def __init__(self, rule: Cron, after: int, manner: TickManner, count: int = 0) -> None:
        self.count = count
        self.rule = rule
        self.fires: int | None = None
        self._manner = manner
        self._last = self._due = after
        self._share = manner.draw()
        self._plan()

    def now(self, clock: Clock) -> int:
        """The time of day."""
        return clock.wall()

    def left(self, now: int) -> int | None:
        """How long until the next tick, or until the clock must be looked at again."""
        return None if self.fires is None else min(self.fires - now, RECHECK)

    def change(self, rule: Cron, now: int) -> None:
        """Put another rule in force: it begins strictly after now, and after the last tick.

        Ticks that the one before still owed, or that its jitter held back, are dropped with it.
        """
        if rule != self.rule:
            self.rule = rule
            self._last = now if self._set_back(now) else max(self._last, now)
            self._plan()

    def take(self, now: int) -> Tick | None:
        """The tick that is due, and plan the next one; None where none is due."""
        if self._set_back(now):
            self._last = now
            self._plan()
        if self.fires is None or now < self.fires:
            return None
        held_back = self.fires - self._due
        place, missed = (self._due, 0) if self._manner.missed == "burst" else self._newest(now - held_back)
        self.count, self._last = self.count + 1, place
        self._share = self._manner.draw()
        self._plan()
        return Tick(self.count, place, missed, self.rule.local(place))

    def _set_back(self, now: int) -> bool:
        return now < self._last - SET_BACK

    def _newest(self, until: int) -> tuple[int, int]:
        """The newest place up to a time, and how many were left out before it, as far as they are counted."""
        place, passed = self._due, 0
        for later in self.rule.times(place):
            if later > until:
                break
            if passed == MOST_COUNTED:
                return self._search(place, until), passed
            place, passed = later, passed + 1
        return place, passed

    def _search(self, place: int, until: int) -> int:
        """The newest place up to a time, by halving: places are a minute or more apart."""
        while until - place >= _MINUTE:
            middle = (place + until) // 2
            later = next(self.rule.times(middle), None)
            if later is not None and later <= until:
                place = later
            else:
                until = middle
        return place

    def _plan(self) -> None:
        coming = self.rule.times(self._last)
        due = next(coming, None)
        if due is None:
            self.fires = None
            return
        self._due = self.fires = due
        if self._manner.jitter and (after := next(coming, None)) is not None:
            self.fires += int(self._share * min(self._manner.jitter, after - due))
