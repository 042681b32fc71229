"""A thousand leavings through every driver, each under builders, checks and closers that do wrong with cancellation.

    STORM_SEED=7 pytest tests/bindings/pools/test_leaving_storm.py -m storm -s

A failing leaving is printed with all that is needed to play it alone: `STORM_ONLY=<number>` with the same seed,
and `-k <driver>`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import time
from collections import Counter

import anyio
import msgspec
import pytest

from reactive_config import Memory, open_config
from reactive_config._bindings.insistent_scope import CANCEL_FOR
from reactive_config._core.status import BindingState
from reactive_config.bindings.pools import aiohttp_session, grpc_channel, httpx_client, redis_client

aiohttp = pytest.importorskip("aiohttp")
asyncpg = pytest.importorskip("asyncpg")
grpc = pytest.importorskip("grpc")
aio = pytest.importorskip("grpc.aio")
web = pytest.importorskip("aiohttp.web")
redis_asyncio = pytest.importorskip("redis.asyncio")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SEED = int(os.environ.get("STORM_SEED", "7"))
ONLY = os.environ.get("STORM_ONLY")

DRAIN = 0.05
DEADLINE = 0.6

GONE_WITHIN = 3.0
"""Seconds in which sockets, tasks and backends that were closed are no longer seen."""

ABANDONED = "abandon"
"""The word in the WARNING, and in the status, for a task that swallows every cancellation."""


def limit_of_leaving(drain, deadline):
    """Seconds that leaving a binding takes at most. The one place to change if the promise changes."""
    return drain + deadline + CANCEL_FOR


LATE = 0.5
"""Seconds by which timers and this loop, on a busy machine, may be late."""


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": False}


class NotOurs(asyncio.CancelledError):
    """A cancellation that nobody asked for, as some drivers raise it."""


class Layer:
    """Does wrong, by a seed, around the steps of one binding. It loses nothing by itself: what was built is returned or
    closed, and a closer closes.

    Attributes:
        played: What was done, in order.
        stuck: How many steps swallow every cancellation, and were cancelled.
    """

    FAULTS = ("honest", "honest", "swallow", "delay", "other", "alien", "alien_when_cancelled", "error", "slow")

    def __init__(self, rng, forever):
        self.played = []
        self.stuck = 0
        self._rng = rng
        self._forever = forever  # which step swallows every cancellation: none, or the kind of one
        self._free = asyncio.Event()

    def around(self, binding):
        build, check, close = binding._build, binding._check, binding._close
        binding._build = self._wrapped("build", build, close)
        binding._check = self._wrapped("check", check, None)
        binding._close = self._wrapped("close", close, None)

    def release(self):
        """Let those go on who swallow everything."""
        self._free.set()

    def _wrapped(self, kind, step, dispose):
        async def misbehaving(*args):
            fault = self._rng.choice(self.FAULTS)
            if self._forever == kind and not self._free.is_set() and self._rng.random() < 0.5:
                fault = "forever"
            self.played.append(f"{kind}:{fault}")
            return await _Step(self, fault, kind, step, dispose).run(args)

        return misbehaving


class _Step:
    def __init__(self, layer, fault, kind, step, dispose):
        self._layer, self._fault, self._kind = layer, fault, kind
        self._step, self._dispose = step, dispose
        self._rng, self._free = layer._rng, layer._free

    async def run(self, args):
        closes = self._kind == "close"  # without fail: else it would be this layer's leak
        if not closes:
            await self._unasked()
        if self._fault == "honest":
            return await self._step(*args)
        inner = asyncio.ensure_future(self._step(*args))
        await self._through(inner)
        if closes:
            await self._unasked()
        return inner.result()

    async def _unasked(self):
        if self._fault == "slow":
            await asyncio.sleep(self._rng.random() * 0.03)
        if self._fault == "alien":
            raise NotOurs
        if self._fault == "error":
            raise OSError("canary")

    async def _through(self, inner):
        """Wait for the inner step, and do the wrong thing when cancelled."""
        swallows = {"swallow": self._rng.choice((1, 2, 5))}.get(self._fault, 0)
        stuck = False
        while not inner.done() or (self._fault == "forever" and not self._free.is_set()):
            try:
                await (asyncio.wait([inner]) if not inner.done() else self._free.wait())
            except asyncio.CancelledError as error:
                if self._fault == "forever":
                    self._layer.stuck += not stuck
                    stuck = True
                elif swallows:
                    swallows -= 1
                else:
                    await self._end(inner)
                    raise self._instead(error) from None
        self._layer.stuck -= stuck

    async def _end(self, inner):
        if self._fault == "delay":
            await _settled(asyncio.ensure_future(asyncio.sleep(self._rng.random() * 0.05)))
        inner.cancel()
        await _settled(inner)
        if self._dispose is not None and not inner.cancelled() and inner.exception() is None:
            closing = asyncio.ensure_future(self._dispose(inner.result()))
            await _settled(closing)
            closing.cancelled() or closing.exception()

    def _instead(self, error):
        if self._fault == "other":
            return RuntimeError("canary")
        return NotOurs() if self._fault == "alien_when_cancelled" else error


async def _ended(tasks):
    """Cancel tasks until they have ended."""
    with anyio.fail_after(30):
        while any(not task.done() for task in tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)


async def _settled(task):
    """Wait for a task, whoever cancels that."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])


# --- the drivers ---


class Thing(msgspec.Struct, frozen=True):
    name: str


class App(msgspec.Struct, frozen=True):
    thing: Thing


class OfPostgres:
    """One driver of PostgreSQL."""

    def __init__(self, kind, dsn, outside):
        self._kind, self._dsn, self._outside = kind, dsn, outside

    def bind(self, live):
        class Url(str):
            __slots__ = ()

            def reveal(self):
                return str(self)

        def options(thing):
            database = type("Database", (), {"url": Url(self._dsn), "size": 2, "name": thing.name})
            return self._kind.options(database)

        return self._kind.adapter(live, options=options, name="storm", drain=DRAIN, deadline=DEADLINE)

    async def use(self, pool):
        async with self._kind.lend(pool) as connection:
            await self._kind.query(connection, "SELECT pg_sleep(0.01)")

    async def hold(self, pool):
        async with self._kind.lend(pool) as connection:
            await self._kind.query(connection, "SELECT pg_sleep(600)")

    async def connections(self, prefix):
        """What each connection at the server does, for those whose name begins in this way."""
        what = "concat_ws(' ', application_name, state, wait_event, query)"
        query = f"SELECT {what} FROM pg_stat_activity WHERE starts_with(application_name, 'pools-' || $1)"
        return [row[0] for row in await self._outside.fetch(query, prefix)]


class OfRedis:
    def __init__(self, redis, outside):
        self._redis, self._outside = redis, outside

    def bind(self, live):
        def options(thing):
            return {"url": self._redis.url, "password": "canary", "client_name": thing.name}

        return redis_client(live, options=options, name="storm", drain=DRAIN, deadline=DEADLINE)

    async def use(self, client):
        await client.ping()

    async def hold(self, client):
        await client.blpop("nothing", timeout=0)

    async def connections(self, prefix):
        names = [client["name"] for client in await self._outside.client_list()]
        return [name for name in names if name.startswith(prefix)]


class Site:
    """A server of HTTP in this process; it counts its connections."""

    def __init__(self):
        self.url = ""
        self._names = {}

    async def answer(self, request):
        self._names[request.transport] = request.headers["X-Name"]
        if request.path == "/slow":
            await asyncio.sleep(600)
        return web.Response(text="here")

    def connected(self, prefix):
        self._names = {transport: name for transport, name in self._names.items() if not transport.is_closing()}
        return [name for name in self._names.values() if name.startswith(prefix)]


class OfHttp:
    def __init__(self, adapter, get, site):
        self._adapter, self._get, self._site = adapter, get, site

    def bind(self, live):
        async def check(client):
            await self._get(client, "/")

        def options(thing):
            return {"base_url": self._site.url, "headers": {"X-Name": thing.name}}

        settings = {"check": check, "options": options, "name": "storm", "drain": DRAIN, "deadline": DEADLINE}
        return self._adapter(live, **settings)

    async def use(self, client):
        await self._get(client, "/")

    async def hold(self, client):
        await self._get(client, "/slow")

    async def connections(self, prefix):
        return self._site.connected(prefix)


class OfGrpc:
    def __init__(self, target):
        self._target = target
        self.calls = 0

    def bind(self, live):
        def options(thing):
            return {"target": self._target, "options": {"grpc.primary_user_agent": thing.name}}

        return grpc_channel(live, options=options, name="storm", drain=DRAIN, deadline=DEADLINE)

    async def use(self, channel):
        await channel.unary_unary("/test.Echo/Echo")(b"hello")

    async def hold(self, channel):
        await channel.unary_unary("/test.Echo/Sleep")(b"hello")

    async def connections(self, prefix):
        return []  # its sockets are those of this process


async def httpx_get(client, path):
    await client.get(path)


async def aiohttp_get(session, path):
    async with session.get(path) as response:
        await response.read()


SERVERS = {"AioServer._request_call"}
"""Tasks of the servers in this process, which come and go with calls."""


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        async def answer(request, context):
            if details.method.endswith("Sleep"):
                await asyncio.sleep(600)
            return request

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.asynccontextmanager
async def driver_of(name, request):
    async with contextlib.AsyncExitStack() as stack:
        if name in ("Asyncpg", "Psycopg", "SQLAlchemyAsyncpg", "SQLAlchemyPsycopg"):
            postgres = request.getfixturevalue("postgres")
            kind = request.getfixturevalue("postgres_kinds")[name]
            outside = await asyncpg.connect(postgres.dsn)
            stack.callback(outside.terminate)
            yield OfPostgres(kind, postgres.dsn, outside)
        elif name == "Redis":
            redis = request.getfixturevalue("redis")
            settings = {"password": "canary", "client_name": "outside", "single_connection_client": True}
            outside = await stack.enter_async_context(redis_asyncio.Redis.from_url(redis.url, **settings))
            yield OfRedis(redis, outside)
        elif name in ("Httpx", "Aiohttp"):
            site = Site()
            app = web.Application()
            app.router.add_get("/{path:.*}", site.answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            site.url = "http://{}:{}".format(*runner.addresses[0])
            pair = (httpx_client, httpx_get) if name == "Httpx" else (aiohttp_session, aiohttp_get)
            yield OfHttp(*pair, site)
        else:
            server = aio.server()
            server.add_generic_rpc_handlers([Echo()])
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            stack.push_async_callback(server.stop, None)
            yield OfGrpc(f"127.0.0.1:{port}")


# --- one leaving ---

MOMENTS = ("entering", "entered", "changed", "draining", "draining")
WAYS = ("body ends", "body raises", "cancelled", "cancelled twice")


class Leaving:
    """One binding, entered and left at some moment.

    Args:
        number: With the seed, decides everything.
        driver: See above.
        sockets: Gives the TCP sockets of this process.
        tasks: Gives the tasks of this loop.
    """

    def __init__(self, number, driver, sockets, tasks):
        self.rng = random.Random(f"{SEED}-{driver.name}-{number}")
        self.number = number
        self.moment = self.rng.choice(MOMENTS)
        self.way = self.rng.choice(WAYS)
        self.prefix = f"leaving-{driver.name}-{number}-"
        self.turns = self.rng.choice((0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89))
        forever = self.rng.choice(("build", "check", "close")) if self.rng.random() < 0.06 else None
        self.layer = Layer(self.rng, forever)
        self.faults = []
        self.abandoned = False
        self._driver = driver
        self._sockets, self._tasks = sockets, tasks
        self._before = (sockets(), tasks())
        self._entered, self._leave = asyncio.Event(), asyncio.Event()

    def __repr__(self):
        what = f"{self.moment} + {self.turns} turns, {self.way}, {' '.join(self.layer.played)}"
        return f"seed {SEED}, leaving {self.number}: {what}: {'; '.join(self.faults)}"

    async def play(self):
        """Enter, leave, and look what is left."""
        memory = Memory({"thing": {"name": f"{self.prefix}first"}})
        async with open_config(App, memory) as config:
            self._binding = self._driver.bind(config.select("thing"))
            self.layer.around(self._binding)
            owner = asyncio.create_task(self._own())
            users = []
            await self._wait_moment(owner, memory, users)
            for _ in range(self.turns):
                await asyncio.sleep(0)
            await self._left(owner)
        if users:
            await _ended(users)
        users.clear()  # the error of a call holds it, and gRPC's call its connection
        if not owner.done():
            await _ended(self._tasks() - self._before[1])  # so that it does not go on beside the next one
        self.abandoned = self.layer.stuck > 0
        if not self.abandoned:
            self.faults += await self.left_over()

    async def _own(self):
        async with self._binding:
            self._entered.set()
            await self._leave.wait()
            if self.way == "body raises":
                raise LookupError("the body's")

    async def _wait_moment(self, owner, memory, users):
        if self.moment == "entering":
            self.way = self.rng.choice(WAYS[2:])
            return
        entering = asyncio.create_task(self._entered.wait())
        await asyncio.wait([owner, entering], timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        entering.cancel()
        if not self._entered.is_set():
            self.moment, self.way = "entering late", "cancelled"
            return
        if self.moment == "draining":
            users += [asyncio.create_task(self._use(hold)) for hold in (True, self.rng.random() < 0.5)]
            await asyncio.sleep(0)
        if self.moment in ("changed", "draining"):
            await memory.patch({"thing": {"name": f"{self.prefix}second"}})
        if self.moment == "draining":
            with contextlib.suppress(TimeoutError), anyio.fail_after(DEADLINE):
                while self._binding.status().state is not BindingState.DRAINING and not owner.done():
                    await asyncio.sleep(0)

    async def _use(self, holds):
        with contextlib.suppress(Exception):
            async with self._binding.use() as thing:
                await (self._driver.hold if holds else self._driver.use)(thing)

    async def _left(self, owner):
        began = time.monotonic()
        self._leave.set()
        if self.way.startswith("cancelled"):
            owner.cancel()
        if self.way == "cancelled twice":
            await asyncio.sleep(0)
            owner.cancel()
        limit = limit_of_leaving(DRAIN, DEADLINE)
        await asyncio.wait([owner], timeout=limit + LATE)
        took = time.monotonic() - began
        if not owner.done():
            self.faults.append(f"leaving took longer than {limit:.1f} s")
            self.layer.release()
            await asyncio.wait([owner], timeout=GONE_WITHIN)
            if not owner.done():
                self.faults.append("and was stuck")
        self.took = took
        if owner.done() and not owner.cancelled():
            self._judge(owner.exception())

    def _judge(self, error):
        """What came out must be the body's own, the first preparation's, or nothing."""
        if self.way == "body raises" and self._entered.is_set() and not isinstance(error, LookupError):
            self.faults.append(f"the body's error became {error!r}")
        elif error is not None and self._entered.is_set() and not isinstance(error, LookupError):
            self.faults.append(f"leaving raised {error!r}")

    async def left_over(self):
        """What is still there after some time: sockets and tasks of this process, connections at the server."""
        faults = []
        deadline = time.monotonic() + GONE_WITHIN
        while True:
            sockets = self._sockets() - self._before[0]
            tasks = {task for task in self._tasks() - self._before[1] if _name(task) not in SERVERS}
            connections = await self._driver.connections(self.prefix)
            faults = [
                *([f"{len(sockets)} sockets left"] if sockets else []),
                *([f"tasks left: {sorted(_name(task) for task in tasks)}"] if tasks else []),
                *([f"left at the server: {connections}"] if connections else []),
            ]
            if not faults or time.monotonic() > deadline:
                return faults
            await asyncio.sleep(0.005)

    def is_reported(self, records):
        """Whether an operator learns of the abandoned task: a WARNING, and an entry in the status."""
        said = [record for record in records if record.levelno >= logging.WARNING]
        warned = any(ABANDONED in record.getMessage() and "storm" in record.getMessage() for record in said)
        return warned and ABANDONED in repr(self._binding.status())


def _name(task):
    return getattr(task.get_coro(), "__qualname__", task.get_name())


DRIVERS = ["Asyncpg", "Psycopg", "SQLAlchemyAsyncpg", "SQLAlchemyPsycopg", "Redis", "Httpx", "Aiohttp", "Grpc"]


@pytest.mark.parametrize("leavings", [6, pytest.param(125, marks=pytest.mark.storm)])  # of each driver
@pytest.mark.parametrize("name", DRIVERS)
async def test_leaving_is_bounded_and_clean_whatever_builders_and_closers_do(
    name, leavings, request, caplog, look_around
):
    sockets, tasks = look_around
    failed, abandoned, longest, left = [], [], 0.0, []
    async with driver_of(name, request) as driver:
        driver.name = name
        await driver.connections("")
        whole = Leaving(-1, driver, sockets, tasks)
        whole.prefix = f"leaving-{name}-"
        for number in [int(ONLY)] if ONLY else range(leavings):
            caplog.clear()
            leaving = Leaving(number, driver, sockets, tasks)
            await leaving.play()
            longest = max(longest, leaving.took)
            if leaving.abandoned:
                abandoned.append(leaving)
                if not leaving.is_reported(caplog.records):
                    leaving.faults.append("abandoned without a word")
                leaving.layer.release()
                leaving.faults += await leaving.left_over()
            if leaving.faults:
                failed.append(leaving)
        left = await whole.left_over()
    kinds = Counter(fault for leaving in failed for fault in leaving.faults)
    print(f"\n{name}: {len(failed)} of {leavings} failed, {len(abandoned)} abandoned, the longest took {longest:.2f} s")
    for kind, count in kinds.most_common():
        print(f"  {count} x {kind}")
    for leaving in failed:
        print(f"  {leaving!r}")
    for fault in left:
        print(f"  at the end: {fault}")
    assert not failed
    assert not left
