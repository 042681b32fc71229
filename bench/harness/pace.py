"""How long a run will still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence


class Pace:
    """Told how far a run is, it says how long the rest takes.

    What was measured of a case says how long its rest takes. A case to come takes as long as in an earlier run, or,
    where there is none, as long as those of this run on average.

    Args:
        cases: Names, in the order in which they run.
        earlier: Case to the seconds that it took before, with the same settings.
        clock: Seconds.
    """

    def __init__(
        self, cases: Sequence[str], earlier: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._left = list(cases)
        self._earlier = earlier
        self._clock = clock
        self._took: list[float] = []
        self._share = 0.0
        self._began = clock()

    def reached(self, share: float) -> None:
        """This share of the first case that is not over was measured; 0 to 1."""
        self._share = share

    def over(self) -> float:
        """The case is over; the seconds that it took."""
        took = self._clock() - self._began
        self._took.append(took)
        self._began, self._share = self._clock(), 0.0
        del self._left[0]
        return took

    def left(self) -> float | None:
        """Seconds until all are over; None as long as nobody can tell."""
        if not self._left:
            return 0.0
        spent = self._clock() - self._began
        first = spent / self._share if self._share else self._earlier.get(self._left[0])
        known = [*self._took, *([first] if first is not None else [])]
        if not known:
            return None
        typical = sum(known) / len(known)
        first = max(spent, typical if first is None else first)
        return first - spent + sum(self._earlier.get(name, typical) for name in self._left[1:])


def in_words(seconds: float | None) -> str:
    """`about 12 min left`; empty where nobody can tell."""
    if seconds is None:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
