"""What the limiters have in common: they follow a rate, and wake those who wait when it changes.

They stand on `Binding`, with a task of their own, where the timer does without: what a bucket earned until a change is
earned at the old rate, so somebody must note the time of the change, also while nobody asks for anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.clocks import Clock
from reactive_config.bindings.limits.decision import Decision
from reactive_config.bindings.limits.keys import Keys
from reactive_config.bindings.limits.lines import Lines, Turn
from reactive_config.bindings.limits.rate import Rate, rate_of
from reactive_config.bindings.limits.rule import Rule
from reactive_config.core.live import Live
from reactive_config.errors import Closed

R = TypeVar("R", bound=Rate | str | None)

MOST_KEYS = 100_000
"""Keys with a state of their own, unless set."""

LONGEST = 2**62
"""Nanoseconds (146 years); no answer names a longer wait."""


class Limiting(Binding[R]):
    """A rate in force in this process, what each key used under it, and who waits.

    Args:
        live: The rate.
        make: The algorithm, from a rate and the time at which it begins.
        max_keys: How many keys may have a state of their own.
        clock: Where the time comes from.
        name: For the status.

    Attributes:
        rate: In force; None is no limit.
    """

    self_bounded: ClassVar[bool] = True

    def __init__(
        self, live: Live[R], make: Callable[[Rate, int], Rule[Any]], max_keys: int, clock: Clock, name: str
    ) -> None:
        super().__init__(live, name=name)
        if max_keys < 1:
            raise ValueError(f"max_keys: expected 1 or more, got {max_keys}")
        self.rate: Rate | None = None
        self._next: Rate | None = None
        self._make = make
        self._max_keys = max_keys
        self._clock = clock
        self._lines = Lines()
        self._open = False
        self._keys: Keys[Any] | None = None  # None without a limit

    async def prepare(self, value: R) -> None:
        self._next = rate_of(value, self.live)
        if self._next is not None:
            self._make(self._next, 0)  # raises where the algorithm cannot hold it, so that `commit` cannot fail

    def commit(self) -> None:
        now = self._clock.now()
        if self._next is None:
            self._keys = None
        elif self._keys is None:
            self._keys = Keys(self._make(self._next, now), self._max_keys, pinned=self._lines)
        else:
            self._keys.rule.change(self._next, now)
        self.rate = self._next
        self._open = True
        self._lines.wake()

    async def release(self) -> None:
        self._open = False
        self._lines.wake()

    def _check(self, cost: int) -> None:
        """Raise unless a call of this cost can be let through at some time."""
        if not self._open:
            raise RuntimeError(f"{self.name}: expected an open limiter: use it inside its `async with`")
        if type(cost) is not int or cost < 1:
            raise ValueError(f"cost: expected a whole number, 1 or more, got {cost!r}")
        if self._keys is not None:
            self._keys.rule.check(cost)

    async def _wait(self, turn: Turn, due: int | None) -> None:
        """Return when the turn should look again, and raise where that would be in vain."""
        await turn.wait(due, self._clock)
        if not self._open:
            raise Closed(f"{self.name}: its context ended while somebody waited")
        self._check(turn.cost)

    def _here(self, keys: Keys[Any], key: str, cost: int, owed: int) -> Decision:
        """The decision of this process's own count, after those who wait and want `owed`."""
        now = self._clock.now()
        if not owed and keys.take(key, cost, now):
            return Decision(True, 0.0, keys.remaining(key, now))
        at = keys.when(key, owed + cost, now)
        retry_after = None if at is None else min(at - now, LONGEST) / 1e9
        return Decision(False, retry_after, 0 if owed else keys.remaining(key, now))
