"""Applications behind a real server on a free port, in the loop of the test."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, contextmanager

import anyio
import httpx
import pytest
import uvicorn
from aiohttp import web


@pytest.fixture(autouse=True)
def _own_levels():
    """Litestar sets the root logger to INFO, and what a test reads must not depend on those before it."""
    before = logging.root.level
    yield
    logging.root.setLevel(before)


class _Server(uvicorn.Server):
    """One that leaves the signals of the test process alone."""

    @contextmanager
    def capture_signals(self):
        yield


@asynccontextmanager
async def _asgi(app, root_path=""):
    settings = uvicorn.Config(
        app, port=0, lifespan="on", log_config=None, access_log=False, ws="none", root_path=root_path
    )
    server = _Server(settings)
    task = asyncio.create_task(server.serve())
    try:
        with anyio.fail_after(10):
            while not server.started:
                assert not task.done(), "the application did not start"
                await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def _aiohttp(app):
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        await runner.cleanup()


@pytest.fixture
def served():
    """`async with served(app) as client`: the application under uvicorn, or under aiohttp's own server."""

    def serve(app, **settings):
        return _aiohttp(app) if isinstance(app, web.Application) else _asgi(app, **settings)

    return serve
