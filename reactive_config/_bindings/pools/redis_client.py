"""redis: a client that follows a live value, and is closed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import anyio

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.closing import close_within, closed_text
from reactive_config._bindings.pools.known_arguments import KnownArguments, names_of
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._core.runtime.live import Live, label

if TYPE_CHECKING:
    from redis.asyncio import Redis


class _Ending:
    """Mixed into the connections of one client: once it is closed, none connects any more, nor goes on connecting.

    A closed client of redis would connect again for whoever still has it, and nobody would close that.

    Attributes:
        ended: Whether the client is closed.
        owner: What it is called in the error.
        connecting: Those who connect now.
        made: All connections that are still there.
    """

    ended = False
    owner = ""
    connecting: set[anyio.CancelScope]
    made: WeakSet[Any]

    async def connect(self) -> None:
        await self._unless_ended(super().connect)  # type: ignore[misc]

    async def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        await self._unless_ended(super().connect_check_health, *args, **kwargs)  # type: ignore[misc]

    async def _unless_ended(self, connect: Any, *args: Any, **kwargs: Any) -> None:
        kind = type(self)
        kind.made.add(self)
        if not kind.ended:
            with anyio.CancelScope() as scope:
                kind.connecting.add(scope)
                try:
                    await connect(*args, **kwargs)
                finally:
                    kind.connecting.discard(scope)
        if kind.ended:
            from redis.exceptions import RedisError

            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise RedisError(closed_text(kind.owner))  # a ConnectionError would be tried again


def made_to_end(client: Redis, owner: str) -> Redis:
    """The same client, which `close_for_good` can close for good.

    Args:
        client: Has not connected yet.
        owner: What it is called in the error for those who kept it.
    """
    pool = client.connection_pool
    marks = {"connecting": set(), "made": WeakSet(), "owner": owner}
    pool.connection_class = type(pool.connection_class.__name__, (_Ending, pool.connection_class), marks)
    return client


async def close_for_good(client: Redis) -> None:
    """Close a client of `made_to_end` with all connections; it does not connect again."""
    kind: Any = client.connection_pool.connection_class
    kind.ended = True

    async def cut() -> None:
        for scope in list(kind.connecting):
            scope.cancel()
        for connection in list(kind.made):
            if connection.is_connected:  # what is still to be sent would keep the socket open
                connection._writer.transport.abort()
            await connection.disconnect(nowait=True)

    await close_within(client.aclose, cut)


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
        known=KnownArguments("redis.asyncio.Redis", names_of(redis.asyncio.Redis), unless="url"),
        answers=(redis.ConnectionError, redis.TimeoutError, redis.ResponseError),
    )


async def _check(client: Redis) -> None:
    await client.ping()
