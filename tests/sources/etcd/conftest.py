"""Real servers, a running source and its feed, and a proxy that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from reactive_config.core.delta import Bare, Malformed, Replace
from reactive_config.core.status import State
from reactive_config.sources.etcd import Etcd
from reactive_config.testing.etcd_server import EtcdBinary, EtcdServer, etcd_binaries, etcd_server, running_etcd
from reactive_config.testing.feed import RecordingFeed

Follow = Callable[..., AbstractAsyncContextManager[RecordingFeed]]

_NUMBERS = itertools.count(1)


BINARIES = etcd_binaries() or (None,)
LOOPS = [False, importlib.util.find_spec("uvloop") is not None]
PAIRS = [
    pytest.param((binary, uvloop), id=f"{binary.version if binary else 'none'}-{'uvloop' if uvloop else 'asyncio'}")
    for binary, uvloop in zip(itertools.cycle(BINARIES), LOOPS * (len(BINARIES) + 1 >> 1), strict=False)
]
"""Every etcd and every loop, but not every etcd on every loop: that would double the time for little."""


@pytest.fixture(scope="session", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> tuple[EtcdBinary | None, bool]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def anyio_backend(pair: tuple[EtcdBinary | None, bool]) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": pair[1]}


@pytest.fixture(scope="session")
def binary(pair: tuple[EtcdBinary | None, bool]) -> EtcdBinary:
    if pair[0] is None:
        pytest.skip("there is no etcd here")
    return pair[0]


@pytest.fixture(scope="session")
def server(binary: EtcdBinary) -> Iterator[EtcdServer]:
    """A server that all tests share: each takes a prefix of its own and leaves the server as it is."""
    with running_etcd(binary) as server:
        yield server


@pytest.fixture
async def own(binary: EtcdBinary) -> AsyncIterator[EtcdServer]:
    """A server that the test may break."""
    async with etcd_server(binary) as server:
        yield server


@pytest.fixture
def prefix() -> str:
    return f"/t{next(_NUMBERS)}/"


class Timed(RecordingFeed):
    """Prints when each state was told, with ETCD_TIMES set and `pytest -s`: figures of docs/faults.md."""

    def __init__(self) -> None:
        super().__init__()
        self._begin = time.monotonic()
        self._told: list[str] = []

    def state(self, state: State, reason: str = "", **more: Any) -> None:
        self._told.append(f"{state.name} {time.monotonic() - self._begin:.3f}")
        super().state(state, reason, **more)

    def show(self) -> None:
        if "ETCD_TIMES" in os.environ:
            test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
            print(f"{test}: {', '.join(self._told)}; {dict(self.counters)}")


@contextlib.asynccontextmanager
async def following(*endpoints: str, feed: RecordingFeed | None = None, **options: Any) -> AsyncIterator[RecordingFeed]:
    """A feed that a source fills; the source ends within 5 s and without an error."""
    feed = feed or Timed()
    task = asyncio.create_task(Etcd(*endpoints, **options).run(feed))
    task.add_done_callback(lambda _: feed._wake())
    try:
        yield feed
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        if isinstance(feed, Timed):
            feed.show()
        assert done, "the source does not end"
        with contextlib.suppress(asyncio.CancelledError):
            task.result()


@pytest.fixture
def follow() -> Follow:
    return following


def shown(feed: RecordingFeed) -> dict[str, Any]:
    """The state as id to plain value; bare texts in angle brackets, malformed ones as their `expected`."""

    def plain(value: Any) -> Any:
        if isinstance(value, Bare):
            return f"<{value.text}>"
        return f"expected {value.expected}" if isinstance(value, Malformed) else value

    return {name: plain(entry.value) for name, entry in feed.entries.items()}


@pytest.fixture
def values() -> Callable[[RecordingFeed], dict[str, Any]]:
    return shown


@pytest.fixture
def synced() -> Callable[[RecordingFeed], bool]:
    return lambda feed: bool(feed.states) and feed.states[-1][0] is State.SYNCED


@pytest.fixture
def replaces() -> Callable[[RecordingFeed], int]:
    return lambda feed: sum(isinstance(delta, Replace) for delta in feed.deltas)


class Proxy:
    """A TCP proxy on loopback: `cut` drops its connections and refuses new ones until `mend`."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._server: asyncio.Server | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        if self._pipes:
            await asyncio.wait(self._pipes)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(*self._target)
            self._writers |= {writer, back}
            pipes = {asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))}
            self._pipes |= pipes
            await asyncio.wait(pipes)
            self._pipes -= pipes
            self._writers -= {writer, back}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@contextlib.asynccontextmanager
async def proxied(server: EtcdServer) -> AsyncIterator[Proxy]:
    proxy = Proxy(server.endpoint)
    await proxy.mend()
    try:
        yield proxy
    finally:
        await proxy.cut()


@pytest.fixture
def proxy_to() -> Callable[[EtcdServer], AbstractAsyncContextManager[Proxy]]:
    return proxied


@pytest.fixture
async def proxy(server: EtcdServer) -> AsyncIterator[Proxy]:
    async with proxied(server) as proxy:
        yield proxy
