"""Several bindings that change in one turn of the loop, or not at all."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.follower import Follower
from reactive_config.core.host import Host


class Together:
    """Made by `together`."""

    def __init__(self, members: tuple[Binding[Any], ...]) -> None:
        if not members:
            raise TypeError("together: expected at least one binding, got none")
        self._members = members
        self._host = Host("together")

    async def __aenter__(self) -> tuple[Binding[Any], ...]:
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._host.enter(Follower(self._members).run(started), started)
        return self._members

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._host.leave(error)


def together(*members: Binding[Any]) -> Together:
    """Bindings of one configuration as one: `async with together(database, cache): ...`

    It enters its members. From then on all of them are prepared from one generation and committed in one
    turn of the loop; if one fails, none changes, and all are tried again.

    Args:
        members: Not entered yet.
    """
    return Together(members)
