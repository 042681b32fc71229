"""Answers as an ASGI application, without a framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from reactive_config.web.answers import MAX_BODY, Answer, BodyNotRead, Call

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def serve(answer: Callable[[Call], Answer], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one connection. Websockets are refused, and the lifespan of a server is obeyed."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
    elif (given := await _answer(answer, scope, receive)) is not None:
        await _send(given, send, with_body=scope["method"].upper() != "HEAD")


async def _answer(answer: Callable[[Call], Answer], scope: Scope, receive: Receive) -> Answer | None:
    """The answer to a request; None if it has to have a body, and the client went away."""
    call = Call(scope["method"].upper(), _path(scope), scope["headers"], None)
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


async def _send(answer: Answer, send: Send, *, with_body: bool) -> None:
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
