"""Who waits for a limit: a line for each key, first come first served."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reactive_config._bindings.clocks import Clock

LONGEST_SLEEP = 3600 * 1_000_000_000
"""Nanoseconds; whoever waits longer looks again meanwhile. Loops cannot sleep for any time."""


class Turn:
    """One caller's place in a line."""

    __slots__ = ("_event", "cost")

    def __init__(self, cost: int) -> None:
        self.cost = cost
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, until: int | None, clock: Clock) -> None:
        """Return at a time or when woken; earlier too, where the time is far."""
        if until is None:
            await self._event.wait()
        else:
            alarm = clock.call_at(min(until, clock.now() + LONGEST_SLEEP), self.wake)
            try:
                await self._event.wait()
            finally:
                alarm.cancel()
        self._event.clear()


class WaitingLine:
    """The callers that wait for one key. Only the first may try; whoever leaves lets the next one look."""

    __slots__ = ("_turns", "owed")

    def __init__(self) -> None:
        self._turns: OrderedDict[Turn, None] = OrderedDict()
        self.owed = 0  # the sum of their costs

    def is_first(self, turn: Turn) -> bool:
        return next(iter(self._turns)) is turn

    def join(self, turn: Turn) -> None:
        self._turns[turn] = None
        self.owed += turn.cost

    def leave(self, turn: Turn) -> bool:
        """Returns whether the line is empty now."""
        del self._turns[turn]
        self.owed -= turn.cost
        for first in self._turns:
            first.wake()
            return False
        return True

    def wake(self) -> None:
        for turn in self._turns:
            turn.wake()


class WaitingLines:
    """The lines of all keys that somebody waits for."""

    def __init__(self) -> None:
        self._lines: dict[str, WaitingLine] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._lines

    def owed(self, key: str) -> int:
        """What those who wait for a key want together; 0 if nobody does."""
        line = self._lines.get(key)
        return line.owed if line is not None else 0

    def wake(self) -> None:
        """Let everybody look again."""
        for line in self._lines.values():
            line.wake()

    @contextmanager
    def place(self, key: str, cost: int) -> Iterator[tuple[Turn, Callable[[], bool]]]:
        """The last place in a key's line, for as long as the block runs: the turn, and whether it is first."""
        line = self._lines.setdefault(key, WaitingLine())
        turn = Turn(cost)
        line.join(turn)
        try:
            yield turn, lambda: line.is_first(turn)
        finally:
            if line.leave(turn):
                del self._lines[key]
