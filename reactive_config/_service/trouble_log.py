"""What an operator reads about requests that were refused: a bounded number of lines, whatever strangers send."""

from __future__ import annotations

import time

from reactive_config._core.runtime.operator_log import logger

EVERY = 60.0
"""Seconds between two lines about the same trouble."""

MOST_TROUBLES = 100
"""Of which it is known when they were told."""


class TroubleLog:
    """Tells of each trouble once in a while. One for a service."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._strangers = 0
        self._strangers_told = -EVERY

    def needs_person(self, trouble: str) -> None:
        """A request was refused, and will be until a person has mended the store or its history."""
        now = time.monotonic()
        if now - self._told.get(trouble, -EVERY) < EVERY:
            return
        if len(self._told) >= MOST_TROUBLES:
            self._told.clear()
        self._told[trouble] = now
        logger.warning("a request was refused: %s", trouble)

    def stranger(self, address: str) -> None:
        """A request came without a token: somebody has an old one, or guesses."""
        self._strangers += 1
        now = time.monotonic()
        if now - self._strangers_told < EVERY:
            return
        logger.warning(
            "refused %d requests without a token of this service, the last from %s", self._strangers, address
        )
        self._strangers, self._strangers_told = 0, now
