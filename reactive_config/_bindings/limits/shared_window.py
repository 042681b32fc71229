"""A sliding window in Redis, counted by the library `limits`; and what to do with a Redis that does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from reactive_config._bindings.clocks import Clock
from reactive_config._bindings.limits.rate import Rate
from reactive_config._bindings.limits.redis_errors import is_outage, is_pool_full, is_server_full
from reactive_config._bindings.limits.rule import Decision
from reactive_config._bindings.limits.running_time import fail_after_running
from reactive_config._core.runtime.operator_log import logger
from reactive_config._extras import install
from reactive_config.errors import Closed

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

SECOND = 1_000_000_000

RETRY = 1.0
"""Seconds after which a Redis that did not answer is asked again; by one call, the others do not wait for it."""

MOST_AT_ONCE = 50
"""Questions under way; more wait for their turn here. A client of the user's lends at most half of its connections."""

_LOOK = 0.005
"""Seconds between two looks for a free connection: most pools of redis-py give no sign when there is one."""

_POOL_FULL = "the client has no free connection"
_SERVER_FULL = "the server has as many clients as it may have"


class TooBusy(Exception):
    """Redis is there, and there was no connection to ask it by."""


class SharedWindow:
    """What passed for each key, in a list of its own in Redis.

    The list does not depend on the rate, so a changed limit judges what passed before it.

    Load must not be taken for an outage, or the limit would end just when it is needed. So calls wait here for their
    turn before their time begins, and the time for which this process held the loop does not count. If the client
    of the user has no free connection in all that time, another connection finds out whether Redis is there.

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
        TypeError: It is neither a client nor a URL; a cluster's client is not supported. Or the space is no text.
        ValueError: The URL is none, or the space cannot be encoded. The text quotes neither.
    """

    def __init__(self, redis: Redis | str, space: str, timeout: float, clock: Clock) -> None:
        try:
            from limits.aio.storage import RedisStorage
            from redis.asyncio import Redis as Client
        except ImportError as error:
            raise ImportError(f"redis_rate_limiter needs limits and redis: {install('limits')}") from error
        if not isinstance(redis, (str, Client)):
            raise TypeError(f"redis: expected a redis.asyncio.Redis or a URL, got {type(redis).__name__}")
        client = _own_client(redis) if isinstance(redis, str) else redis
        self._own = client if isinstance(redis, str) else None
        pool: Any = client.connection_pool
        self._encode: Callable[[str], bytes] = pool.get_encoder().encode
        self.check("space", space)
        lent = pool.max_connections if self._own is not None else pool.max_connections // 2
        self._gate = asyncio.Semaphore(max(1, min(MOST_AT_ONCE, lent)))
        self._pool = pool
        # The scheme only chooses the protocol; the connections are the pool's.
        self._storage = RedisStorage(
            "redis://", implementation="redispy", key_prefix=_without_colon(space), connection_pool=pool
        )
        self._timeout = timeout
        self._clock = clock
        self._ask_at = 0
        self._closed = False
        self._busy = ""
        self._busy_until = 0
        self.away: str = ""
        self.losses: int = 0

    @property
    def busy(self) -> str:
        """Why Redis could not be asked in the last second, though it is there; empty if it could."""
        return self._busy if self._clock.now() < self._busy_until else ""

    def check(self, what: str, text: object) -> None:
        """Raise unless a text can be a part of a key in Redis.

        Args:
            what: The name of the argument, for the error.

        Raises:
            TypeError: It is no text. Redis would not tell 5 from "5".
            ValueError: The client's encoding does not have it.
        """
        if not isinstance(text, str):
            raise TypeError(f"{what}: expected a str, got {type(text).__name__}")
        try:
            self._encode(text)
        except UnicodeError:
            pass
        else:
            return
        # Outside of the handler: the codec's error holds the text.
        raise ValueError(f"{what}: expected a text that the client's encoding has, got another character")

    async def take(self, rate: Rate, key: str, cost: int) -> Decision | None:
        """Let `cost` through if that is allowed; None if Redis does not say.

        Raises:
            redis.RedisError: Redis refuses this call alone.
        """
        try:
            return await self._take(_window(rate, key), cost)
        except TooBusy:
            return Decision(False, RETRY, 0)

    async def look(self, rate: Rate, key: str) -> None:
        """Find out whether a Redis that was away is there again, if it is time for that; take nothing.

        Raises:
            redis.RedisError: Redis refuses this call alone.
        """
        if self.away:
            with suppress(TooBusy):
                await self._ask(lambda: self._storage.get_moving_window(*_window(rate, key)))

    async def close(self) -> None:
        """Ask no more. A client of its own is closed under those who ask."""
        from reactive_config._bindings.pools.redis_client import close_for_good

        self._closed = True
        if self._own is not None:
            await close_for_good(self._own)

    async def _take(self, window: tuple[str, int, int], cost: int) -> Decision | None:
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

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None where there is none in time, or where there was none a moment ago.

        Raises:
            TooBusy: There is no connection to ask by, now or a moment ago.
            Closed: It is closed, or was closed meanwhile.
            redis.RedisError: Redis refuses this question alone.
        """
        from redis.exceptions import RedisError

        if self._is_known_away():
            return None
        async with self._gate:
            if self._is_known_away():  # found by one of those before
                return None
            self._ask_at = self._clock.now() + int(RETRY * SECOND)
            try:
                with fail_after_running(self._timeout):
                    answer = await self._answer(question)
            except (RedisError, OSError) as error:  # TimeoutError is an OSError
                await self._failed(error)
                return None
        if self.away:
            logger.info("rate limits in Redis: it answers again")
            self.away = ""
        return answer

    def _is_known_away(self) -> bool:
        if self._closed:
            raise Closed("the rate limiter's context ended")
        if self.busy == _POOL_FULL and not self._has_room():
            raise TooBusy
        return bool(self.away) and self._clock.now() < self._ask_at

    async def _answer(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask once there is a connection for it."""
        from redis.exceptions import NoScriptError, RedisError

        while True:
            if self._has_room():
                try:
                    return await question()
                except NoScriptError:
                    pass  # forgotten again between loading and calling it
                except RedisError as error:
                    if not is_pool_full(error):  # somebody else took the last one first
                        raise
            await asyncio.sleep(_LOOK)

    async def _failed(self, error: Exception) -> None:
        """Note an outage.

        Raises:
            TooBusy: It is none, there was no connection.
            Closed: The limiter was closed meanwhile.
            Exception: The error itself: it is none, Redis refuses this call.
        """
        if self._closed:
            raise Closed("the rate limiter's context ended while Redis was asked") from None
        if is_server_full(error):
            self._crowded(_SERVER_FULL)
            raise TooBusy from None
        if not self._has_room() and await self._is_there():
            self._crowded(_POOL_FULL)
            raise TooBusy from None
        if not is_outage(error):
            self.away = ""
            raise error
        self._lost(type(error).__name__)

    def _has_room(self) -> bool:
        has_room: bool = self._pool.can_get_connection()
        return has_room

    async def _is_there(self) -> bool:
        """Whether Redis answers on a connection that is not of the pool."""
        from redis.exceptions import RedisError

        connection = self._pool.make_connection()
        try:
            with fail_after_running(self._timeout):
                await connection.connect()
                await connection.send_command("PING")
                await connection.read_response()
        except (RedisError, OSError) as error:
            return is_server_full(error)
        finally:
            with anyio.CancelScope(shield=True):
                await connection.disconnect(nowait=True)
        return True

    def _crowded(self, why: str) -> None:
        if not self.busy:
            logger.warning("rate limits in Redis: refused what could not be asked (%s)", why)
        self.away, self._busy = "", why
        self._busy_until = self._clock.now() + int(RETRY * SECOND)

    def _lost(self, why: str) -> None:
        # Its own text may name the host and the user.
        if not self.away:
            self.losses += 1
            logger.warning("rate limits in Redis: no answer (%s)", why)
        self.away = why


def _window(rate: Rate, key: str) -> tuple[str, int, int]:
    """A key, its limit, and the seconds of its window, as `limits` takes them."""
    return key, int(rate.limit), rate.window // SECOND


def _without_colon(space: str) -> str:
    """The space, with its colons escaped: the first colon in a key of Redis ends the space."""
    return space.replace("%", "%25").replace(":", "%3A")


def _own_client(url: str) -> Redis:
    """A client for a URL.

    Raises:
        ValueError: Redis cannot read the URL, or does not know one of its options. What redis-py raises quotes the
            part that it cannot read, which may be of a password; the text here names only the kind of its error.
    """
    try:
        return _client_of(url)
    except Exception as error:  # noqa: BLE001 - as above
        got = type(error).__name__
    # Outside of the handler: the replaced error must not hang on this one either.
    raise ValueError(f"redis: expected the URL of a Redis, got {got}")


def _client_of(url: str) -> Redis:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from reactive_config._bindings.pools.redis_client import made_to_end

    # Once more at once, for a connection that the server closed meanwhile; longer tries would only hide the error.
    retry: Any = Retry(NoBackoff(), 1)
    pool: Any = BlockingConnectionPool.from_url(url, max_connections=MOST_AT_ONCE, timeout=None, retry=retry)
    pool.make_connection()  # without connecting: raises here for an option that it does not know, not in every call
    return made_to_end(Redis.from_pool(pool), "redis_rate_limiter")
