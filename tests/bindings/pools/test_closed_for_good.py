"""What is closed stays closed: whoever kept a pool, a client or a connection gets an error and makes no connection."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import anyio
import msgspec
import pytest

from reactive_config import Live
from reactive_config._testing.etcd_installed import free_ports
from reactive_config._testing.tcp_proxy import tcp_proxy
from reactive_config.bindings.pools import aiohttp_session, grpc_channel, httpx_client, redis_client

sqlalchemy_asyncio = pytest.importorskip("sqlalchemy.ext.asyncio")
sqlalchemy_exc = pytest.importorskip("sqlalchemy.exc")
aiohttp = pytest.importorskip("aiohttp")
grpc = pytest.importorskip("grpc")
aio = pytest.importorskip("grpc.aio")
httpx = pytest.importorskip("httpx")
redis_asyncio = pytest.importorskip("redis.asyncio")
sqlalchemy = pytest.importorskip("sqlalchemy")

pytestmark = pytest.mark.half_grid

CLOSED = "this one is closed; use\\(\\) gives the one in force"


class Database(msgspec.Struct, frozen=True):
    url: str
    size: int = 2
    name: str = "kept"

    def reveal(self):
        return self.url


@pytest.fixture
def database(postgres):
    return SimpleNamespace(url=postgres.dsn, size=2, name="kept")


def follow(kind, database, **settings):
    value = SimpleNamespace(**{**vars(database), "url": SimpleNamespace(reveal=lambda: database.url)})
    options = {**kind.options(value)}
    for name in ("dsn", "conninfo"):
        if name in options:
            options[name] = database.url
    return kind.adapter(Live.constant(options), name="database", drain=0.05, **settings)


async def ended(task, within=5):
    """The error that a task ends with."""
    with anyio.fail_after(within):
        await asyncio.wait([task])
    assert not task.cancelled()
    return task.exception()


# --- PostgreSQL ---


async def test_a_kept_pool_connects_no_more(kind, database, postgres, activity, nothing_left):
    async with follow(kind, database) as binding:
        pool = binding.current
        async with kind.lend(pool) as connection:
            await kind.query(connection, "SELECT 1")
    for _ in range(3):
        with anyio.fail_after(5), pytest.raises(Exception, match="clos"):
            async with kind.lend(pool) as connection:
                await kind.query(connection, "SELECT 1")
    await activity(postgres, "pools-").wait_gone()


async def test_a_kept_connection_is_cut_and_does_not_come_back(kind, database, postgres, activity, nothing_left):
    async with contextlib.AsyncExitStack() as stack:
        async with follow(kind, database) as binding:
            connection = await stack.enter_async_context(kind.lend(binding.current))
            await kind.query(connection, "SELECT 1")
        for _ in range(3):
            with anyio.fail_after(5), pytest.raises(Exception, match=r"clos|released|invalid"):
                await kind.query(connection, "SELECT 1")
        with contextlib.suppress(Exception):
            await stack.aclose()
    await activity(postgres, "pools-").wait_gone()


async def test_a_kept_engine_names_the_binding(kind, database, nothing_left):
    if not hasattr(kind, "driver"):
        pytest.skip("drivers name themselves")
    async with follow(kind, database) as binding:
        engine = binding.current
    with pytest.raises(sqlalchemy_exc.ResourceClosedError, match=f"^database: {CLOSED}"):
        async with engine.connect():
            pass
    with pytest.raises(sqlalchemy_exc.ResourceClosedError, match=f"^database: {CLOSED}"):
        async with engine.begin():
            pass
    await engine.dispose()
    with pytest.raises(sqlalchemy_exc.ResourceClosedError, match=f"^database: {CLOSED}"):
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect():
            pass


@pytest.mark.parametrize("used", [True, False], ids=["in a transaction", "not used yet"])
async def test_a_kept_session_connects_no_more(kind, database, postgres, activity, used, nothing_left):
    if not hasattr(kind, "driver"):
        pytest.skip("only SQLAlchemy has sessions")
    select = sqlalchemy.select(1)
    async with follow(kind, database) as binding:
        make = sqlalchemy_asyncio.async_sessionmaker(binding.current)
        session = make()
        if used:
            assert await session.scalar(select) == 1
    try:
        if used:
            with pytest.raises(sqlalchemy_exc.DBAPIError):  # its connection was cut
                await session.scalar(select)
            await session.rollback()
        for kept in (session, make(), sqlalchemy_asyncio.AsyncSession(binding_engine(make))):
            for _ in range(2):
                with pytest.raises(sqlalchemy_exc.ResourceClosedError, match=f"^database: {CLOSED}"):
                    await kept.scalar(select)
            await kept.close()
    finally:
        await session.close()
    await activity(postgres, "pools-").wait_gone()


def binding_engine(make):
    return make.kw["bind"]


async def test_whoever_waits_for_a_connection_gets_an_error(kind, database, postgres, activity, until, nothing_left):
    waiting = asyncio.Event()

    async def ask(pool):
        waiting.set()
        async with kind.lend(pool) as connection:
            await kind.query(connection, "SELECT 1")

    async with contextlib.AsyncExitStack() as stack:
        async with follow(kind, database) as binding:
            for _ in range(2):
                connection = await stack.enter_async_context(kind.lend(binding.current))
                await kind.query(connection, "SELECT 1")
            users = [asyncio.create_task(ask(binding.current)) for _ in range(5)]
            await waiting.wait()
        for user in users:
            assert await ended(user) is not None
        with contextlib.suppress(Exception):
            await stack.aclose()
    await activity(postgres, "pools-").wait_gone()


@pytest.mark.parametrize("torn", [False, True])
async def test_whoever_is_connecting_when_it_closes_ends_with_it(
    kind, database, postgres, activity, until, torn, monkeypatch, nothing_left
):
    """The server is behind a proxy that holds back everything, so the connection would come about much later.

    psycopg's pool tells those who wait last. Torn, its closing ends before that, and its workers end by themselves.
    """
    if torn:
        monkeypatch.setattr("reactive_config._bindings.pools.closing.CLOSE_WITHIN", 0.01)
        monkeypatch.setattr("reactive_config._bindings.pools.closing.CUT_WITHIN", 0.01)
        monkeypatch.setattr("reactive_config._bindings.pools.connecting.PATIENCE", 1.0)
    async with tcp_proxy(f"127.0.0.1:{postgres.port}") as proxy:
        database.url = postgres.dsn.replace(f"127.0.0.1:{postgres.port}", proxy.endpoint)

        async def ask(pool):
            async with kind.lend(pool) as connection:
                await kind.query(connection, "SELECT 1")

        async with contextlib.AsyncExitStack() as stack:
            async with follow(kind, database) as binding:
                await stack.enter_async_context(kind.lend(binding.current))
                seen = proxy.connections
                proxy.drop()
                user = asyncio.create_task(ask(binding.current))
                await until(lambda: proxy.connections > seen)
            assert await ended(user) is not None
            proxy.heal()
            with contextlib.suppress(Exception):
                await stack.aclose()
        await activity(postgres, "pools-").wait_gone()


async def test_no_moment_of_connecting_leaves_a_connection(kind, database, postgres, activity, nothing_left):
    async def ask(pool):
        async with kind.lend(pool) as connection:
            await kind.query(connection, "SELECT 1")

    for turns in range(0, 60, 3):
        async with follow(kind, database) as binding:
            pool = binding.current
            async with kind.lend(pool):
                users = [asyncio.create_task(ask(pool)) for _ in range(3)]
                for _ in range(turns):
                    await asyncio.sleep(0)
        for user in users:
            await ended(user)
        with anyio.fail_after(5), pytest.raises(Exception, match="clos"):
            await ask(pool)
    await activity(postgres, "pools-").wait_gone()


# --- Redis ---


@contextlib.asynccontextmanager
async def clients_of(redis):
    """Gives how many clients are connected but the one that asks."""
    async with redis_asyncio.Redis.from_url(redis.url, password="canary", client_name="outside") as outside:

        async def count():
            return sum(client["name"] != "outside" for client in await outside.client_list())

        yield count


async def test_a_kept_client_of_redis_connects_no_more(redis, nothing_left):
    async with clients_of(redis) as connected:
        before = await connected()
        value = Live.constant({"url": redis.url, "password": "canary"})
        async with redis_client(value, name="cache", drain=0.05) as binding:
            client = binding.current
            await client.set("key", "value")
            listener = client.pubsub()
            await listener.subscribe("channel")
        for use in (client.ping, client.pipeline().get("key").execute, lambda: listener.subscribe("more")):
            for _ in range(2):
                with anyio.fail_after(5), pytest.raises(redis_asyncio.RedisError, match=f"^cache: {CLOSED}"):
                    await use()
        with anyio.fail_after(5), pytest.raises(redis_asyncio.RedisError):
            await listener.get_message(timeout=1)
        with anyio.fail_after(5):  # the server sees a moment later that its client has gone
            while await connected() != before:
                await asyncio.sleep(0.001)


async def test_whoever_connects_to_redis_when_it_closes_ends_with_it(redis, until, nothing_left):
    async with tcp_proxy(f"127.0.0.1:{redis.port}") as proxy, clients_of(redis) as connected:
        before = await connected()
        value = Live.constant({"url": f"redis://{proxy.endpoint}/0", "password": "canary"})
        async with redis_client(value, name="cache", drain=0.05) as binding:
            seen = proxy.connections
            proxy.drop()
            users = [asyncio.create_task(binding.current.ping()) for _ in range(3)]
            await until(lambda: proxy.connections == seen + 2)
        for user in users:
            assert isinstance(await ended(user), redis_asyncio.RedisError)
        proxy.heal()  # and passes what it held back, before it sees that nobody is there
        with anyio.fail_after(5):
            while await connected() != before:
                await asyncio.sleep(0.01)


# --- HTTP ---


class Listener:
    """Takes connections and never says a word."""

    def __init__(self):
        self.ever = self.now = 0
        self.port = 0

    async def take(self, reader, writer):
        self.ever += 1
        self.now += 1
        try:
            while await reader.read(1000):
                pass
        except OSError:
            pass
        finally:
            self.now -= 1
            writer.close()


@pytest.fixture
async def listener():
    listener = Listener()
    server = await asyncio.start_server(listener.take, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


async def httpx_get(client, url):
    await client.get(url)


async def aiohttp_get(session, url):
    async with session.get(url) as response:
        await response.read()


HTTP = [
    pytest.param(httpx_client, httpx_get, (httpx.HTTPError, RuntimeError), id="httpx"),
    pytest.param(aiohttp_session, aiohttp_get, (aiohttp.ClientError, RuntimeError), id="aiohttp"),
]


@pytest.mark.parametrize(("adapter", "get", "errors"), HTTP)
async def test_a_kept_http_client_connects_no_more(adapter, get, errors, listener, nothing_left):
    async with adapter(Live.constant({})) as binding:
        client = binding.current
    for _ in range(3):
        with anyio.fail_after(5), pytest.raises(errors):
            await get(client, f"http://127.0.0.1:{listener.port}/")
    assert listener.ever == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("adapter", "get", "errors"), HTTP)
async def test_whoever_connects_by_http_when_it_closes_ends_with_it(
    adapter, get, errors, scheme, listener, until, nothing_left
):
    """By TLS nobody answers the handshake, without it nobody answers the request."""
    async with adapter(Live.constant({}), drain=0.05) as binding:
        client = binding.current
        users = [asyncio.create_task(get(client, f"{scheme}://127.0.0.1:{listener.port}/")) for _ in range(3)]
        await until(lambda: listener.now == 3)
    for user in users:
        assert isinstance(await ended(user), errors)
    await until(lambda: listener.now == 0)
    assert listener.ever == 3


@pytest.mark.parametrize(("adapter", "get", "errors"), HTTP)
async def test_no_moment_of_a_request_leaves_a_connection(adapter, get, errors, listener, until, nothing_left):
    for turns in range(30):
        async with adapter(Live.constant({}), drain=0) as binding:
            users = [asyncio.create_task(get(binding.current, f"http://127.0.0.1:{listener.port}/")) for _ in range(2)]
            for _ in range(turns):
                await asyncio.sleep(0)
        for user in users:
            assert isinstance(await ended(user), errors)
    await until(lambda: listener.now == 0)


# --- gRPC ---


@contextlib.asynccontextmanager
async def grpc_server(port=0):
    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            async def echo(request, context):
                return request

            return grpc.unary_unary_rpc_method_handler(echo)

    server = aio.server()
    server.add_generic_rpc_handlers([Echo()])
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_a_kept_channel_connects_no_more(nothing_left):
    async with grpc_server() as port:
        async with grpc_channel(Live.constant({"target": f"127.0.0.1:{port}"})) as binding:
            channel = binding.current
            call = channel.unary_unary("/test.Echo/Echo")
            assert await call(b"hello") == b"hello"
        for _ in range(2):
            for kept in (call, channel.unary_unary("/test.Echo/Echo")):
                with anyio.fail_after(5), pytest.raises(aio.UsageError, match="closed"):
                    await kept(b"hello")


async def test_a_call_that_waits_for_a_server_ends_with_its_channel(listener, until, nothing_left):
    (port,) = free_ports(1)
    async with grpc_server(port):
        binding = grpc_channel(Live.constant({"target": f"127.0.0.1:{port}"}), drain=0.05)
        await binding.__aenter__()
        channel = binding.current
    call = channel.unary_unary("/test.Echo/Echo")(b"hello", wait_for_ready=True)
    user = asyncio.ensure_future(call)
    await asyncio.sleep(0)
    with anyio.fail_after(5):
        await binding.__aexit__(None, None, None)
        await asyncio.wait([user])
    assert user.cancelled()
