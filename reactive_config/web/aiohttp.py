"""The same for aiohttp: opened by `cleanup_ctx`, found through `config_dict`, mounted by `add_subapp`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from aiohttp import web

from reactive_config import Config, Live, Snapshot
from reactive_config._web.asgi import MAX_BODY, BodyNotRead, EndpointRequest
from reactive_config._web.connections import PINNED, pinned
from reactive_config._web.lifespan import Follow, Make, Within, opened
from reactive_config._web.operations import Operations
from reactive_config._web.shutdown import RequestLive, Shutdown, until

T = TypeVar("T")

CONFIG: web.AppKey[Config[Any]] = web.AppKey("reactive_config", Config)
"""Where the application keeps it."""

_SHUTDOWN: web.AppKey[Shutdown] = web.AppKey("reactive_config.shutdown", Shutdown)

# aiohttp before 3.14 takes any key for what a request keeps.
_PINNED: Any = getattr(web, "RequestKey", web.AppKey)(PINNED, dict)


def cleanup_ctx(
    make: Make[T],
    *within: Within[T],
    bindings: Mapping[web.AppKey[Any], Follow[T]] | None = None,
    leave_within: float = 20.0,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """`app.cleanup_ctx.append(cleanup_ctx(lambda: open_config(App, Files("config"))))`; see `lifespan`.

    What one of `within` gives is kept in the application where it is a mapping. Its keys, and those of `bindings`,
    should be `web.AppKey`s.
    """

    async def run(app: web.Application) -> AsyncIterator[None]:
        async with opened(make, within, bindings or {}, leave_within) as (config, found):
            app[CONFIG], app[_SHUTDOWN] = config, Shutdown()
            for key, thing in found.items():
                app[key] = thing
            with app[_SHUTDOWN].following_signals():
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
    """A part as it changes, for what outlives a change; see `Config.select`.

    Its iteration ends with the configuration, and when the server begins to shut down; see `until_shutdown`.
    """
    selected = configuration(request).select(part)
    shutdown = request.config_dict.get(_SHUTDOWN)
    return selected if shutdown is None else RequestLive(selected, shutdown)


def until_shutdown(request: web.Request, stream: AsyncIterable[T]) -> AsyncIterator[T]:
    """The items of any stream until it ends, or the server begins to shut down.

    That is with the SIGINT or SIGTERM that `run_app` handles, or with `end_streams`.

    Raises:
        RuntimeError: The application has no configuration.
    """
    configuration(request)
    return until(stream, request.config_dict.get(_SHUTDOWN) or Shutdown())


async def end_streams(app: web.Application) -> None:
    """End what `live` and `until_shutdown` give: `app.on_shutdown.append(end_streams)`, for your own `AppRunner`."""
    if (shutdown := app.get(_SHUTDOWN)) is not None:
        shutdown.begin()


def operations_app(operations: Operations) -> web.Application:
    """The endpoints as an application: `app.add_subapp("/ops", operations_app(operations))`."""

    async def answer(request: web.Request) -> web.Response:
        call = EndpointRequest(request.method, request.match_info["path"], request.raw_headers, None)
        try:
            given = operations.answer(call)
        except BodyNotRead:
            given = operations.answer(call._replace(body=await _read(request)))
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
