"""How late the event loop is for a timer: what anybody else who waits for it is made to wait."""

from __future__ import annotations

import asyncio

TICK = 0.001
"""Seconds from one timer to the next."""


class Lateness:
    """A timer that is set again and again, on any loop.

    Unlike a look at how long callbacks take it sees a thread too that keeps the interpreter's lock. An idle loop is
    late by some 0.1 ms, as the system's own timers are.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._longest = 0.0
        self._set()

    def take(self) -> float:
        """The greatest lateness since this was called last; milliseconds."""
        longest, self._longest = self._longest, 0.0
        return longest * 1000

    def stop(self) -> None:
        """Set no more timers."""
        self._timer.cancel()

    def _set(self) -> None:
        self._due = self._loop.time() + TICK
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._longest = max(self._longest, self._loop.time() - self._due)
        self._set()
