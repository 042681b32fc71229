"""The same for aiohttp: opened by `cleanup_ctx`, found through `config_dict`, mounted by `add_subapp`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from aiohttp import web

from reactive_config import Config, Live, Snapshot
from reactive_config.web.answers import MAX_BODY, Call
from reactive_config.web.connections import PINNED, pinned
from reactive_config.web.lifespan import Make, Within, opened
from reactive_config.web.operations import Operations

T = TypeVar("T")

CONFIG: web.AppKey[Config[Any]] = web.AppKey("reactive_config", Config)
"""Where the application keeps it."""

# aiohttp before 3.14 takes any key for what a request keeps.
_PINNED: Any = getattr(web, "RequestKey", web.AppKey)(PINNED, dict)


def cleanup_ctx(make: Make[T], *within: Within[T]) -> Callable[[web.Application], AsyncIterator[None]]:
    """`app.cleanup_ctx.append(cleanup_ctx(lambda: open_config(App, Files("config"))))`; see `lifespan`.

    What one of `within` gives is kept in the application where it is a mapping; its keys should be `web.AppKey`s.
    """

    async def run(app: web.Application) -> AsyncIterator[None]:
        async with opened(make, within) as (config, found):
            app[CONFIG] = config
            for key, thing in found.items():
                app[key] = thing
            yield

    return run


def configuration(request: web.Request) -> Config[Any]:
    """The configuration of the application that serves a request, or of the nearest one around it.

    Raises:
        RuntimeError: There is none.
    """
    config: Config[Any] | None = request.config_dict.get(CONFIG)
    if config is None:
        raise RuntimeError("expected an application with a configuration, got one without: append cleanup_ctx(...)")
    return config


def snapshot(request: web.Request) -> Snapshot[Any]:
    """The snapshot that a request sees: the one in force when it first looked."""
    return pinned(request.setdefault(_PINNED, {}), configuration(request))


def current(request: web.Request) -> Any:
    """The typed configuration that a request sees, from its first look to its last."""
    return snapshot(request).value


def live(request: web.Request, part: Callable[[Any], Any] | str) -> Live[Any]:
    """A part as it changes, for what outlives a change; see `Config.select`."""
    return configuration(request).select(part)


def operations_app(operations: Operations) -> web.Application:
    """The endpoints as an application: `app.add_subapp("/ops", operations_app(operations))`."""

    async def answer(request: web.Request) -> web.Response:
        body = await _read(request)
        given = operations.answer(Call(request.method, request.match_info["path"], request.raw_headers, body))
        return web.Response(status=given.status, body=given.body, headers=dict(given.headers))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def _read(request: web.Request) -> bytes:
    """The body; of one that is too long, enough to see that."""
    body = b""
    while len(body) <= MAX_BODY and (chunk := await request.content.read(MAX_BODY + 1 - len(body))):
        body += chunk
    return body
