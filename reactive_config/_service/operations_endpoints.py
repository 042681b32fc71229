"""What operators and machines ask: is it alive, is it ready, what does it measure, what is there."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from reactive_config._releases.replica import Replica
from reactive_config._service.config_endpoints import JSON
from reactive_config._service.problems import RETRY, ProblemError
from reactive_config._service.request_parts import check_query
from reactive_config._service.service_metrics import ServiceMetrics


class OperationsEndpoints:
    """Everything that is about no single environment."""

    def __init__(self, replica: Replica, metrics: ServiceMetrics, schema: bytes) -> None:
        self._replica = replica
        self._metrics = metrics
        self._schema = schema

    async def alive(self, request: Request) -> Response:
        """GET /healthz: the process answers. It says nothing about the store, so nobody restarts it for an outage."""
        check_query(request)
        return Response(b'{"status":"ok"}', 200, media_type=JSON)

    async def ready(self, request: Request) -> Response:
        """GET /readyz: the store was read, and answers."""
        check_query(request)
        if not self._replica.listed.is_set() or self._replica.away:
            reason = self._replica.away or "the store has not been read yet"
            raise ProblemError(503, "not-ready", reason, headers=RETRY)
        return Response(orjson.dumps({"status": "ok", "revision": self._replica.revision}), 200, media_type=JSON)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: Prometheus' text."""
        check_query(request)
        text, media = self._metrics.text()
        return Response(text, 200, media_type=media)

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        check_query(request)
        return Response(self._schema, 200, media_type=JSON)

    async def namespaces(self, request: Request) -> Response:
        """GET /v1/-/namespaces: all namespaces and their environments."""
        check_query(request)
        found: dict[str, list[str]] = {}
        for name in self._replica.environments():
            found.setdefault(name.namespace, []).append(name.environment)
        body = {"namespaces": [{"name": name, "environments": inner} for name, inner in found.items()]}
        return Response(orjson.dumps(body), 200, {"Revision": str(self._replica.revision)}, JSON)
