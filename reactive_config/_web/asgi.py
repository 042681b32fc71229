"""What the endpoints are asked and what they answer, without a framework; answers as an ASGI application."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

import msgspec

MAX_BODY = 4096
"""Bytes that a body may have; the longest that is sensible is some sixty."""


class EndpointRequest(NamedTuple):
    """One request.

    Attributes:
        method: In upper case.
        path: Decoded, below where the endpoints are mounted.
        headers: As they came: names in any case, some more than once.
        body: At least the first `MAX_BODY` + 1 bytes of it; None if it is not read yet.
    """

    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]] = ()
    body: bytes | None = b""

    def header(self, name: bytes) -> bytes:
        """All values of a header, comma-separated; empty without one."""
        return b", ".join(value for key, value in self.headers if key.lower() == name)


class EndpointResponse(NamedTuple):
    """One response; the body of one to HEAD is there and is not to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


class BodyNotRead(Exception):
    """The answer depends on the body: it is to be read, and the call is to be made again. Raised for no other calls, so
    that nobody who may not do anything has a body read, however slowly it comes."""


class ErrorResponse(Exception):
    """A call that is answered with an error.

    Args:
        status: Of HTTP.
        message: `what: expected X, got Y`.
        headers: Besides the usual ones.
        more: Besides the message.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.answer = as_json({"error": message, **more}, status, headers)


def as_json(tree: Any, status: int = 200, headers: dict[str, str] | None = None) -> EndpointResponse:
    """An answer of anything that msgspec knows. ASCII, as a file's name may hold what UTF-8 cannot."""
    return plain(json.dumps(msgspec.to_builtins(tree)).encode(), "application/json", status, headers)


def plain(body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> EndpointResponse:
    """An answer; nobody is to cache it."""
    usual = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return EndpointResponse(status, body, tuple({**usual, **(headers or {})}.items()))


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def serve(
    answer: Callable[[EndpointRequest], EndpointResponse], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one connection. Websockets are refused, and the lifespan of a server is obeyed."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
    elif (given := await _answer(answer, scope, receive)) is not None:
        await _send(given, send, with_body=scope["method"].upper() != "HEAD")


async def _answer(
    answer: Callable[[EndpointRequest], EndpointResponse], scope: Scope, receive: Receive
) -> EndpointResponse | None:
    """The answer to a request; None if it has to have a body, and the client went away."""
    call = EndpointRequest(scope["method"].upper(), _path(scope), scope["headers"], None)
    try:
        return answer(call)
    except BodyNotRead:
        body = await _read(receive)
        return None if body is None else answer(call._replace(body=body))


def _path(scope: Scope) -> str:
    """The path below the mount; some servers and routers leave the prefix in the path, some take it out."""
    path, prefix = scope["path"], scope.get("root_path", "").rstrip("/")
    inside = prefix and (path == prefix or path.startswith(prefix + "/"))
    return str(path[len(prefix) :] if inside else path)


async def _read(receive: Receive) -> bytes | None:
    """The body; of one that is too long, enough to see that; None where the client went away."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY or not message.get("more_body", False):
            return body


async def _send(answer: EndpointResponse, send: Send, *, with_body: bool) -> None:
    headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan of an application that needs none, for a server that runs this one alone."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
