"""An application started as a server starts it, without a server: for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from reactive_config._web.asgi import Message, Receive, Scope, Send

Application = Callable[[Any, Any, Any], Awaitable[None]]


class running:  # noqa: N801 - reads and is used as a function
    """Send an ASGI application its lifespan events, as uvicorn does, while the block lasts.

        async with running(app) as served:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://test") as client:
                ...

    Args:
        app: Of Starlette, FastAPI, Litestar or any other with a lifespan.

    Gives the application as a server calls it: with the lifespan's state in every request (`request.state`), which
    `httpx.ASGITransport` alone does not have.

    Raises:
        Exception: On entering and leaving; what the application's lifespan raised.
        RuntimeError: The lifespan failed, or ended, without an exception.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._state: dict[str, Any] = {}
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Application:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        self._lifespan = asyncio.create_task(self._run(scope), name="lifespan")  # a task of its own, as in a server
        try:
            await self._say("startup", self._lifespan)
        except BaseException:
            self._lifespan.cancel()
            await asyncio.wait([self._lifespan])
            raise
        return self._serve

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._lifespan is not None
        await self._say("shutdown", self._lifespan)
        await self._lifespan

    async def _run(self, scope: Scope) -> None:
        await self._app(scope, self._events.get, self._answers.put)

    async def _say(self, event: str, lifespan: asyncio.Task[None]) -> None:
        """Send an event; return once it is complete.

        Raises:
            Exception: What the application raised.
            RuntimeError: It failed or ended without raising.
        """
        self._events.put_nowait({"type": f"lifespan.{event}"})
        answered = asyncio.ensure_future(self._answers.get())
        try:
            await asyncio.wait([answered, lifespan], return_when=asyncio.FIRST_COMPLETED)
        finally:
            answered.cancel()
        answer = answered.result() if answered.done() and not answered.cancelled() else {}
        if answer.get("type") == f"lifespan.{event}.complete":
            return
        if answer:  # it failed; frameworks send that, and then raise
            await asyncio.wait([lifespan], timeout=1)
        if lifespan.done() and not lifespan.cancelled():
            lifespan.result()
        raise RuntimeError(f"expected lifespan.{event}.complete, got {answer.get('message') or 'nothing'}")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope = {**scope, "state": {**self._state, **scope.get("state", {})}}
        await self._app(scope, receive, send)
