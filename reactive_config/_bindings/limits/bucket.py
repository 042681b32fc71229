"""Token bucket and leaky bucket, exact across changes of the rate.

Both are one bucket. It fills at the rate up to its burst, and what passes takes its cost out. They differ in when the
cost must be there: the token bucket has it all before it lets anything through; the leaky bucket, a queue whose outflow
is even, lets the next one go as soon as the one before is paid off, and so goes into debt for a large cost.
"""

from __future__ import annotations

from reactive_config._bindings.limits.rate import Rate
from reactive_config._bindings.limits.rule import Rule, TooCostly

ONE = 2**96
"""A token in the units that everything is counted in: fine enough that rounding down is never a token."""


class BucketState:
    """How many units a bucket that never overflows would have earned since the start.

    It is rounded down, and only once between two changes: sums of differences telescope, so nothing is lost by asking.
    """

    def __init__(self, now: int) -> None:
        self._base = 0
        self._since = now
        # The rate as a fraction, in units a nanosecond.
        self._up, self._down = 0, 1

    @property
    def stopped(self) -> bool:
        return self._up == 0

    def change(self, rate: Rate, now: int) -> None:
        self._base, self._since = self.at(now), now
        units = rate.exact * ONE / rate.window
        self._up, self._down = units.numerator, units.denominator

    def at(self, now: int) -> int:
        return self._base + (now - self._since) * self._up // self._down

    def reaches(self, units: int) -> int | None:
        """The first time, from the last change on, at which so many are earned; None if never at this rate."""
        missing = units - self._base
        if missing <= 0:
            return self._since
        return self._since - (-missing * self._down // self._up) if self._up else None


class Bucket(Rule[int]):
    """A bucket for each key.

    A key's state is one number, its *start*: the level that it would have had at the beginning of time, had it never
    overflowed. So its level is start plus what was earned since then, and a change of the rate touches no key. Overflow
    needs one number for all: no key can have more than one that was never used, and one that overflowed has just that.

    The promise: whatever the changes, a key lets through between two moments at most the burst in force at the first,
    and what the rates in force earn in between; one that leaks, all but one of its largest cost besides, on credit.
    Tokens are carried over a change, cut to a smaller burst, and never topped up to a larger one.

    Args:
        rate: The first one.
        now: When it begins; buckets are full then.
        leaky: Even outflow; a cost above the burst goes into debt instead of being refused.
    """

    def __init__(self, rate: Rate, now: int, *, leaky: bool = False) -> None:
        self._leaky = leaky
        self._earned = BucketState(now)
        self._burst = 1
        self._burst = self._burst_of(rate)
        self._fresh = self._burst * ONE  # the start of a key that was never used
        self._earned.change(rate, now)

    def change(self, rate: Rate, now: int) -> None:
        earned = self._earned.at(now)
        level = self._level(self._fresh, earned)
        self._burst = self._burst_of(rate)
        self._fresh = min(level, self._burst * ONE) - earned
        self._earned.change(rate, now)

    def fresh(self, now: int) -> int:
        earned = self._earned.at(now)
        return self._level(self._fresh, earned) - earned

    def is_fresh(self, state: int, now: int) -> bool:
        return state >= self.fresh(now)

    def copy(self, state: int) -> int:
        return state

    def check(self, cost: int) -> None:
        if cost > self._burst and not self._leaky and not self._earned.stopped:
            raise TooCostly(f"cost: expected at most the burst in force, {self._burst}, got {cost}")

    def take(self, state: int, cost: int, now: int) -> int | None:
        level = self._level(state, self._earned.at(now))
        return None if level < self._needed(cost) or self._earned.stopped else self.count(state, cost, now)

    def count(self, state: int, cost: int, now: int) -> int:
        earned = self._earned.at(now)
        return self._level(state, earned) - cost * ONE - earned

    def when(self, state: int, cost: int, now: int) -> int | None:
        if self._earned.stopped:
            return None
        at = self._earned.reaches(self._needed(cost) - min(state, self._fresh))
        return None if at is None else max(at, now)

    def remaining(self, state: int, now: int) -> int:
        return 0 if self._earned.stopped else max(0, self._level(state, self._earned.at(now)) // ONE)

    def _level(self, start: int, earned: int) -> int:
        return min(min(start, self._fresh) + earned, self._burst * ONE)

    def _needed(self, cost: int) -> int:
        return (min(cost, self._burst) if self._leaky else cost) * ONE

    def _burst_of(self, rate: Rate) -> int:
        if rate.burst is not None:
            return rate.burst
        if rate.limit == 0:  # a pause: nothing is earned, and nothing lost
            return self._burst
        return 1 if self._leaky else max(1, int(rate.limit))
