"""The ASGI application: which request goes where, who may send it, and how errors are answered."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reactive_config._core.refusals import name_of
from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.access_tokens import AccessTokens
from reactive_config._releases.key_store import StoreError
from reactive_config._releases.releases import Releases
from reactive_config._service.config_endpoints import ConfigEndpoints
from reactive_config._service.openapi import openapi_document
from reactive_config._service.operations_endpoints import OperationsEndpoints
from reactive_config._service.problems import ProblemError, problem_of
from reactive_config._service.release_endpoints import ReleaseEndpoints
from reactive_config._service.service_metrics import ServiceMetrics
from reactive_config._service.trouble_log import TroubleLog

OPEN = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Paths that need no token."""

Endpoint = Callable[[Request], Awaitable[Response]]


def service_app(releases: Releases, tokens: AccessTokens, local: str = "") -> ASGIApp:
    """The application over releases that somebody keeps up to date.

    Args:
        releases: What is served.
        tokens: Who may use it.
        local: Who uses it without a token; empty for nobody.
    """
    metrics, log = ServiceMetrics(releases), TroubleLog()
    config = ConfigEndpoints(releases)
    past = ReleaseEndpoints(releases)
    operations = OperationsEndpoints(releases.replica, metrics, openapi_document())
    environment = "/v1/{namespace}/{environment}"
    # Starlette looks from the first route on, and what is asked most is to be found soonest.
    table: list[tuple[str, str, Endpoint]] = []
    for path in ("", "/{path:path}"):
        methods = (("GET", config.read), ("PUT", config.put), ("PATCH", config.patch), ("DELETE", config.delete))
        table += [(method, f"{environment}/config{path}", endpoint) for method, endpoint in methods]
    table += [
        ("GET", "/healthz", operations.alive),
        ("GET", "/readyz", operations.ready),
        ("GET", "/metrics", operations.metrics),
        ("GET", "/openapi.json", operations.openapi),
        ("GET", "/v1/-/namespaces", operations.namespaces),
        ("GET", f"{environment}/releases", past.list),
        ("POST", f"{environment}/releases", past.create),
        ("GET", f"{environment}/releases/{{number}}", past.show),
        ("GET", f"{environment}/releases/{{number}}/diff", past.diff),
        ("POST", f"{environment}/releases/{{number}}/restore", past.restore),
        ("GET", f"{environment}/blame", past.blame),
        ("GET", f"{environment}/blame/{{path:path}}", past.blame),
    ]
    by_path: dict[str, dict[str, Endpoint]] = {}
    for method, path, endpoint in table:
        by_path.setdefault(path, {})[method] = endpoint
    routes = [
        Route(path, _dispatching(path, methods, metrics, log), methods=list(methods))
        for path, methods in by_path.items()
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_problem})
    return _Guard(app, tokens, local, metrics, log)


def _dispatching(path: str, methods: dict[str, Endpoint], metrics: ServiceMetrics, log: TroubleLog) -> Endpoint:
    route = path.replace("/{path:path}", "")

    async def answer(request: Request) -> Response:
        begin = time.monotonic()
        method = "GET" if request.method == "HEAD" else request.method
        try:
            response = await methods[method](request)
        except ProblemError as problem:
            response = problem.response()
        except Exception as error:  # noqa: BLE001 - a defect of one request ends no other
            found = problem_of(error)
            if found is None:
                logger.error("%s %s: an unexpected %s", request.method, route, name_of(error), exc_info=error)
                found = ProblemError(500, "defect", "an unexpected error; the log of the service has it")
            elif found.status == 503 and not found.headers:  # a person is needed
                log.needs_person(found.detail)
            response = found.response()
        metrics.answered(request.method, route, response.status_code, time.monotonic() - begin)
        return response

    return answer


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "no-such-resource", 405: "method-not-allowed"}.get(error.status_code, "refused")
    return ProblemError(error.status_code, kind, str(error.detail), headers=error.headers).response()


class _Guard:
    """Lets nobody in without a token, and no path whose encoding hides where it leads."""

    def __init__(
        self, app: ASGIApp, tokens: AccessTokens, local: str, metrics: ServiceMetrics, log: TroubleLog
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._local = local
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope["identity"] = await self._identity(scope)
            _check_path(scope)
        except ProblemError as problem:
            await problem.response()(scope, receive, send)
            return
        except StoreError as error:
            found = problem_of(error)
            assert found is not None
            await found.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _identity(self, scope: Scope) -> str:
        if self._local or scope["path"] in OPEN:
            return self._local
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = sent[0].partition(b" ") if len(sent) == 1 else (b"", b"", b"")
        known = scheme.lower() == b"bearer"
        identity = await self._tokens.identify(token.strip().decode("latin-1")) if known else None
        if identity is None:
            # Without the method: strangers may send any, and each would be a series of its own.
            self._metrics.answered("", "refused", 401, 0.0)
            self._log.stranger((scope.get("client") or ("an unknown address",))[0])
            headers = {"WWW-Authenticate": 'Bearer realm="reactive_config"'}
            raise ProblemError(
                401, "unauthorized", "expected Authorization: Bearer with a token of this service", headers=headers
            )
        return identity


def _check_path(scope: Scope) -> None:
    """What comes before `/config` is plain: an encoded slash there would move the names behind it."""
    raw = scope.get("raw_path") or scope["path"].encode()
    if any(b"%" in part for part in raw.partition(b"?")[0].split(b"/")[:5]):
        raise ProblemError(404, "no-such-resource", "expected namespace and environment without `%`")
