"""Programs of their own with a real server: 20 clients read streams, a signal comes, and all of it ends cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

ASGI = """
    import sys
    import msgspec
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route
    from reactive_config import Memory, open_config
    from reactive_config.web import lifespan, live

    class App(msgspec.Struct, frozen=True):
        size: int = 1

    async def lines(stream):
        async for value in stream:
            yield f"data: {value}\\n\\n"
        yield "data: end\\n\\n"

    async def events(request):
        return StreamingResponse(lines(live(request, "size")), media_type="text/event-stream")

    async def download(request):
        import asyncio
        async def pieces():
            for number in range(10):
                yield f"data: {number}\\n\\n"
                await asyncio.sleep(0.05)  # the rest is on its way when the signal comes
            yield "data: end\\n\\n"
        return StreamingResponse(pieces())

    app = Starlette(
        routes=[Route("/", events), Route("/download", download)],
        lifespan=lifespan(lambda: open_config(App, Memory())),
    )
    uvicorn.run(app, port=int(sys.argv[1]), loop=sys.argv[2], log_level="warning")
    """

AIOHTTP = """
    import sys
    import msgspec
    from aiohttp import web
    from reactive_config import Memory, open_config
    from reactive_config.web.aiohttp import cleanup_ctx, live

    class App(msgspec.Struct, frozen=True):
        size: int = 1

    async def events(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for value in live(request, "size"):
            await response.write(f"data: {value}\\n\\n".encode())
        await response.write(b"data: end\\n\\n")
        return response

    app = web.Application()
    app.router.add_get("/", events)
    app.cleanup_ctx.append(cleanup_ctx(lambda: open_config(App, Memory())))
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
    """


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@asynccontextmanager
async def program(text, tmp_path, *arguments):
    """A program that listens; gives its process and a client."""
    file, port = tmp_path / "program.py", free_port()
    file.write_text(textwrap.dedent(text))
    process = await asyncio.create_subprocess_exec(sys.executable, file, str(port), *arguments)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=20, limits=httpx.Limits(max_connections=100)
        ) as client:
            with anyio.fail_after(20):
                while process.returncode is None:
                    try:
                        await client.get("/nothing")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.02)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def read(client, path, begun):
    async with client.stream("GET", path) as response:
        text = ""
        async for piece in response.aiter_text():
            begun.set()
            text += piece
    return text


async def seconds_to_end(process, client, path, number, clients=20):
    """Send a signal to a program once all clients have begun to read; how long it takes to end, and what they read."""
    begun = [asyncio.Event() for _ in range(clients)]
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(read(client, path, event)) for event in begun]
        with anyio.fail_after(10):
            for event in begun:
                await event.wait()
        loop = asyncio.get_running_loop()
        start = loop.time()
        os.kill(process.pid, number)
        with anyio.fail_after(10):
            await process.wait()
        took = loop.time() - start
    return took, [task.result() for task in reads]


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)])
async def test_uvicorn_with_20_open_streams_ends_in_two_seconds_and_they_end_cleanly(loop, number, code, tmp_path):
    async with program(ASGI, tmp_path, loop) as (process, client):
        took, texts = await seconds_to_end(process, client, "/", number)
    assert took < 2
    assert texts == ["data: 1\n\ndata: end\n\n"] * 20
    assert process.returncode == code  # uvicorn sends itself the signal again: our handler is gone by then


@pytest.mark.slow
async def test_a_response_that_has_an_end_is_not_cut(tmp_path):
    async with program(ASGI, tmp_path, "asyncio") as (process, client):
        _, texts = await seconds_to_end(process, client, "/download", signal.SIGTERM, clients=3)
    assert texts == ["".join(f"data: {number}\n\n" for number in [*range(10), "end"])] * 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_aiohttp_with_20_open_streams_ends_in_two_seconds_and_they_end_cleanly(number, tmp_path):
    async with program(AIOHTTP, tmp_path) as (process, client):
        took, texts = await seconds_to_end(process, client, "/", number)
    assert took < 2
    assert texts == ["data: 1\n\ndata: end\n\n"] * 20
    assert process.returncode == 0
