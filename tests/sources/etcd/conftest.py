"""Real servers, a running source and its feed, and a proxy that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from reactive_config._core.delta import Bare, Malformed, Replace
from reactive_config._core.status import SourceState
from reactive_config._sources.etcd import Etcd
from reactive_config._testing.etcd_server import EtcdBinary, EtcdServer, etcd_server
from reactive_config._testing.recording_feed import RecordingFeed
from reactive_config._testing.tcp_proxy import TcpProxy, tcp_proxy

Follow = Callable[..., AbstractAsyncContextManager[RecordingFeed]]


@pytest.fixture
def anyio_backend(pair: tuple[Any, tuple[str, dict[str, bool]]]) -> tuple[str, dict[str, bool]]:
    return pair[1]


@pytest.fixture
async def own(binary: EtcdBinary) -> AsyncIterator[EtcdServer]:
    """A server that the test may break."""
    async with etcd_server(binary) as server:
        yield server


class Timed(RecordingFeed):
    """Prints when each state was told, with ETCD_TIMES set and `pytest -s`: figures of docs/faults.md."""

    def __init__(self) -> None:
        super().__init__()
        self._begin = time.monotonic()
        self._told: list[str] = []

    def state(self, state: SourceState, reason: str = "", **more: Any) -> None:
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
    return lambda feed: bool(feed.states) and feed.states[-1][0] is SourceState.SYNCED


@pytest.fixture
def replaces() -> Callable[[RecordingFeed], int]:
    return lambda feed: sum(isinstance(delta, Replace) for delta in feed.deltas)


@pytest.fixture
async def proxy(server: EtcdServer) -> AsyncIterator[TcpProxy]:
    """A network between a source and the server; `refuse` cuts it until `listen`."""
    async with tcp_proxy(server.endpoint) as proxy:
        yield proxy
