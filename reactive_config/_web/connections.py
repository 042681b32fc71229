"""What one ASGI connection sees of the configuration: one snapshot, from its first look to its last.

A connection is anything with an ASGI `scope` (requests and websockets of Starlette, FastAPI and Litestar), or the scope
itself. Its snapshot is kept in `scope["state"]`, which belongs to one connection and which copies of the scope
share, so that a middleware, a dependency and the handler see the same one, in whichever order they look.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, MutableMapping
from typing import Any, Protocol, TypeVar

from reactive_config import Config, Live, Snapshot
from reactive_config._core.runtime.operator_log import logger
from reactive_config._web.shutdown import RequestLive, Shutdown, until

T = TypeVar("T")

KEY = "reactive_config"
"""Where the configuration is kept, in the application's state and in the connection's."""

SHUTDOWN = "reactive_config.shutdown"
"""Where what ends the streams is kept, beside the configuration."""

PINNED = "reactive_config.snapshot"
"""Where the connection keeps what it sees."""


_LOGGED = "reactive_config.logged"

_MISSING = (
    "expected an application with a configuration, got one without: use lifespan=lifespan(...) of reactive_config.web, "
    "or attach(app, config) in a lifespan of your own. If it does, it was not started: the server sent no lifespan "
    "events (daphne and uvicorn --lifespan off send none, and nobody sends them to an application that is mounted in "
    "another one). Use uvicorn, hypercorn or granian, or open the configuration yourself, in the server's loop, and "
    "attach it"
)


class _HasScope(Protocol):
    @property
    def scope(self) -> Any: ...


Connection = _HasScope | Mapping[str, object]


def configuration(connection: Connection) -> Config[Any]:
    """The configuration of the application that serves a connection.

    Raises:
        RuntimeError: The application has none: neither `lifespan` nor `attach` ran for it. Logged once for each
            application, too, as some servers and frameworks answer 500 and are silent.
    """
    scope = _scope(connection)
    config: Config[Any] | None = _kept(scope, KEY)
    if config is None:
        _log_once(scope.get("app"))
        raise RuntimeError(_MISSING)
    return config


def snapshot(connection: Connection) -> Snapshot[Any]:
    """The snapshot that a connection sees: the one in force when it first looked. Any thread may ask.

    Raises:
        RuntimeError: The application has no configuration.
    """
    state = _scope(connection).setdefault("state", {})
    return pinned(state.setdefault(PINNED, {}), configuration(connection))


def pinned(pins: dict[Config[Any], Snapshot[Any]], config: Config[Any]) -> Snapshot[Any]:
    """The snapshot that was pinned first of a configuration; applications mounted in one another may have several."""
    return pins.setdefault(config, config.snapshot)  # atomic, also between threads


def current(connection: Connection) -> Any:
    """The typed configuration that a connection sees, from its first look to its last. Any thread may ask.

    A connection that lives long (a websocket, a stream) rather wants `live`.

    Raises:
        RuntimeError: The application has no configuration.
    """
    return snapshot(connection).value


def live(connection: Connection, part: Callable[[Any], Any] | str) -> Live[Any]:
    """A part as it changes, whatever the connection saw before; see `Config.select`.

    Its iteration ends with the configuration, and when the server begins to shut down; see `until_shutdown`.
    """
    selected = configuration(connection).select(part)
    shutdown: Shutdown | None = _kept(_scope(connection), SHUTDOWN)
    return selected if shutdown is None else RequestLive(selected, shutdown)


def until_shutdown(connection: Connection, stream: AsyncIterable[T]) -> AsyncIterator[T]:
    """The items of any stream until it ends, or the server begins to shut down.

        async for snapshot in until_shutdown(request, configuration(request)):
            yield f"data: {snapshot.generation}\n\n"

    A server waits for open responses before it shuts down the application, so a stream that does not end by itself
    keeps the process from ending. Waiting for the next item is cancelled, so a generator is ended by that.

    The shutdown begins with SIGINT or SIGTERM, if the server handles them in the main thread of this process and did so
    before it started the application (uvicorn, hypercorn, granian and aiohttp's `run_app` do), or with `end_streams`.

    Raises:
        RuntimeError: The application has no configuration.
    """
    configuration(connection)
    shutdown: Shutdown | None = _kept(_scope(connection), SHUTDOWN)
    return until(stream, shutdown or Shutdown())


def end_streams(app: Any) -> None:
    """End what `live` and `until_shutdown` give to requests of an application; in its loop.

    For a server that is stopped without a signal, before it is: `end_streams(app); server.should_exit = True`.

    Args:
        app: The one that `lifespan` or `attach` ran for. Nothing happens if it has no open configuration.
    """
    shutdown: Shutdown | None = getattr(app.state, SHUTDOWN, None)
    if shutdown is not None:
        shutdown.begin()


def _kept(scope: Mapping[str, Any], key: str) -> Any:
    """What the nearest application keeps: a mounted one comes before those around it."""
    found = getattr(getattr(scope.get("app"), "state", None), key, None)
    return scope.get("state", {}).get(key) if found is None else found


def _log_once(app: Any) -> None:
    state = getattr(app, "state", None)
    if state is not None and not getattr(state, _LOGGED, False):
        setattr(state, _LOGGED, True)
        logger.error("%s", _MISSING)


def _scope(connection: Connection) -> MutableMapping[str, Any]:
    found: Any = connection if isinstance(connection, dict) else getattr(connection, "scope", None)
    if not isinstance(found, MutableMapping):
        raise TypeError(f"expected a request, a websocket or an ASGI scope, got {type(connection).__name__}")
    return found
