"""httpx and aiohttp against a real server of aiohttp's."""

from __future__ import annotations

import asyncio
import contextlib
import re

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config.bindings.pools import aiohttp_session, httpx_client

aiohttp = pytest.importorskip("aiohttp")
web = pytest.importorskip("aiohttp.web")
httpx = pytest.importorskip("httpx")

pytestmark = pytest.mark.half_grid


class Site:
    """Answers; at `/slow` it takes its time, at `/endless` for the body.

    Attributes:
        connected: How many connections there are.
    """

    def __init__(self):
        self.requests = self.slow = 0
        self.connections = set()
        self.url = ""

    @property
    def connected(self):
        return len([transport for transport in self.connections if not transport.is_closing()])

    async def answer(self, request):
        self.connections.add(request.transport)
        self.requests += 1
        if request.path == "/slow":
            self.slow += 1
            await asyncio.sleep(20)
        if request.path == "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                while True:
                    await response.write(b"more")
                    await asyncio.sleep(0.01)
        return web.Response(text=request.headers.get("X-Name", ""), status=500 if request.path == "/broken" else 200)


@pytest.fixture
async def site():
    site = Site()
    app = web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.url = "http://{}:{}".format(*runner.addresses[0])
        yield site
    finally:
        await runner.cleanup()


class Httpx:
    adapter = staticmethod(httpx_client)
    gone = httpx.HTTPError

    @staticmethod
    def limits():
        return {"limits": {"max_connections": 2, "max_keepalive_connections": 1}}

    @staticmethod
    async def get(client, path):
        response = await client.get(path)
        return response.raise_for_status().text

    @staticmethod
    async def read(client, path, begun):
        async with client.stream("GET", path) as response:
            async for _ in response.aiter_bytes():
                begun.set()

    @staticmethod
    def closed(client):
        return client.is_closed


class Aiohttp:
    adapter = staticmethod(aiohttp_session)
    gone = aiohttp.ClientError

    @staticmethod
    def limits():
        return {"connector": {"limit": 2, "limit_per_host": 1}}

    @staticmethod
    async def get(session, path):
        async with session.get(path) as response:
            response.raise_for_status()
            return await response.text()

    @staticmethod
    async def read(session, path, begun):
        async with session.get(path) as response:
            async for _ in response.content.iter_any():
                begun.set()

    @staticmethod
    def closed(session):
        return session.closed


class Client(msgspec.Struct, frozen=True):
    base_url: str
    headers: dict[str, str]
    timeout: dict[str, float] | float | None = 5.0
    limits: dict[str, int] | None = None
    connector: dict[str, int] | None = None


class App(msgspec.Struct, frozen=True):
    client: Client


@pytest.fixture(params=[Httpx, Aiohttp], ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@contextlib.asynccontextmanager
async def following(kind, site, **settings):
    memory = Memory({"client": {"base_url": site.url, "headers": {"X-Name": "first"}, **kind.limits()}})
    async with (
        open_config(App, memory) as config,
        kind.adapter(config.select("client"), **settings) as binding,
    ):
        yield memory, binding


async def rename(memory, binding, until, name):
    await memory.patch({"client": {"headers": {"X-Name": name}}})
    await until(lambda: binding.value.headers["X-Name"] == name and binding.status().state is BindingState.IN_FORCE)


async def test_a_new_value_is_a_new_client_and_the_old_one_is_closed(kind, site, until, nothing_left):
    async with following(kind, site) as (memory, binding):
        async with binding.use() as old:
            assert await kind.get(old, "/") == "first"
        await rename(memory, binding, until, "second")
        async with binding.use() as new:
            assert await kind.get(new, "/") == "second"
        assert kind.closed(old)
        assert not kind.closed(new)
        await until(lambda: site.connected == 1)
    await until(lambda: site.connected == 0)


async def test_a_check_that_fails_keeps_the_old_client(kind, site, until, nothing_left):
    async def check(client):
        await kind.get(client, "/broken" if client.headers["X-Name"] == "bad" else "/")

    async with following(kind, site, check=check) as (memory, binding):
        before = binding.current
        await memory.patch({"client": {"headers": {"X-Name": "bad"}}})
        await until(lambda: binding.failures >= 2)
        assert binding.current is before
        assert await kind.get(before, "/") == "first"


async def test_the_first_check_fails_as_the_users_function_did(kind, site, nothing_left):
    async def check(client):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        async with following(kind, site, check=check):
            pass


async def test_whoever_outlasts_the_drain_fails(kind, site, until, nothing_left):
    """Also those who wait for a connection, of which there are too few."""
    async with following(kind, site, drain=0.05) as (memory, binding):

        async def ask():
            async with binding.use() as client:
                await kind.get(client, "/slow")

        users = [asyncio.create_task(ask()) for _ in range(4)]
        busy = 2 if kind is Httpx else 1
        await until(lambda: site.slow == busy)
        await rename(memory, binding, until, "second")
        with anyio.fail_after(5):
            ends = await asyncio.gather(*users, return_exceptions=True)
        assert all(isinstance(end, kind.gone) for end in ends), ends
        assert binding.forced == 1
        async with binding.use() as client:
            assert await kind.get(client, "/") == "second"
        await until(lambda: site.connected == 1)


async def test_whoever_reads_a_body_longer_than_the_drain_fails(kind, site, until, nothing_left):
    async with following(kind, site, drain=0.05) as (memory, binding):
        begun = asyncio.Event()

        async def read():
            async with binding.use() as client:
                await kind.read(client, "/endless", begun)

        user = asyncio.create_task(read())
        await begun.wait()
        await rename(memory, binding, until, "second")
        with anyio.fail_after(2), pytest.raises(kind.gone):
            await user
    await until(lambda: site.connected == 0)


async def test_timeouts_and_limits_are_plain_mappings(site, nothing_left):
    value = {"timeout": {"connect": 1.0}, "limits": {"max_connections": 3}}
    async with httpx_client(Live.constant(value)) as binding:
        assert binding.current.timeout == httpx.Timeout(5.0, connect=1.0)
    value = {"timeout": {"total": 7}, "connector": {"limit": 3}}
    async with aiohttp_session(Live.constant(value)) as binding:
        assert binding.current.timeout == aiohttp.ClientTimeout(total=7)
        assert binding.current.connector.limit == 3
    async with aiohttp_session(Live.constant({"timeout": 7})) as binding:
        assert binding.current.timeout.total == 7


@pytest.mark.parametrize("wrong", [{"canary_of_a_kind": 1}, {"timeout": {"canary": 1}}, {"base_url": ["canary"]}])
async def test_no_error_quotes_an_argument(kind, wrong, nothing_left):
    with pytest.raises(ValueError, match="expected arguments") as caught:
        async with kind.adapter(Live.constant(wrong)):
            pass
    assert "canary" not in re.sub("canary(_of_a_kind)? [(]unknown", "", str(caught.value))
    assert caught.value.__context__ is None


async def test_a_storm_under_users_fails_no_request(kind, site, crowd, until, nothing_left):
    async def get(client):
        assert await kind.get(client, "/")

    async with following(kind, site) as (memory, binding), crowd.at_work(8, binding, get):
        for number in range(20):
            await rename(memory, binding, until, f"n{number}")
        assert binding.forced == 0
    assert crowd.failures == []
    assert crowd.queries > 20
    await until(lambda: site.connected == 0)
