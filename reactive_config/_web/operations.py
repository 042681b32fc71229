"""The endpoints that operators and orchestrators ask: their paths, methods and tokens.

One of them shows the configuration in force: every value, where it stands, and what is held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from reactive_config import Config
from reactive_config._extras import install
from reactive_config._web.asgi import (
    EndpointRequest,
    EndpointResponse,
    ErrorResponse,
    Receive,
    Scope,
    Send,
    as_json,
    plain,
    serve,
)
from reactive_config._web.health import healthz, readyz
from reactive_config._web.loggers import read_all, read_one, set_one
from reactive_config._web.metrics import Metrics, metrics_if_installed
from reactive_config._web.tokens import Check, Token, TokenGate
from reactive_config.bindings import LogLevels

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def effective(config: Config[object]) -> EndpointResponse:
    """All of it, secrets hidden. Costs a walk over the configuration, in the loop."""
    snapshot, status = config.snapshot, config.status()
    return as_json(
        {
            "generation": snapshot.generation,
            "published_at": snapshot.published_at,
            "revisions": dict(snapshot.revisions),
            "settings": {s.path: {"value": s.value, "origin": s.origin} for s in config.describe()},
            "held": [{"source": source.name, "unit": held} for source in status.sources for held in source.held],
            "notes": status.notes,
        }
    )


Handler = Callable[[EndpointRequest], EndpointResponse]


class Operations:
    """Health, metrics, log levels and the configuration itself, to be mounted in an application.

        operations = Operations(config_token=lambda config: config.ops_token)
        app = FastAPI(lifespan=lifespan(lambda: open_config(App, Files("config")), operations.serving))
        app.mount("/ops", operations)

    It is made where the application is, and told of the configuration once that is open (`serving`). Until then
    it is not ready. It is an ASGI application; `answer` is the same for everything else.

    Args:
        levels_token: Who shows it may set log levels; without one nobody may.
        config_token: Who shows it may see `/config`; without one it does not exist.
        strict: Whether stale or failed sources, held content, bindings that cannot follow, and selectors and callbacks
            that raise, make `/readyz` a 503. It takes every instance out of rotation at once where their cause is
            shared.
        registry: For the metrics; an own one unless given. With `prometheus_client.REGISTRY`, `/metrics` shows
            the program's own metrics too.

    Raises:
        ValueError: A token is empty.
        ImportError: `registry` is given and prometheus-client is not installed.
    """

    def __init__(
        self,
        *,
        levels_token: Token = None,
        config_token: Token = None,
        strict: bool = False,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._levels_token = TokenGate("levels_token", levels_token, lambda: self._config)
        self._config_token = TokenGate("config_token", config_token, lambda: self._config)
        self._strict = strict
        self._metrics = Metrics(registry) if registry is not None else metrics_if_installed()
        self._config: Config[Any] | None = None
        self._levels: LogLevels[Any] | None = None
        self._ended = False

    @asynccontextmanager
    async def serving(self, config: Config[Any], levels: LogLevels[Any] | None = None) -> AsyncIterator[None]:
        """Serve a configuration while the block lasts.

        Args:
            config: Open.
            levels: What sets levels by hand, and brings them back; without it they can only be read.

        Raises:
            RuntimeError: It serves one already.
        """
        if self._config is not None:
            raise RuntimeError("expected one configuration at a time, got a second: make an Operations for each")
        self._config, self._levels, self._ended = config, levels, False
        try:
            with self._metrics.watching(config) if self._metrics is not None else nullcontext():
                yield
        finally:
            self._config, self._levels, self._ended = None, None, True

    def answer(self, call: EndpointRequest) -> EndpointResponse:
        """What a call is answered; in the configuration's loop.

        Raises:
            BodyNotRead: The call's body is None, and the answer depends on it.
        """
        try:
            name, _, rest = call.path.strip("/").partition("/")
            methods = self._methods(name, rest)
            handler = methods.get("GET" if call.method == "HEAD" else call.method)
            if handler is None:
                allow = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
                raise ErrorResponse(405, f"method: expected {allow}, got {call.method[:20]}", {"Allow": allow})
            return handler(call)
        except ErrorResponse as refusal:
            return refusal.answer

    def _methods(self, name: str, rest: str) -> dict[str, Handler]:
        """What a path answers to, by method.

        Raises:
            Refused: 404.
        """
        if name == "loggers" and rest:
            return self._one_logger(rest)
        known: dict[str, Handler] = {
            "healthz": lambda _: healthz(ended=self._ended),
            "readyz": lambda _: readyz(self._config, strict=self._strict),
            "metrics": self._page_of_metrics,
            "loggers": lambda _: read_all(self._levels),
        }
        if name == "config" and (check := self._config_token.check()) is not None:
            known["config"] = lambda call: self._effective(check, call)
        if rest or name not in known:
            path = f"{name}/{rest}" if rest else name
            raise ErrorResponse(404, f"path: expected one of /{', /'.join(known)}, got /{path[:200]}")
        return {"GET": known[name]}

    def _one_logger(self, name: str) -> dict[str, Handler]:
        methods: dict[str, Handler] = {"GET": lambda _: read_one(name, self._levels)}
        if (check := self._levels_token.check()) is not None:
            methods["POST"] = lambda call: self._set_level(check, name, call)
        return methods

    def _set_level(self, check: Check, name: str, call: EndpointRequest) -> EndpointResponse:
        check(call)
        return set_one(name, call, self._levels)

    def _effective(self, check: Check, call: EndpointRequest) -> EndpointResponse:
        check(call)
        if self._config is None:
            raise ErrorResponse(503, "expected an open configuration, got none: it opens with the application")
        return effective(self._config)

    def _page_of_metrics(self, call: EndpointRequest) -> EndpointResponse:
        if self._metrics is None:
            raise ErrorResponse(404, f"metrics: expected prometheus-client, got none: {install('prometheus')}")
        body, content_type = self._metrics.page(call.header(b"accept").decode("latin-1"))
        return plain(body, content_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection, mounted or alone, under any prefix."""
        await serve(self.answer, scope, receive, send)
