"""A gRPC channel against real servers in this process."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import msgspec
import pytest

from reactive_config import Live, Memory, open_config
from reactive_config._core.status import BindingState
from reactive_config._testing.etcd_installed import free_ports
from reactive_config.bindings.pools import grpc_channel

grpc = pytest.importorskip("grpc")
trustme = pytest.importorskip("trustme")
aio = pytest.importorskip("grpc.aio")

ECHO, SLEEP = "/test.Echo/Echo", "/test.Echo/Sleep"


class Inventory(msgspec.Struct, frozen=True):
    target: str
    options: dict[str, int] = {}


class App(msgspec.Struct, frozen=True):
    inventory: Inventory


class Echo(grpc.GenericRpcHandler):
    """Answers what it is asked, or takes its time."""

    def __init__(self):
        self.sleeping = 0

    def service(self, details):
        answer = {ECHO: self.echo, SLEEP: self.sleep}[details.method]
        return grpc.unary_unary_rpc_method_handler(answer)

    async def echo(self, request, context):
        return request

    async def sleep(self, request, context):
        self.sleeping += 1
        try:
            await asyncio.sleep(20)
        finally:
            self.sleeping -= 1


async def echo(channel):
    assert await channel.unary_unary(ECHO)(b"hello") == b"hello"


@contextlib.asynccontextmanager
async def echo_server(credentials=None):
    """A server, its target and its handler."""
    handler = Echo()
    server = aio.server()
    server.add_generic_rpc_handlers([handler])
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}", handler
    finally:
        await server.stop(None)
        await answered()


async def answered():
    """Return when gRPC has told this loop of every call that was cancelled; its queue keeps its order."""
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        with contextlib.suppress(aio.AioRpcError):
            await channel.unary_unary(ECHO)(b"", timeout=0)


async def settled(binding, until, target):
    await until(lambda: binding.value.target == target and binding.status().state is BindingState.IN_FORCE)


async def test_a_new_value_is_a_new_channel_and_the_old_one_is_closed(until):
    async with echo_server() as (first, _), echo_server() as (second, _):
        memory = Memory({"inventory": {"target": first}})
        async with open_config(App, memory) as config, grpc_channel(config.select("inventory")) as inventory:
            async with inventory.use() as old:
                await echo(old)
            await memory.patch({"inventory": {"target": second}})
            await settled(inventory, until, second)
            async with inventory.use() as new:
                await echo(new)
            with pytest.raises(aio.UsageError, match="closed"):
                await echo(old)
            assert inventory.forced == 0


async def test_a_target_that_does_not_answer_keeps_the_old_channel(until):
    async with echo_server() as (first, _):
        memory = Memory({"inventory": {"target": first}})
        async with (
            open_config(App, memory) as config,
            grpc_channel(config.select("inventory"), deadline=0.2) as inventory,
        ):
            before = inventory.current
            await memory.patch({"inventory": {"target": f"127.0.0.1:{free_ports(1)[0]}"}})
            await until(lambda: inventory.failures >= 2)
            assert inventory.current is before
            await echo(before)


async def test_an_opening_that_is_cancelled_half_way_leaves_the_old_channel(until):
    async with echo_server() as (first, _):
        memory = Memory({"inventory": {"target": first}})
        async with open_config(App, memory) as config, grpc_channel(config.select("inventory")) as inventory:
            for port in free_ports(3):
                await memory.patch({"inventory": {"target": f"127.0.0.1:{port}"}})
                await until(lambda: inventory.status().state is BindingState.PREPARING)
                await memory.patch({"inventory": {"target": first}})
                await settled(inventory, until, first)
            await echo(inventory.current)
            assert inventory.changes == 1


async def test_calls_that_outlast_the_drain_are_cancelled(until):
    async with echo_server() as (target, handler):
        memory = Memory({"inventory": {"target": target}})
        async with (
            open_config(App, memory) as config,
            grpc_channel(config.select("inventory"), drain=0.05) as inventory,
        ):

            async def ask():
                async with inventory.use() as channel:
                    await channel.unary_unary(SLEEP)(b"")

            user = asyncio.create_task(ask())
            await until(lambda: handler.sleeping)
            await memory.patch({"inventory": {"options": {"grpc.max_receive_message_length": 1000}}})
            await until(lambda: inventory.forced == 1)
            with anyio.fail_after(5):
                await asyncio.wait([user])
            assert user.cancelled()
            await until(lambda: not handler.sleeping)
            await settled(inventory, until, target)
            await echo(inventory.current)


async def test_tls_is_a_plain_mapping():
    ca = trustme.CA()
    cert = ca.issue_cert("localhost")
    pair = (cert.private_key_pem.bytes(), cert.cert_chain_pems[0].bytes())
    async with echo_server(grpc.ssl_server_credentials([pair])) as (target, _):
        target = target.replace("127.0.0.1", "localhost")
        value = {"target": target, "credentials": {"root_certificates": ca.cert_pem.bytes().decode()}}
        async with grpc_channel(Live.constant(value)) as inventory:
            await echo(inventory.current)


@pytest.mark.parametrize("wrong", [{"credentials": {"canary": "canary"}}, {"canary": 1}, {"options": "canary"}])
async def test_no_error_quotes_an_argument(wrong):
    with pytest.raises(ValueError, match="expected arguments") as caught:
        async with grpc_channel(Live.constant({"target": "127.0.0.1:1", **wrong})):
            pass
    assert "canary" not in str(caught.value).replace("got target, canary (unknown)", "")
    assert caught.value.__context__ is None


async def test_a_storm_under_users_fails_no_call(crowd, until):
    async with echo_server() as (target, _):
        memory = Memory({"inventory": {"target": target}})
        async with (
            open_config(App, memory) as config,
            grpc_channel(config.select("inventory")) as inventory,
            crowd.at_work(8, inventory, echo),
        ):
            for number in range(1, 51):
                await memory.patch({"inventory": {"options": {"grpc.max_metadata_size": 10_000 + number}}})
                await until(
                    lambda number=number: (
                        inventory.changes == number + 1 and inventory.status().state is BindingState.IN_FORCE
                    )
                )
            assert inventory.forced == 0
        assert crowd.failures == []
        assert crowd.queries > 50
