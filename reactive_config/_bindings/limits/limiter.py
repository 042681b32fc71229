"""Rate limiters follow a live rate, and wake those who wait when it changes. The one for a single process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar, get_args

from anyio.lowlevel import checkpoint

from reactive_config._bindings.binding import Binding
from reactive_config._bindings.clocks import Clock, LoopClock
from reactive_config._bindings.limits.bucket import Bucket
from reactive_config._bindings.limits.keyed_states import KeyedStates
from reactive_config._bindings.limits.lines import Turn, WaitingLines
from reactive_config._bindings.limits.rate import Rate, rate_of
from reactive_config._bindings.limits.rule import ALLOWED, Decision, Rule
from reactive_config._bindings.limits.window import SlidingWindow
from reactive_config._core.runtime.live import Live, label
from reactive_config.errors import Closed

R = TypeVar("R", bound=Rate | str | None)

MOST_KEYS = 100_000
"""Keys with a state of their own, unless set."""

LONGEST = 2**62
"""Nanoseconds (146 years); no answer names a longer wait."""


class LiveLimiter(Binding[R]):
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
        self._lines = WaitingLines()
        self._open = False
        self._keys: KeyedStates[Any] | None = None  # None without a limit

    async def prepare(self, value: R) -> None:
        self._next = rate_of(value, self.live)
        if self._next is not None:
            self._make(self._next, 0)  # raises where the algorithm cannot hold it, so that `commit` cannot fail

    def commit(self) -> None:
        now = self._clock.now()
        if self._next is None:
            self._keys = None
        elif self._keys is None:
            self._keys = KeyedStates(self._make(self._next, now), self._max_keys, pinned=self._lines)
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

    def _here(self, keys: KeyedStates[Any], key: str, cost: int, owed: int) -> Decision:
        """The decision of this process's own count, after those who wait and want `owed`."""
        now = self._clock.now()
        if not owed and keys.take(key, cost, now):
            return Decision(True, 0.0, keys.remaining(key, now))
        at = keys.when(key, owed + cost, now)
        retry_after = None if at is None else min(at - now, LONGEST) / 1e9
        return Decision(False, retry_after, 0 if owed else keys.remaining(key, now))


Algorithm = Literal["token_bucket", "leaky_bucket", "sliding_window"]

RULES: Mapping[str, Callable[[Rate, int], Rule[Any]]] = {
    "token_bucket": Bucket,
    "leaky_bucket": partial(Bucket, leaky=True),
    "sliding_window": SlidingWindow,
}


class RateLimiter(LiveLimiter[R]):
    """A rate limit that follows a live value. Made by `rate_limiter`."""

    def __init__(self, live: Live[R], algorithm: Algorithm, max_keys: int, clock: Clock, name: str) -> None:
        if algorithm not in RULES:
            raise ValueError(f"algorithm: expected {', '.join(get_args(Algorithm))}, got {algorithm!r}")
        super().__init__(live, RULES[algorithm], max_keys, clock, label("rate_limiter", live, name))

    @property
    def keys(self) -> int:
        """How many keys have a state of their own now; at most `max_keys`."""
        return len(self._keys) if self._keys is not None else 0

    def try_acquire(self, key: str = "", cost: int = 1) -> Decision:
        """Pass now or not at all; does not overtake those who wait for the same key.

        Args:
            key: Who is limited: a client, a tenant; keys share nothing.
            cost: How much it takes; a whole number, 1 or more.

        Raises:
            TooCostly: The cost is above what the rate in force can ever let through at once.
            RuntimeError: The limiter is not open.
        """
        self._check(cost)
        return ALLOWED if self._keys is None else self._here(self._keys, key, cost, self._lines.owed(key))

    async def acquire(self, key: str = "", cost: int = 1) -> None:
        """Return once it is allowed to go on; first come first served for each key, whatever the costs.

        A new rate is seen at once. A cancelled call has taken nothing, and the next in line moves up. For a time
        limit, put `anyio.fail_after` around it.

        Args:
            key: Who is limited.
            cost: How much it takes; a whole number, 1 or more.

        Raises:
            TooCostly: The cost is above what the rate can ever let through at once, from the start or since a change.
            Closed: The limiter's context ended while waiting.
            RuntimeError: The limiter is not open.
        """
        # Before taking anything: nothing is lost if this is cancelled, and a loop without a limit lets others run.
        await checkpoint()
        self._check(cost)
        if key not in self._lines and self._pass(key, cost):
            return
        with self._lines.place(key, cost) as (turn, is_first):
            while not (is_first() and self._pass(key, cost)):
                await self._wait(turn, self._due(key, cost) if is_first() else None)

    def _pass(self, key: str, cost: int) -> bool:
        return self._keys is None or self._keys.take(key, cost, self._clock.now())

    def _due(self, key: str, cost: int) -> int | None:
        return None if self._keys is None else self._keys.when(key, cost, self._clock.now())


def rate_limiter(
    live: Live[R],
    *,
    algorithm: Algorithm = "token_bucket",
    max_keys: int = MOST_KEYS,
    clock: Clock | None = None,
    name: str = "",
) -> RateLimiter[R]:
    """A rate limit that follows a live rate, for one process.

        async with rate_limiter(config.select("requests")) as limiter:
            await limiter.acquire()
            if not (decision := limiter.try_acquire(client)): ...

    | algorithm        | lets through, of each key                                                        |
    |------------------|----------------------------------------------------------------------------------|
    | `token_bucket`   | from s to e at most the burst in force at s plus what the rates earn until e     |
    | `leaky_bucket`   | the same with a burst of 1: evenly, each one paid off before the next            |
    | `sliding_window` | at most `limit` in any window as long as `per`; all of it at once, if it comes so |

    A change takes effect at once, also for those who wait, and neither grants a burst nor loses a token: buckets carry
    their tokens over, cut to a smaller burst and never topped up to a larger one; the window judges what passed by the
    new limit. 0 lets nothing through, and nothing is earned or lost meanwhile. None is no limit; what comes after it
    begins afresh. A value that is no rate, or none for the algorithm, keeps the one before and shows in the
    status; at the start it raises ValueError.

    Args:
        live: A `RateRule`: `100/s`, `5000/h`, `100/10s`, a `Rate`, or None.
        algorithm: See above.
        max_keys: How many keys may have a state of their own; beyond it, newcomers share one.
        clock: Where the time comes from.
        name: For the status.
    """
    return RateLimiter(live, algorithm, max_keys, clock or LoopClock(), name)
