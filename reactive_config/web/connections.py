"""What one ASGI connection sees of the configuration: one snapshot, from its first look to its last.

A connection is anything with an ASGI `scope` (requests and websockets of Starlette, FastAPI and Litestar), or the scope
itself. Its snapshot is kept in `scope["state"]`, which belongs to one connection and which copies of the scope
share, so that a middleware, a dependency and the handler see the same one, in whichever order they look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Protocol

from reactive_config import Config, Live, Snapshot

KEY = "reactive_config"
"""Where the configuration is kept, in the application's state and in the connection's."""

PINNED = "reactive_config.snapshot"
"""Where the connection keeps what it sees."""


class _HasScope(Protocol):
    @property
    def scope(self) -> Any: ...


Connection = _HasScope | Mapping[str, object]


def configuration(connection: Connection) -> Config[Any]:
    """The configuration of the application that serves a connection.

    Raises:
        RuntimeError: The application has none: neither `lifespan` nor `attach` did run for it.
    """
    scope = _scope(connection)
    found = getattr(getattr(scope.get("app"), "state", None), KEY, None)  # a mounted application's own comes first
    if found is None:
        found = scope.get("state", {}).get(KEY)
    if found is None:
        raise RuntimeError(
            "expected an application with a configuration, got one without: use lifespan=lifespan(...) of "
            "reactive_config.web, or attach(app, config) in a lifespan of your own, and let the server run it"
        )
    config: Config[Any] = found
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
    """A part as it changes, whatever the connection saw before; see `Config.select`."""
    return configuration(connection).select(part)


def _scope(connection: Connection) -> MutableMapping[str, Any]:
    found: Any = connection if isinstance(connection, dict) else getattr(connection, "scope", None)
    if not isinstance(found, MutableMapping):
        raise TypeError(f"expected a request, a websocket or an ASGI scope, got {type(connection).__name__}")
    return found
