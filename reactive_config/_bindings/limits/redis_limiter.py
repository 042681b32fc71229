"""A rate limiter that holds across processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import msgspec
from anyio.lowlevel import checkpoint

from reactive_config._bindings.clocks import Clock, LoopClock
from reactive_config._bindings.limits.limiter import MOST_KEYS, LiveLimiter, R
from reactive_config._bindings.limits.rate import Rate
from reactive_config._bindings.limits.rule import ALLOWED, Decision
from reactive_config._bindings.limits.shared_window import RETRY, SECOND, SharedWindow
from reactive_config._bindings.limits.window import SlidingWindow
from reactive_config._core.runtime.live import Live, label
from reactive_config._core.status import BindingState, BindingStatus
from reactive_config.errors import InvalidValue

if TYPE_CHECKING:
    from redis.asyncio import Redis

OnFailure = Literal["local", "refuse", "allow"]

_MEANWHILE = {"local": "each process limits by itself", "refuse": "nothing passes", "allow": "everything passes"}


class RedisRateLimiter(LiveLimiter[R]):
    """A rate limit shared by all processes that use one Redis. Made by `redis_rate_limiter`."""

    self_bounded: ClassVar[bool] = False  # it waits for the client of Redis to close

    def __init__(
        self, live: Live[R], shared: SharedWindow, on_failure: OnFailure, max_keys: int, clock: Clock, name: str
    ) -> None:
        super().__init__(live, SlidingWindow, max_keys, clock, label("redis_rate_limiter", live, name))
        self._shared = shared
        self._on_failure: OnFailure = on_failure
        self._alone_at: int | None = None  # when this process last decided by itself; Redis does not know of that

    async def try_acquire(self, key: str = "", cost: int = 1) -> Decision:
        """Pass now or not at all; does not overtake those who wait for the same key in this process.

        Args:
            key: Who is limited, in all processes.
            cost: How much it takes; a whole number, 1 or more.

        Raises:
            TooCostly: The cost is above the limit in force.
            TypeError: The key is no str.
            ValueError: The key has a character that the client's encoding has not.
            redis.RedisError: Redis refuses this call alone, as if the key in Redis holds something else.
            Closed: The limiter's context ended while Redis was asked.
            RuntimeError: The limiter is not open.
        """
        self._shared.check("key", key)
        self._check(cost)
        rate, owed = self.rate, self._lines.owed(key)
        if owed and rate is not None:
            return Decision(False, (owed + cost) * rate.window / rate.limit / SECOND if rate.limit else None, 0)
        return await self._decide(key, cost)

    async def acquire(self, key: str = "", cost: int = 1) -> None:
        """Return once it is allowed to go on; first come first served for each key among this process's callers.

        A new rate is seen at once. A call that is cancelled while Redis answers may have taken its cost.

        Args:
            key: Who is limited, in all processes.
            cost: How much it takes; a whole number, 1 or more.

        Raises:
            TooCostly: The cost is above the limit, from the start or since a change.
            Closed: The limiter's context ended while waiting.
            TypeError: The key is no str.
            ValueError: The key has a character that the client's encoding has not.
            redis.RedisError: Redis refuses this call alone, as if the key in Redis holds something else.
            RuntimeError: The limiter is not open.
        """
        await checkpoint()
        self._shared.check("key", key)
        self._check(cost)
        with self._lines.place(key, cost) as (turn, is_first):
            while True:
                decision = await self._decide(key, cost) if is_first() else None
                if decision:
                    return
                await self._wait(turn, self._due(decision))

    def status(self) -> BindingStatus:
        """Where it stands; RETRYING while Redis does not answer or cannot be asked, with what happens meanwhile."""
        said = super().status()
        trouble = ""
        if away := self._shared.away:
            trouble = f"no answer from Redis ({away}): {_MEANWHILE[self._on_failure]}"
        elif busy := self._shared.busy:
            trouble = f"Redis cannot be asked ({busy}): what cannot be asked is refused"
        if trouble and said.state is BindingState.IN_FORCE:
            said = msgspec.structs.replace(said, state=BindingState.RETRYING, error=trouble)
        return msgspec.structs.replace(said, failures=said.failures + self._shared.losses)

    async def prepare(self, value: R) -> None:
        await super().prepare(value)
        if self._next is not None and self._next.window % SECOND:
            raise InvalidValue(
                "whole seconds with redis_rate_limiter (20/3s rather than 10/1500ms), got a fraction", at="per"
            )

    async def release(self) -> None:
        await super().release()
        await self._shared.close()

    async def _decide(self, key: str, cost: int) -> Decision:
        rate = self.rate
        if rate is None:
            return ALLOWED
        if not rate.limit:
            return Decision(False, None, 0)
        if self._was_alone(rate):
            refused = self._refused_here(key, cost)
            if refused is not None:
                await self._shared.look(rate, key)  # else nobody would find out that it is back
                return refused
        decision = await self._shared.take(rate, key, cost)
        if decision is None:
            return self._without(key, cost)
        return self._counted(key, cost) if decision and self._on_failure == "local" else decision

    def _was_alone(self, rate: Rate) -> bool:
        """Whether this process let something through by itself that may still be within a window."""
        return self._alone_at is not None and self._clock.now() - self._alone_at <= rate.window

    def _refused_here(self, key: str, cost: int) -> Decision | None:
        """The refusal of this process's own count; None if that would let it through. Takes nothing."""
        now = self._clock.now()
        at = self._keys.when(key, cost, now) if self._keys is not None else now
        if self._keys is None or (at is not None and at <= now):
            return None
        return Decision(False, None if at is None else (at - now) / SECOND, self._keys.remaining(key, now))

    def _counted(self, key: str, cost: int) -> Decision:
        """The decision where Redis lets it through: it is counted here too, for an outage to come."""
        rate, keys = self.rate, self._keys
        if rate is None or keys is None:  # no limit any more
            return ALLOWED
        if self._was_alone(rate):  # another call may have passed while Redis was asked
            return self._here(keys, key, cost, owed=0)
        keys.count(key, cost, self._clock.now())
        return ALLOWED

    def _without(self, key: str, cost: int) -> Decision:
        """The decision where Redis does not say."""
        if self._on_failure == "allow" or self._keys is None:
            return ALLOWED
        if self._on_failure == "refuse":
            return Decision(False, RETRY, 0)
        decision = self._here(self._keys, key, cost, owed=0)
        if decision:
            self._alone_at = self._clock.now()
        return decision

    def _due(self, decision: Decision | None) -> int | None:
        """When to ask again after a refusal; None to wait for one's turn, or for another rate."""
        if decision is None or decision.retry_after is None:
            return None
        # This process's own count may say a long time; Redis may be back before.
        seconds = min(decision.retry_after, RETRY) if self._shared.away else decision.retry_after
        return self._clock.now() + int(seconds * SECOND)


def redis_rate_limiter(
    live: Live[R],
    redis: Redis | str,
    *,
    space: str,
    on_failure: OnFailure = "local",
    timeout: float = 0.5,
    max_keys: int = MOST_KEYS,
    clock: Clock | None = None,
    name: str = "",
) -> RedisRateLimiter[R]:
    """A rate limit that follows a live rate and holds across processes.

        async with redis_rate_limiter(config.select("requests"), "redis://10.0.0.5", space="shop") as limiter:
            if not (decision := await limiter.try_acquire(client)): ...

    At most `limit` in any window as long as `per`, for each key, over all processes whose limiters have one Redis and
    one `space`: a sliding window, by the library `limits`. Windows are whole seconds, limits whole numbers; a key takes
    a list of up to `limit` entries in Redis. The window is as exact as the clocks of the hosts agree.

    A changed limit judges what passed before it. While processes learn of a change, each goes by the rate that it has.
    A window that shrinks forgets what only the longer one counted.

    If Redis does not answer in time, `on_failure` decides, the status shows it, and Redis is asked again every second:
    `local` limits in each process by itself, at the same rate, counting what Redis let it through before (so n
    processes let up to n times as much through in a window, and one never more than the limit); `refuse` lets nothing
    through; `allow` everything. Load is no outage: calls wait for a connection, and one that gets none is refused.

    Args:
        live: A `RateRule`, see `rate_limiter`.
        redis: A `redis.asyncio.Redis`, which stays yours to close and lends at most half of its connections; or a URL.
        space: Stands before the keys in Redis, with a colon after it, and its own colons escaped (`%3A`): limiters of
            one space share their counts, those of different spaces share nothing.
        on_failure: See above.
        timeout: Seconds that Redis may take; the time for which this process held its event loop is left out.
        max_keys: How many keys may be counted in this process; beyond it, newcomers share one while Redis is away.
        clock: Where this process's own time comes from.
        name: For the status.

    Raises:
        ImportError: A library of the extra `limits` is missing.
        TypeError: `redis` is neither a client nor a URL, or `space` no text.
        ValueError: The URL is none, without a word of it in the text; or another argument is not as above.
    """
    if on_failure not in _MEANWHILE:
        raise ValueError(f"on_failure: expected {', '.join(get_args(OnFailure))}, got {on_failure!r}")
    if not timeout > 0:
        raise ValueError(f"timeout: expected seconds above 0, got {timeout}")
    clock = clock or LoopClock()
    return RedisRateLimiter(live, SharedWindow(redis, space, timeout, clock), on_failure, max_keys, clock, name)
