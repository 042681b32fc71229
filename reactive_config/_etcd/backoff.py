"""Pauses between attempts that grow, with jitter, so that many clients do not come back in one moment."""

from __future__ import annotations

import random


class Backoff:
    """Growing pauses.

    Args:
        rng: Where the jitter comes from.
        base: Seconds, the upper bound of the first pause; it doubles from there.
        cap: Seconds, the upper bound of every pause.
        floor: Share of the bound below which no pause falls: 0 is full jitter.
    """

    def __init__(self, rng: random.Random, *, base: float, cap: float, floor: float = 0.0) -> None:
        self._rng = rng
        self._base = base
        self._cap = cap
        self._floor = floor
        self._attempts = 0

    def reset(self) -> None:
        """Health was seen: begin with short pauses again."""
        self._attempts = 0

    def healthy(self, seconds: float) -> None:
        """Health was seen for so long: every second of it takes one failed attempt back."""
        self._attempts = max(0, self._attempts - int(seconds))

    def pause(self) -> float:
        """The next pause in seconds."""
        bound = min(self._cap, self._base * 2.0**self._attempts)
        if bound < self._cap:
            self._attempts += 1
        return bound * self._rng.uniform(self._floor, 1.0)
