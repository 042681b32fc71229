"""redis: a client that is closed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import anyio

from reactive_config.bindings.pools.closing import close_within, closed_text

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
