"""Both stores, each with a place of its own, and releases over them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactive_config._etcd.settings import parse_endpoint
from reactive_config._releases.change_requests import ChangeRequest
from reactive_config._releases.contents import KeyEdits
from reactive_config._releases.document_edits import plan_edits
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.key_store import KeyStore, StoreAway, StoreListing, Write
from reactive_config._releases.releases import Releases
from reactive_config._releases.replica import EnvironmentState, Replica
from reactive_config._releases.sqlite_store import open_sqlite_store
from reactive_config._testing.etcd_server import EtcdServer, etcd_binaries, missing_etcd, running_etcd

OpenStore = Callable[[], AbstractAsyncContextManager[KeyStore]]

ENVIRONMENT = EnvironmentName("shop", "production")


PLACES = [
    pytest.param("sqlite"),
    *(
        pytest.param(one, id=one.version if one else "etcd", marks=pytest.mark.etcd)
        for one in etcd_binaries() or (None,)
    ),
]


@pytest.fixture(scope="session", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[EtcdServer | None]:
    """A server of etcd; None stands for a file."""
    if request.param == "sqlite":
        yield None
        return
    if request.param is None:
        raise missing_etcd()
    with running_etcd(request.param) as server:
        yield server


@pytest.fixture
def open_store(place: EtcdServer | None, prefix: str, tmp_path: Path) -> OpenStore:
    """A function that opens the test's store, each time as another process would."""
    if place is None:
        return lambda: open_sqlite_store(tmp_path / "releases.db")

    @contextlib.asynccontextmanager
    async def etcd() -> AsyncIterator[KeyStore]:
        from reactive_config._releases.etcd_store import EtcdStore

        yield EtcdStore([parse_endpoint(place.endpoint)], prefix)

    return etcd


class Told:
    """What a follower was told.

    Attributes:
        keys: All keys as they are now.
        revision: Up to which.
        news: Every piece, in order.
    """

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.revision = -1
        self.news: list[Any] = []
        self._changed = asyncio.Event()

    def take(self, news: Any) -> None:
        self.news.append(news)
        if isinstance(news, StoreListing):
            self.keys = {key: stored.value for key, stored in news.keys.items()}
        elif not isinstance(news, StoreAway):
            for key, stored in news.changed.items():
                if stored is None:
                    self.keys.pop(key, None)
                else:
                    self.keys[key] = stored.value
        if not isinstance(news, StoreAway):
            assert isinstance(news, StoreListing) or news.revision > self.revision
            self.revision = news.revision
        self._changed.set()

    async def wait(self, condition: Callable[[], object], timeout: float = 10) -> None:
        with anyio.fail_after(timeout):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def following(store: KeyStore) -> AsyncIterator[Told]:
    told = Told()
    task = asyncio.create_task(store.follow(told.take))
    try:
        await told.wait(lambda: told.revision >= 0)
        yield told
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def releasing(open_store: OpenStore, **options: Any) -> AsyncIterator[Releases]:
    """Releases over a store, which know of all that was written before."""
    async with open_store() as store:
        replica = Replica(store)
        task = asyncio.create_task(replica.run())
        try:
            with anyio.fail_after(10):
                await replica.listed.wait()
            yield Releases(store, replica, **options)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def says(**names: Any) -> ChangeRequest:
    """A change after which some top-level names say something."""

    async def plan(state: EnvironmentState) -> KeyEdits:
        return plan_edits(state.contents, names)

    return ChangeRequest(plan=plan, author="somebody", message="because")


async def write_around(store: KeyStore, puts: dict[str, bytes], deletes: set[str] = frozenset()) -> int:
    """What etcdctl does."""
    prefix = ENVIRONMENT.prefix
    return await store.commit(Write({prefix + k: v for k, v in puts.items()}, frozenset(prefix + k for k in deletes)))


def tree(releases: Releases, name: EnvironmentName = ENVIRONMENT) -> Any:
    return releases.replica.state(name).contents.tree
