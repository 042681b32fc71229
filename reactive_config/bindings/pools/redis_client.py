"""redis: a client that follows a live value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from reactive_config.bindings.pools.adapter import Options, adapter, extra, label
from reactive_config.bindings.pools.live_pool import LivePool
from reactive_config.bindings.pools.options import Arguments
from reactive_config.bindings.pools.redis_ending import close_for_good, made_to_end
from reactive_config.core.live import Live

if TYPE_CHECKING:
    from redis.asyncio import Redis

U = TypeVar("U")


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
        return made_to_end(client, label("redis_client", live, name))

    return adapter(
        "redis_client",
        live,
        open_client,
        close=close_for_good,
        check=_check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        answers=(redis.ConnectionError, redis.TimeoutError, redis.ResponseError),
    )


async def _check(client: Redis) -> None:
    await client.ping()
