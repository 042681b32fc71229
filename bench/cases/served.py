"""Reading the effective view of an environment over HTTP, beside a bare Starlette endpoint with prebuilt bytes.

`over=app` calls the ASGI application as a server would, without a socket: it is the harshest, since there is nothing
but the application in it. `over=uvicorn` asks a real server by a connection that stays open; server and client share
one loop, so a figure is all of the work of both. `answer=304` sends the tag that was read before.

The rival looks at no token, no query and no `Accept`, counts nothing, and does not know when to answer anew.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from abc import abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.cases.environments import ENVIRONMENT, NAMESPACE, change_to, fill, trees
from bench.harness import Case, NotHere, Round, Subject

PATH, QUERY = f"/v1/{NAMESPACE}/{ENVIRONMENT}/config", "view=effective"

DOCUMENTS = 100

Headers = list[tuple[bytes, bytes]]


class Asked(Subject):
    """Asks one application again and again; microseconds until the whole answer is there."""

    async def open(self) -> None:
        try:
            import starlette  # noqa: F401
            import uvicorn  # noqa: F401
        except ImportError:
            raise NotHere("starlette or uvicorn is not installed") from None
        self._headers: Headers = [(b"host", b"service"), *await self.serve()]
        self._ask = self._app
        if self.params["over"] == "uvicorn":
            await self._connect()
            self._ask = self._over_a_connection
        status, tag, size = await self._ask()
        assert (status, size) == (200, len(body_of(effective(int(self.params["keys"]))))), (status, size)
        self._expected = 200
        if self.params["answer"] == 304:
            self._headers.append((b"if-none-match", tag))
            self._expected = 304

    @abstractmethod
    async def serve(self) -> Headers:
        """Set `app`, the application; returns the headers that it wants."""

    app: Any

    async def before(self) -> None:
        """What is done before each request, and not measured."""

    async def measure(self, work: Round) -> list[float]:
        figures = []
        for _ in range(work.samples):
            await self.before()
            begin = time.perf_counter()
            status, _, _ = await self._ask()
            figures.append((time.perf_counter() - begin) * 1e6)
            assert status == self._expected, status
        return figures

    async def _app(self) -> tuple[int, bytes, int]:
        """Status, tag and size of the answer."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": QUERY.encode(),
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        said: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        start, *parts = said
        return start["status"], dict(start["headers"]).get(b"etag", b""), sum(len(part["body"]) for part in parts)

    async def _connect(self) -> None:
        import uvicorn

        taken = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        config = uvicorn.Config(self.app, log_config=None, access_log=False, lifespan="off", server_header=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([taken]))
        reader, writer = await asyncio.open_connection(*taken.getsockname()[:2], limit=1 << 24)
        self._reader, self._writer = reader, writer

        async def end() -> None:
            writer.close()
            server.should_exit = True
            await serving

        self.stack.push_async_callback(end)

    async def _over_a_connection(self) -> tuple[int, bytes, int]:
        lines = [f"GET {PATH}?{QUERY} HTTP/1.1".encode(), *(b": ".join(header) for header in self._headers)]
        self._writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
        status, *headers = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        told = dict(_headers(headers))
        size = int(told.get(b"content-length", b"0"))
        await self._reader.readexactly(size)
        return int(status.split()[1]), told.get(b"etag", b""), size


def _headers(lines: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for line in filter(None, lines):
        name, _, value = line.partition(b": ")
        yield name.lower(), value


class Ours(Asked):
    """The service over a SQLite file, asked with a token."""

    async def serve(self) -> Headers:
        from reactive_config._service.serving import open_service

        home = self.stack.enter_context(tempfile.TemporaryDirectory())
        service = await self.stack.enter_async_context(open_service(f"sqlite:{Path(home, 'releases.db')}"))
        wanted = trees(int(self.params["keys"]), DOCUMENTS)
        await fill(service.releases, "common", wanted)
        await fill(service.releases, ENVIRONMENT, upper(wanted))
        token = await service.tokens.create_first(datetime.now(UTC))
        self.app, self.releases = service.app, service.releases
        return [(b"authorization", f"Bearer {token}".encode())]


class OursChanged(Ours):
    """The same, after a change each time."""

    _value = 200_000

    async def before(self) -> None:
        from reactive_config._releases.environment_name import EnvironmentName

        self._value += 1
        await self.releases.change(EnvironmentName(NAMESPACE, ENVIRONMENT), change_to(self._value))


class BareEndpoint(Asked):
    """One route to one function, which has the bytes and their tag."""

    async def serve(self) -> Headers:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import Response
        from starlette.routing import Route

        body, tag = body_of(effective(int(self.params["keys"]))), f'"{"0" * 40}.json"'

        async def answer(request: Request) -> Response:
            if request.headers.get("if-none-match") == tag:
                return Response(None, 304, {"ETag": tag})
            return Response(body, 200, {"ETag": tag}, "application/json")

        self.app = Starlette(routes=[Route("/v1/{namespace}/{environment}/config", answer)])
        return []


def upper(wanted: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """A tenth of the values. The environment overrides them in `common`."""
    return {name: {key: value for key, value in table.items() if not value % 10} for name, table in wanted.items()}


def effective(keys: int) -> dict[str, dict[str, int]]:
    """What the effective view holds."""
    return trees(keys, DOCUMENTS)


def body_of(tree: Any) -> bytes:
    """The bytes of an answer."""
    return orjson.dumps(tree)


CASES = (
    Case(
        name="read_effective",
        title="GET of the effective view until its whole answer is there",
        unit="us",
        subjects={"reactive_config": Ours, "bare endpoint": BareEndpoint},
    ),
    Case(
        name="read_after_change",
        title="the first GET of the effective view after a change",
        unit="us",
        subjects={"reactive_config": OursChanged, "bare endpoint": BareEndpoint},
    ),
)
