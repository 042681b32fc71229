"""Real servers, and one that does on purpose what a real one seldom does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from aetcd.rpc import (
    AuthenticateResponse,
    KeyValue,
    RangeResponse,
    ResponseHeader,
    StatusResponse,
    WatchResponse,
    rpc_pb2_grpc,
)

from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.link import Link, open_link
from reactive_config._etcd.settings import Settings, parse_endpoint
from reactive_config._testing.etcd_server import EtcdServer


@pytest.fixture
def anyio_backend(pair: tuple[Any, tuple[str, dict[str, bool]]]) -> tuple[str, dict[str, bool]]:
    return pair[1]


@pytest.fixture
async def link(server: EtcdServer) -> AsyncIterator[Link]:
    async with open_link(parse_endpoint(server.endpoint), Settings()) as link:
        yield link


Script = Callable[[Any, Any, int], Awaitable[None]]


class FakeEtcd(  # type: ignore[misc]
    rpc_pb2_grpc.KVServicer, rpc_pb2_grpc.WatchServicer, rpc_pb2_grpc.AuthServicer, rpc_pb2_grpc.MaintenanceServicer
):
    """Answers every Range with `kvs` and leaves every Watch to the next of `scripts` (the last one stays).

    A script gets the request, the call's context, and the number of the watch; it writes what it likes.
    `before` is awaited with the method's name before a Range, Authenticate or Status is answered.
    As etcd's, a token ends in `index`, and a Range with one that is ahead of it is never answered.
    """

    def __init__(self, *scripts: Script) -> None:
        self.kvs: dict[bytes, tuple[bytes, int]] = {b"/s/a": (b"1", 3)}
        self.revision = 5
        self.index = 1
        self.starts: list[int] = []
        self.endpoint = ""
        self.before: Callable[[str], Awaitable[None]] | None = None
        self._scripts = scripts

    def header(self) -> ResponseHeader:
        return ResponseHeader(cluster_id=7, member_id=1, revision=self.revision, raft_term=2)

    async def Range(self, request: Any, context: Any) -> RangeResponse:
        if self.before is not None:
            await self.before("Range")
        token = dict(context.invocation_metadata()).get("token", ".0")
        if int(token.rpartition(".")[2]) > self.index:
            await asyncio.Event().wait()
        kvs = [KeyValue(key=k, value=v, mod_revision=r) for k, (v, r) in self.kvs.items()]
        kvs.sort(key=lambda kv: kv.mod_revision, reverse=True)
        shown = [] if request.count_only else kvs[: request.limit or None]
        return RangeResponse(header=self.header(), kvs=shown, count=len(kvs))

    async def Authenticate(self, request: Any, context: Any) -> Any:
        if self.before is not None:
            await self.before("Authenticate")
        return AuthenticateResponse(token=f"token.{self.index}")

    async def Status(self, request: Any, context: Any) -> Any:
        if self.before is not None:
            await self.before("Status")
        return StatusResponse(header=self.header(), raftIndex=self.index, raftAppliedIndex=self.index)

    async def Watch(self, requests: Any, context: Any) -> None:
        request = await context.read()
        number = len(self.starts)
        self.starts.append(request.create_request.start_revision)
        await self._scripts[min(number, len(self._scripts) - 1)](request, context, number)

    def created(self, **fields: Any) -> WatchResponse:
        return WatchResponse(header=self.header(), created=True, **fields)

    async def stay(self, request: Any, context: Any, number: int) -> None:
        """The script of a healthy, silent watch."""
        await context.write(self.created())
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def serving(fake: FakeEtcd) -> AsyncIterator[FakeEtcd]:
    server = grpc.aio.server()
    rpc_pb2_grpc.add_KVServicer_to_server(fake, server)
    rpc_pb2_grpc.add_WatchServicer_to_server(fake, server)
    rpc_pb2_grpc.add_AuthServicer_to_server(fake, server)
    rpc_pb2_grpc.add_MaintenanceServicer_to_server(fake, server)
    fake.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    others = asyncio.all_tasks()
    await server.start()
    try:
        yield fake
    finally:
        await server.stop(None)
        await _settled(fake.endpoint, others)


async def _settled(endpoint: str, others: set[asyncio.Task[Any]]) -> None:
    """Return once gRPC has told this loop of everything that was cancelled; see `open_channel`.

    Handlers of cancelled calls end after the server did, and tell their end to gRPC, which answers. An answer
    that comes when the loop is closed is raised in the next test.
    """
    if handlers := asyncio.all_tasks() - others - {asyncio.current_task()}:
        await asyncio.wait(handlers, timeout=1)
    for _ in range(3):
        async with open_link(parse_endpoint(endpoint), Settings()):
            pass


@pytest.fixture
def fake_etcd() -> Callable[..., contextlib.AbstractAsyncContextManager[FakeEtcd]]:
    return lambda *scripts: serving(FakeEtcd(*scripts))


@pytest.fixture
def connect() -> Callable[..., contextlib.AbstractAsyncContextManager[Link]]:
    def open_to(endpoint: str, credentials: Credentials | None = None, **settings: Any) -> Any:
        return open_link(parse_endpoint(endpoint), Settings(**settings), credentials)

    return open_to
