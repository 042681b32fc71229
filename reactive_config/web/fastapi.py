"""Dependencies for FastAPI: `config: Annotated[App, Depends(current)]`.

Coroutine functions, so that FastAPI asks them in the loop; what they give is then read from any thread, so handlers
may be plain functions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import HTTPConnection

from reactive_config import Config, Live, Snapshot
from reactive_config._web import connections


async def configuration(connection: HTTPConnection) -> Config[Any]:
    """`Depends(configuration)`: all of it; `.current` of it may change while the request runs."""
    return connections.configuration(connection)


async def current(connection: HTTPConnection) -> Any:
    """`Depends(current)`: the typed configuration, the same for the whole of one request."""
    return connections.current(connection)


async def snapshot(connection: HTTPConnection) -> Snapshot[Any]:
    """`Depends(snapshot)`: the same with its generation and revisions."""
    return connections.snapshot(connection)


def live(part: Callable[[Any], Any] | str) -> Callable[[HTTPConnection], Awaitable[Live[Any]]]:
    """`Depends(live("database.pool"))`: a part as it changes, for what outlives a change; see `Config.select`."""

    async def provide(connection: HTTPConnection) -> Live[Any]:
        return connections.live(connection, part)

    return provide
