"""A sliding window that never lets more than its limit through, and is bounded in memory."""

from __future__ import annotations

from reactive_config._bindings.limits.rate import Rate
from reactive_config._bindings.limits.rule import Rule, TooCostly
from reactive_config.errors import InvalidValue

SLOTS = 100
"""How many entries a window is written in at most, where its limit is higher than that."""


class WindowEntry:
    """What passed within a short time. It leaves the window with the last of it, so it never counts too short."""

    __slots__ = ("count", "first", "last")

    def __init__(self, first: int, last: int, count: int) -> None:
        self.first = first
        self.last = last
        self.count = count


class WindowLog:
    """What one key let through.

    Attributes:
        window: Within the window in force, oldest first.
        past: Before that, but within a longer window that was in force not long ago.
        used: The sum over `window`.
    """

    __slots__ = ("past", "used", "window")

    def __init__(self) -> None:
        # Lists, although they lose their first: they are short, and an empty deque takes 600 bytes.
        self.window: list[WindowEntry] = []
        self.past: list[WindowEntry] = []
        self.used = 0


class SlidingWindow(Rule[WindowLog]):
    """At most `limit` in any window as long as `per`, for each key.

    Up to a limit of 100 the log is exact. Above, what passes within a hundredth of the window is one entry, which
    leaves the window as a whole and never early: so a key's memory is bounded, and what it used comes back up to one
    percent of the window late.

    Across changes: what passed is carried over and judged by the limit and the window in force. A window that shrinks
    and grows again remembers what the long one saw: the log goes back as far as the longest window that was in force
    within its own length of now. What had been forgotten when a window grows beyond that stays forgotten; it was let
    through under a rate that no longer counted it.

    Args:
        rate: The first one.
        now: When it begins.

    Raises:
        InvalidValue: The limit is no whole number, or there is a burst: the window's limit is the burst.
    """

    def __init__(self, rate: Rate, now: int) -> None:
        self._limit, self._per = _checked(rate)
        # A longer window that was in force lately, and until when it is remembered.
        self._longer, self._until = 0, now
        self._forgotten = now - 1

    def change(self, rate: Rate, now: int) -> None:
        limit, per = _checked(rate)
        reach = self._reach(now)
        self._forgotten = max(self._forgotten, now - reach)
        self._longer, self._until = reach, now + reach
        self._limit, self._per = limit, per

    def fresh(self, now: int) -> WindowLog:
        return WindowLog()

    def is_fresh(self, state: WindowLog, now: int) -> bool:
        self._advance_to(state, now)
        return not state.window and not state.past

    def copy(self, state: WindowLog) -> WindowLog:
        twin = WindowLog()
        twin.window.extend(WindowEntry(e.first, e.last, e.count) for e in state.window)
        twin.past.extend(WindowEntry(e.first, e.last, e.count) for e in state.past)
        twin.used = state.used
        return twin

    def check(self, cost: int) -> None:
        if self._limit and cost > self._limit:
            raise TooCostly(f"cost: expected at most the limit in force, {self._limit}, got {cost}")

    def take(self, state: WindowLog, cost: int, now: int) -> WindowLog | None:
        self._advance_to(state, now)
        return None if state.used + cost > self._limit else self.count(state, cost, now)

    def count(self, state: WindowLog, cost: int, now: int) -> WindowLog:
        self._advance_to(state, now)
        # What is beyond the limit has no entries of its own either, or the log would have no bound.
        exact = self._limit <= SLOTS and state.used + cost <= self._limit
        grain = 0 if exact else self._per // SLOTS
        _append(state.window, WindowEntry(now, now, cost), grain)
        state.used += cost
        return state

    def when(self, state: WindowLog, cost: int, now: int) -> int | None:
        if not self._limit:
            return None
        self._advance_to(state, now)
        surplus = state.used + cost - self._limit
        at = now
        for entry in state.window:
            if surplus <= 0:
                break
            surplus -= entry.count
            at = entry.last + self._per
        return at

    def remaining(self, state: WindowLog, now: int) -> int:
        self._advance_to(state, now)
        return max(0, self._limit - state.used)

    def _reach(self, now: int) -> int:
        """How far back the log goes, from now."""
        return max(self._per, self._longer if now < self._until else 0)

    def _advance_to(self, log: WindowLog, now: int) -> None:
        """Let time pass: entries leave the window, come back to one that grew, and are forgotten."""
        reach = self._reach(now)
        forgotten = max(self._forgotten, now - reach)
        for entries in (log.past, log.window):
            while entries and entries[0].last <= forgotten:
                entry = entries.pop(0)
                log.used -= entry.count if entries is log.window else 0
        edge = now - self._per
        while log.past and log.past[-1].last > edge:
            entry = log.past.pop()
            log.window.insert(0, entry)
            log.used += entry.count
        while log.window and log.window[0].last <= edge:
            entry = log.window.pop(0)
            log.used -= entry.count
            _append(log.past, entry, reach // SLOTS)


def _append(entries: list[WindowEntry], entry: WindowEntry, grain: int) -> None:
    """Add what came last, as part of the last entry where that began less than a grain ago."""
    if entries and entry.last - entries[-1].first <= grain:
        entries[-1].last = entry.last
        entries[-1].count += entry.count
    else:
        entries.append(entry)


def _checked(rate: Rate) -> tuple[int, int]:
    if rate.burst is not None:
        raise InvalidValue("none with sliding_window (its limit may come together), got one", at="burst")
    if rate.limit != int(rate.limit):
        raise InvalidValue("a whole number with sliding_window (1/10s rather than 0.1/s), got a fraction", at="limit")
    return int(rate.limit), rate.window
