"""How long a run will still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


class Pace:
    """Told how far a run is, it says how long the rest takes.

    What was measured of a case says how long its rest takes. A case to come takes as long as in an earlier run, or,
    where there is none, as long for each turn as those of this run.

    Args:
        turns: Case to how many turns it has, of all subjects at all points; in the order in which they run.
        earlier: Case to the seconds that it took before, with the same settings.
        clock: Seconds.
    """

    def __init__(
        self, turns: Mapping[str, int], earlier: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._turns = turns
        self._left = list(turns)
        self._earlier = earlier
        self._clock = clock
        self._took = 0.0
        self._done = 0.0
        """Turns of all cases that are over, which took `_took` seconds."""
        self._share = 0.0
        self._began = clock()

    def reached(self, share: float) -> None:
        """This share of the first case that is not over was measured; 0 to 1."""
        self._share = share

    def over(self) -> float:
        """The case is over; the seconds that it took."""
        took = self._clock() - self._began
        self._took += took
        self._done += self._turns[self._left.pop(0)]
        self._began, self._share = self._clock(), 0.0
        return took

    def left(self) -> float | None:
        """Seconds until all are over; None as long as nobody can tell."""
        if not self._left:
            return 0.0
        name, spent = self._left[0], self._clock() - self._began
        took, done = self._took, self._done
        if self._share:
            took, done = took + spent, done + self._share * self._turns[name]
        elif name in self._earlier:
            took, done = took + self._earlier[name], done + self._turns[name]
        if not done:
            return None
        turn = took / done
        whole = spent / self._share if self._share else self._earlier.get(name, turn * self._turns[name])
        return max(0.0, whole - spent) + sum(self._earlier.get(one, turn * self._turns[one]) for one in self._left[1:])


def in_words(seconds: float | None) -> str:
    """`about 12 min left`; empty where nobody can tell."""
    if seconds is None:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
