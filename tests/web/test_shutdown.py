"""Streams end when the server begins to shut down, whatever the server waits for, and no signal is lost."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import asynccontextmanager

import anyio
import httpx
import msgspec
import pytest
from fastapi import FastAPI
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

import reactive_config.web.aiohttp as for_aiohttp
from reactive_config import Closed, Live, Memory, open_config
from reactive_config._web.shutdown import RequestLive, Shutdown
from reactive_config.bindings import rebuilt
from reactive_config.web import attach, configuration, end_streams, lifespan, live, until_shutdown


class App(msgspec.Struct, frozen=True):
    size: int = 1


@asynccontextmanager
async def requesting(memory=None):
    """A request of an application whose configuration is open."""
    app = Starlette()
    async with open_config(App, memory or Memory()) as config:
        with attach(app, config):
            yield Request({"type": "http", "app": app})


async def collect(stream):
    return [item async for item in stream]


async def waits(task):
    """Return once a task waits for something that is not there."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()


async def test_what_live_gives_ends_with_the_streams_and_follows_until_then():
    memory = Memory()
    async with requesting(memory) as request, asyncio.TaskGroup() as group:
        part = live(request, "size")
        tasks = [group.create_task(collect(stream)) for stream in (part, part.map(lambda size: -size))]
        await waits(tasks[0])
        await memory.patch({"size": 2})
        await waits(tasks[0])
        end_streams(request.app)
        assert [await task for task in tasks] == [[1, 2], [-1, -2]]
        assert await collect(live(request, "size")) == [2]  # a request that comes late
        with pytest.raises(Closed, match="began to shut down"):
            await part.wait_changed()


async def test_they_end_with_the_configuration_as_before():
    async with requesting() as request:
        task = asyncio.create_task(collect(live(request, "size")))
        await waits(task)
    assert await task == [1]


async def test_who_waits_for_a_change_is_told_that_none_will_come():
    async with requesting() as request:
        task = asyncio.create_task(live(request, "size").wait_changed())
        await waits(task)
        end_streams(request.app)
        with pytest.raises(Closed, match="began to shut down"):
            await task


async def test_any_stream_may_be_ended_and_a_generator_cleans_up():
    closed = []

    async def numbers():
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def busy():
        while True:
            await asyncio.sleep(0)
            yield 1

    async with requesting() as request, asyncio.TaskGroup() as group:
        config = configuration(request)
        streams = [config, config.updates(), numbers(), busy()]
        tasks = [group.create_task(collect(until_shutdown(request, stream))) for stream in streams]
        await waits(tasks[0])
        end_streams(request.app)
        results = [await task for task in tasks]
    assert [len(result) for result in results[:3]] == [1, 1, 1]
    assert closed == [True]


async def test_being_cancelled_is_not_taken_for_the_end():
    async with requesting() as request:
        task = asyncio.create_task(collect(live(request, "size")))
        await waits(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_binding_follows_what_live_gives():
    async def build(size):
        return size

    memory = Memory()
    async with requesting(memory) as request, rebuilt(live(request, "size"), build, name="of a request") as binding:
        await memory.patch({"size": 5})
        with anyio.fail_after(5):
            while binding.value != 5:
                await asyncio.sleep(0)
        assert configuration(request).status().bindings[0].name == "of a request"


def test_everything_public_of_a_live_value_is_passed_on():
    public = {name for name in vars(Live) if not name.startswith("_")}
    assert public == {"constant", "current", "map", "name", "wait_changed"}
    assert public - set(vars(RequestLive)) == {"constant", "name"}


@pytest.fixture
def handled():
    """A server's handler of SIGTERM and SIGINT; gives the list of what it was called with."""
    seen = []

    def handler(number, frame):
        seen.append(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    yield seen, handler
    for number, handler_before in before.items():
        signal.signal(number, handler_before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_streams_and_reaches_the_server(handled, number):
    seen, handler = handled
    async with requesting() as request:
        task = asyncio.create_task(collect(live(request, "size")))
        await waits(task)
        signal.raise_signal(number)
        assert await task == [1]
        assert seen == [number]
        signal.raise_signal(number)
        assert seen == [number, number]
    assert signal.getsignal(number) is handler


async def test_a_handler_that_came_later_stays_and_still_reaches_the_server(handled):
    seen, later = handled[0], []
    async with requesting():
        ours = signal.getsignal(signal.SIGTERM)

        def chained(number, frame):
            later.append(number)
            ours(number, frame)

        signal.signal(signal.SIGTERM, chained)
    assert signal.getsignal(signal.SIGTERM) is chained
    signal.raise_signal(signal.SIGTERM)
    assert (seen, later) == ([signal.SIGTERM], [signal.SIGTERM])


@pytest.mark.parametrize("overlaps", [2, 1500])
async def test_applications_that_end_in_the_order_of_their_start_give_the_handler_back(handled, overlaps):
    """However many follow one another in one process; the handlers do not pile up."""
    seen, handler = handled
    running = []
    for _ in range(overlaps):
        running.append(Shutdown().following_signals())
        running[-1].__enter__()
        if len(running) > 2:
            running.pop(0).__exit__(None, None, None)
    signal.raise_signal(signal.SIGTERM)
    for following in running:
        following.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert seen == [signal.SIGTERM]


@pytest.mark.parametrize("default", [signal.SIG_DFL, signal.SIG_IGN])
async def test_what_nobody_handles_is_left_alone(default):
    before = signal.signal(signal.SIGTERM, default)
    try:
        async with requesting():
            assert signal.getsignal(signal.SIGTERM) is default
        assert signal.getsignal(signal.SIGTERM) is default
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_application_whose_loop_was_closed_without_a_shutdown_keeps_no_signal(handled):
    async def start():
        following = Shutdown().following_signals()
        following.__enter__()
        return following

    loop = asyncio.new_event_loop()
    following = loop.run_until_complete(start())
    loop.close()
    signal.raise_signal(signal.SIGTERM)
    assert handled[0] == [signal.SIGTERM]
    following.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGTERM) is handled[1]


def test_a_server_in_another_thread_is_served_without_signals(handled):
    handlers = []

    async def run():
        async with requesting() as request:
            handlers.append(signal.getsignal(signal.SIGTERM))
            end_streams(request.app)
            assert await collect(live(request, "size")) == [1]
            handlers.append("through")

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    thread.join()
    assert handlers == [handled[1], "through"]


async def events(request):
    return StreamingResponse(lines(live(request, "size")), media_type="text/event-stream")


async def lines(stream):
    async for value in stream:
        yield f"data: {value}\n\n"
    yield "data: end\n\n"


@get("/")
async def litestar_events(request: LitestarRequest) -> Stream:
    return Stream(lines(live(request, "size")))


def asgi_app(make):
    opening = lifespan(lambda: open_config(App, Memory()))
    if make is Litestar:
        return Litestar([litestar_events], lifespan=[opening], logging_config=None)
    return make(routes=[Route("/", events)], lifespan=opening)


@pytest.mark.parametrize("make", [Starlette, FastAPI, Litestar])
async def test_a_server_that_is_stopped_without_a_signal_is_served_by_hand(make, served):
    app = asgi_app(make)
    async with served(app) as client, client.stream("GET", "/") as response:
        text = response.aiter_text()
        assert await anext(text) == "data: 1\n\n"
        end_streams(app)
        assert "".join([piece async for piece in text]) == "data: end\n\n"


async def test_an_aiohttp_runner_of_one_s_own_ends_streams_at_its_shutdown():
    from aiohttp import web

    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for text in lines_of(request):
            await response.write(text.encode())
        return response

    def lines_of(request):
        return lines(for_aiohttp.until_shutdown(request, for_aiohttp.configuration(request).select("size")))

    app = web.Application()
    app.router.add_get("/", handler)
    app.cleanup_ctx.append(for_aiohttp.cleanup_ctx(lambda: open_config(App, Memory())))
    app.on_shutdown.append(for_aiohttp.end_streams)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=60)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with httpx.AsyncClient(base_url=base, timeout=20) as client, client.stream("GET", "/") as response:
        text = response.aiter_text()
        assert await anext(text) == "data: 1\n\n"
        with anyio.fail_after(10):
            await runner.cleanup()
        assert "".join([piece async for piece in text]) == "data: end\n\n"
