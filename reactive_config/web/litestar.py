"""Dependencies for Litestar: `dependencies={"config": Provide(current)}`.

Litestar knows the parameter `scope` by its name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import Scope

from reactive_config import Config, Live, Snapshot
from reactive_config._web import connections


async def configuration(scope: Scope) -> Config[Any]:
    """`Provide(configuration)`: all of it; `.current` of it may change while the request runs."""
    return connections.configuration(scope)


async def current(scope: Scope) -> Any:
    """`Provide(current)`: the typed configuration, the same for the whole of one request."""
    return connections.current(scope)


async def snapshot(scope: Scope) -> Snapshot[Any]:
    """`Provide(snapshot)`: the same with its generation and revisions."""
    return connections.snapshot(scope)


def live(part: Callable[[Any], Any] | str) -> Callable[[Scope], Awaitable[Live[Any]]]:
    """`Provide(live("database.pool"))`: a part as it changes, for what outlives a change; see `Config.select`."""

    async def provide(scope: Scope) -> Live[Any]:
        return connections.live(scope, part)

    return provide
