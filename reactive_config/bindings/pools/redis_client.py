"""redis: a client that follows a live value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from reactive_config.bindings.pools.adapter import CLOSE_WITHIN, Options, adapter, extra
from reactive_config.bindings.pools.live_pool import LivePool
from reactive_config.bindings.pools.options import Arguments
from reactive_config.core.live import Live

if TYPE_CHECKING:
    from redis.asyncio import Redis

U = TypeVar("U")


class _Ending:
    """Mixed into the connections of one client: once it is closed, none connects any more.

    A closed client of redis would connect again for whoever still has it, and nobody would close that.
    """

    ended = False

    async def connect(self) -> None:
        await self._unless_ended(super().connect)  # type: ignore[misc]

    async def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        await self._unless_ended(super().connect_check_health, *args, **kwargs)  # type: ignore[misc]

    async def _unless_ended(self, connect: Any, *args: Any, **kwargs: Any) -> None:
        if not self.ended:
            await connect(*args, **kwargs)
        if self.ended:
            from redis.exceptions import RedisError

            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise RedisError("the client is closed")  # a ConnectionError would be tried again


def redis_client(
    live: Live[U],
    *,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, Redis]:
    """A client of Redis with its pool, made anew when its value changes; extra `redis`.

        async with redis_client(config.select("cache")) as cache:
            async with cache.use() as client:
                await client.get("key")

    A new client has answered a PING before it is used. An old one is closed with all connections, also those in use
    after the drain, and does not connect again.

    Args:
        live: What `redis.asyncio.Redis` takes: `host`, `port`, `password`, ...; with `url` what `Redis.from_url` takes.
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old client have to finish.
        deadline: Seconds that connecting may take.
        name: For the status.
    """
    with extra("redis"):
        import redis.asyncio

    async def open_client(arguments: Arguments) -> Redis:
        kind = redis.asyncio.Redis
        client = kind.from_url(**arguments) if "url" in arguments else kind(**arguments)
        pool = client.connection_pool
        pool.connection_class = type(pool.connection_class.__name__, (_Ending, pool.connection_class), {})
        return client

    return adapter(
        "redis_client",
        live,
        open_client,
        close=_close,
        check=_check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        answers=(redis.ConnectionError, redis.TimeoutError, redis.ResponseError),
    )


async def _check(client: Redis) -> None:
    await client.ping()


async def _close(client: Redis) -> None:
    kind: Any = client.connection_pool.connection_class
    kind.ended = True
    with anyio.move_on_after(CLOSE_WITHIN):
        await client.aclose()
