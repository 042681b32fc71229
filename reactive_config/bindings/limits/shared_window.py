"""A sliding window in Redis, counted by the library `limits`; and what to do with a Redis that does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from reactive_config.bindings.clocks import Clock
from reactive_config.bindings.limits.decision import Decision
from reactive_config.bindings.limits.rate import Rate

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

SECOND = 1_000_000_000

RETRY = 1.0
"""Seconds after which a Redis that did not answer is asked again; by one call, the others do not wait for it."""

logger = logging.getLogger("reactive_config")


class SharedWindow:
    """What passed for each key, in a list of its own in Redis.

    The list does not depend on the rate, so a changed limit judges what passed before it.

    Args:
        redis: A client, which stays the caller's, or a URL.
        space: Stands before the keys in Redis.
        timeout: Seconds that Redis may take.
        clock: When to ask again.

    Attributes:
        away: Why Redis did not answer last; empty if it did.
        losses: How often it stopped answering.

    Raises:
        ImportError: A library is missing.
        TypeError: It is neither a client nor a URL; a cluster's client is not supported.
    """

    def __init__(self, redis: Redis | str, space: str, timeout: float, clock: Clock) -> None:
        try:
            from limits.aio.storage import RedisStorage
            from redis.asyncio import Redis as Client
        except ImportError as error:
            raise ImportError('redis_rate_limiter needs redis: pip install "reactive-config[limits]"') from error
        if not isinstance(redis, (str, Client)):
            raise TypeError(f"redis: expected a redis.asyncio.Redis or a URL, got {type(redis).__name__}")
        client = Client.from_url(redis) if isinstance(redis, str) else redis
        self._own = client if isinstance(redis, str) else None
        pool: Any = client.connection_pool
        # The scheme only chooses the protocol; the connections are the pool's.
        self._storage = RedisStorage("redis://", implementation="redispy", key_prefix=space, connection_pool=pool)
        self._timeout = timeout
        self._clock = clock
        self._ask_at = 0
        self.away = ""
        self.losses = 0

    async def take(self, rate: Rate, key: str, cost: int) -> Decision | None:
        """Let `cost` through if that is allowed; None if Redis does not say."""
        window = (key, int(rate.limit), rate.window // SECOND)
        allowed = await self._ask(lambda: self._storage.acquire_entry(*window, amount=cost))
        if allowed is None:
            return None
        if allowed:
            return Decision(True)
        seen = await self._ask(lambda: self._storage.get_moving_window(*window))
        if seen is None:
            return Decision(False, RETRY, 0)
        oldest, used = seen
        # What stands at the window's very edge still counts: a millisecond more, so as not to ask in vain.
        return Decision(False, max(0.0, oldest + window[2] - time.time()) + 0.001, max(0, window[1] - used))

    async def close(self) -> None:
        if self._own is not None:
            await self._own.aclose()

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None where there is none in time, or where there was none a moment ago."""
        from redis.exceptions import RedisError

        now = self._clock.now()
        if self.away and now < self._ask_at:
            return None
        self._ask_at = now + int(RETRY * SECOND)
        try:
            with anyio.fail_after(self._timeout):
                answer = await question()
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._lost(type(error).__name__)
            return None
        self.away = ""
        return answer

    def _lost(self, why: str) -> None:
        # Its own text may name the host and the user.
        if not self.away:
            self.losses += 1
            logger.warning("rate limits in Redis: no answer (%s)", why)
        self.away = why
