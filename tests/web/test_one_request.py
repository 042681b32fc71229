"""A request sees one configuration, from its first look to its last, whoever of it looks."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated

import anyio
import httpx
import msgspec
import pytest
from aiohttp import web
from fastapi import Depends, FastAPI
from fastapi import Request as FastAPIRequest
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.di import NamedDependency, Provide
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

import reactive_config.web.aiohttp as for_aiohttp
import reactive_config.web.fastapi as for_fastapi
import reactive_config.web.litestar as for_litestar
from reactive_config import Config, Live, Memory, Snapshot, open_config
from reactive_config.web import attach, current, lifespan, live, snapshot


class App(msgspec.Struct, frozen=True):
    size: int = 1
    copy: int = 1  # always changed together with size


class Gate:
    """Where a request waits while the test changes the configuration."""

    def __init__(self):
        self.reading, self.go = asyncio.Event(), asyncio.Event()

    async def pass_through(self):
        self.reading.set()
        await self.go.wait()


def seen(first: App, second: App, third: Snapshot, size: Live) -> dict:
    """What a request that looked thrice, and at a live part, tells of it."""
    return {
        "same": first is second is third.value,
        "sizes": [first.size, second.copy],
        "live": size.current,
        "generation": third.generation,
    }


def starlette_app(memory, gate):
    async def straddle(request: Request) -> JSONResponse:
        first = current(request)
        await gate.pass_through()
        return JSONResponse(seen(first, current(request), snapshot(request), live(request, "size")))

    return Starlette(routes=[Route("/", straddle)], lifespan=lifespan(lambda: open_config(App, memory)))


def starlette_below_app(memory, gate):
    """The handler in a mounted application, which looks after a middleware of the outer one did."""

    async def look_before_and_after(request: Request, call_next):
        first = current(request)
        response = await call_next(request)
        assert current(request) is first
        return response

    inner = starlette_app(memory, gate)
    return Starlette(
        routes=[Mount("/", inner)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=look_before_and_after)],
        lifespan=lifespan(lambda: open_config(App, memory)),
    )


async def straddle(request: FastAPIRequest, first: Annotated[App, Depends(for_fastapi.current)]) -> App:
    await request.app.state.gate.pass_through()
    return first


def fastapi_app(memory, gate):
    app = FastAPI(lifespan=lifespan(lambda: open_config(App, memory)))
    app.state.gate = gate

    @app.get("/")
    def handler(  # a plain function: it runs in a thread
        request: FastAPIRequest,
        first: Annotated[App, Depends(straddle)],
        third: Annotated[Snapshot, Depends(for_fastapi.snapshot)],
        size: Annotated[Live, Depends(for_fastapi.live("size"))],
    ) -> dict:
        assert threading.current_thread() is not threading.main_thread()
        return seen(first, current(request), third, size)

    return app


def litestar_app(memory, gate):
    async def straddle(config: NamedDependency[App]) -> App:
        await gate.pass_through()
        return config

    @get("/")
    async def handler(
        request: LitestarRequest,
        first: NamedDependency[App],
        third: NamedDependency[Snapshot],
        size: NamedDependency[Live],
    ) -> dict:
        return seen(first, current(request), third, size)

    dependencies = {
        "config": Provide(for_litestar.current),
        "first": Provide(straddle),
        "third": Provide(for_litestar.snapshot),
        "size": Provide(for_litestar.live("size")),
    }
    return Litestar(
        [handler], dependencies=dependencies, lifespan=[lifespan(lambda: open_config(App, memory))], logging_config=None
    )


def aiohttp_app(memory, gate):
    @web.middleware
    async def look_before(request, handler):
        for_aiohttp.current(request)
        return await handler(request)

    async def straddle(request):
        first = for_aiohttp.current(request)
        await gate.pass_through()
        third, size = for_aiohttp.snapshot(request), for_aiohttp.live(request, "size")
        return web.json_response(seen(first, for_aiohttp.current(request), third, size))

    below = web.Application()
    below.router.add_get("/", straddle)
    app = web.Application(middlewares=[look_before])
    app.add_subapp("/below", below)
    app.router.add_get("/", straddle)
    app.cleanup_ctx.append(for_aiohttp.cleanup_ctx(lambda: open_config(App, memory)))
    return app


APPS = [starlette_app, starlette_below_app, fastapi_app, litestar_app, aiohttp_app]


@pytest.mark.parametrize("make", APPS)
async def test_a_request_that_straddles_a_change_sees_one_config_throughout(make, served):
    memory, gate = Memory(), Gate()
    async with served(make(memory, gate)) as client, asyncio.TaskGroup() as group:
        request = group.create_task(client.get("/"))
        with anyio.fail_after(10):
            await gate.reading.wait()
        await memory.patch({"size": 2, "copy": 2})
        gate.go.set()
        assert (await request).json() == {"same": True, "sizes": [1, 1], "live": 2, "generation": 1}
        assert (await client.get("/")).json() == {"same": True, "sizes": [2, 2], "live": 2, "generation": 2}


async def test_a_handler_of_a_mounted_aiohttp_application_sees_the_one_around_it(served):
    memory, gate = Memory({"size": 5, "copy": 5}), Gate()
    gate.go.set()
    async with served(aiohttp_app(memory, gate)) as client:
        assert (await client.get("/below/")).json()["sizes"] == [5, 5]


class Turns(Gate):
    """Lets the loop turn some times, so that changes come in between."""

    async def pass_through(self):
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.half_grid
@pytest.mark.parametrize("make", [APPS[0], *(pytest.param(app, marks=pytest.mark.storm) for app in APPS[1:])])
async def test_of_a_thousand_requests_during_a_storm_of_changes_none_sees_two_generations(make, served):
    memory, generations = Memory(), set()

    async def storm():
        for n in range(2, 10**9):
            await memory.patch({"size": n, "copy": n})
            await asyncio.sleep(0)

    async def ask(client, many):
        for _ in range(many):
            answer = (await client.get("/")).json()
            assert answer["same"]
            assert answer["sizes"] == [answer["generation"]] * 2
            generations.add(answer["generation"])

    async with served(make(memory, Turns())) as client:
        changing = asyncio.create_task(storm())
        with anyio.fail_after(60):
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(ask(client, 50))
        changing.cancel()
        await asyncio.wait([changing])
    assert len(generations) > 100


async def test_a_websocket_follows_what_is_live_and_is_pinned_to_what_it_looked_at():
    memory, sent = Memory(), asyncio.Queue()

    async def follow(websocket):
        await websocket.accept()
        before = current(websocket)
        async for size in live(websocket, "size"):
            await websocket.send_json([size, current(websocket) is before])

    app = Starlette(routes=[WebSocketRoute("/", follow)])
    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}

    async def receive():
        return {"type": "websocket.connect"}

    async with open_config(App, memory) as config:
        with attach(app, config):
            task = asyncio.create_task(app(scope, receive, sent.put))
            with anyio.fail_after(5):
                assert (await sent.get())["type"] == "websocket.accept"
                assert (await sent.get())["text"] == "[1,true]"
                await memory.patch({"size": 2})
                assert (await sent.get())["text"] == "[2,true]"
    await task  # the iteration ends with the configuration


@pytest.mark.parametrize("make", [starlette_app, fastapi_app, litestar_app])
async def test_it_works_without_a_server_that_passes_the_lifespan_state_on(make):
    gate = Gate()
    gate.go.set()
    app = make(Memory(), gate)
    context = app.lifespan() if isinstance(app, Litestar) else app.router.lifespan_context(app)
    async with context, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/")).json()["sizes"] == [1, 1]


async def test_the_whole_configuration_can_be_injected_by_fastapi(served):
    app = FastAPI(lifespan=lifespan(lambda: open_config(App, Memory({"size": 3}))))

    @app.get("/")
    async def handler(config: Annotated[Config[App], Depends(for_fastapi.configuration)]) -> int:
        return config.current.size

    async with served(app) as client:
        assert (await client.get("/")).json() == 3


async def test_the_whole_configuration_can_be_injected_by_litestar(served):
    @get("/", dependencies={"config": Provide(for_litestar.configuration)})
    async def handler(config: NamedDependency[Config]) -> int:
        return config.current.size

    opening = lifespan(lambda: open_config(App, Memory({"size": 3})))
    async with served(Litestar([handler], lifespan=[opening], logging_config=None)) as client:
        assert (await client.get("/")).json() == 3


async def test_without_a_configuration_it_says_what_is_missing():
    with pytest.raises(RuntimeError, match=r"got one without: use lifespan=lifespan\(...\)"):
        current(Request({"type": "http", "app": Starlette()}))
    with pytest.raises(TypeError, match="expected a request, a websocket or an ASGI scope, got int"):
        current(1)
