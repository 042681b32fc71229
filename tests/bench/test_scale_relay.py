"""The relay keeps the promises: order, no loss, whole transactions, and what it cannot know it does not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest
from aetcd.rpc import rpc_pb2_grpc

from bench.scale import relay as relays
from bench.scale.relay import Relay
from bench.scale.servers import Between, GrpcProxy, RelayProcess
from reactive_config import Config, Etcd, open_config
from reactive_config._etcd.errors import Compacted, FutureRevision, Unavailable
from reactive_config._etcd.link import Link, open_link
from reactive_config._etcd.messages import Batch, prefix_range
from reactive_config._etcd.reading import read_all, read_head
from reactive_config._etcd.settings import Settings, parse_endpoint
from reactive_config._etcd.watching import Watch, open_watch
from reactive_config._testing.etcd_server import EtcdServer, etcd_server

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.storm]  # no promise of the package is tested here

KEYS = prefix_range(b"/s/")


@asynccontextmanager
async def relayed(server: EtcdServer) -> AsyncIterator[tuple[Relay, Link]]:
    """A relay in this process, and a connection to it."""
    relay = Relay(server.endpoint, b"/s/")
    front = grpc.aio.server()
    rpc_pb2_grpc.add_KVServicer_to_server(relay, front)
    rpc_pb2_grpc.add_WatchServicer_to_server(relay, front)
    port = front.add_insecure_port("127.0.0.1:0")
    task = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        await relay.ready.wait()
    await front.start()
    try:
        async with open_link(parse_endpoint(f"127.0.0.1:{port}"), Settings()) as link:
            yield relay, link
    finally:
        await front.stop(None)
        task.cancel()
        await asyncio.wait([task])


async def test_it_offers_what_etcd_has() -> None:
    """Listed, counted and looked at, it says what etcd says; whole transactions come as they were made."""
    async with etcd_server() as server:
        await server.txn({"/s/a": "1", "/s/b": "2", "/other": "3"})
        async with relayed(server) as (_, link), server.connect() as direct:
            assert (await read_all(link, KEYS)).items == (await read_all(direct, KEYS)).items
            start = (await read_all(link, KEYS)).sight.revision
            async with open_watch(link, KEYS, start + 1) as watch:
                revision = await server.txn({"/s/a": "4", "/s/c": "5"}, deletes=["/s/b"])
                batch = await watch.read()
            told = {(change.key, change.value, change.mod_revision) for change in batch.changes}
            assert told == {(b"/s/a", b"4", revision), (b"/s/c", b"5", revision), (b"/s/b", None, revision)}
            assert await read_head(link, KEYS, newest=True) == await read_head(direct, KEYS, newest=True)
            first = await read_all(link, KEYS, page=1)
            assert first.items == (await read_all(direct, KEYS)).items


async def test_who_resumes_gets_what_was_missed() -> None:
    """From any revision that is still known, once and in order."""
    async with etcd_server() as server:
        start = await server.put("/s/a", "0")
        async with relayed(server) as (_, link):
            revisions = [await server.put("/s/a", str(n)) for n in range(5)]
            await read_head(link, KEYS)
            async with open_watch(link, KEYS, start + 3) as watch:
                seen: list[int] = []
                while len(seen) < 3:
                    seen += (change.mod_revision for change in (await watch.read()).changes)
            assert seen == revisions[2:]


async def test_what_it_has_forgotten_it_calls_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch from too long ago, a list of a past state; and a list of one that is not there yet is refused."""
    monkeypatch.setattr(relays, "KEPT", 2)
    async with etcd_server() as server:
        start = await server.put("/s/a", "0")
        async with relayed(server) as (_, link):
            for number in range(10):
                latest = await server.put("/s/a", str(number))
            await read_head(link, KEYS)
            with pytest.raises(Compacted):
                async with open_watch(link, KEYS, start + 1) as watch:
                    await watch.read()
            with pytest.raises(Compacted):
                await read_all(link, KEYS, revision=latest - 1)
            with pytest.raises(FutureRevision):
                await read_all(link, KEYS, revision=latest + 1)


async def test_it_never_answers_with_less_than_etcd_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """While its own watch lags it keeps who asks waiting: an answer would be an older state after a newer one."""
    go_on = asyncio.Event()
    take = Relay._take

    class Late(Watch):
        async def read(self) -> Batch:
            batch = await super().read()
            await go_on.wait()
            return batch

    async def take_late(relay: Relay, watch: Watch) -> None:
        watch.__class__ = Late
        await take(relay, watch)

    monkeypatch.setattr(Relay, "_take", take_late)
    async with etcd_server() as server:
        await server.put("/s/a", "1")
        async with relayed(server) as (_, link):
            revision = await server.put("/s/a", "2")
            asked = asyncio.create_task(read_head(link, KEYS, newest=True))
            done, _ = await asyncio.wait([asked], timeout=0.5)
            assert not done
            go_on.set()
            assert (await asked).newest == revision


async def test_without_upstream_it_says_so() -> None:
    """So that the heartbeat of whoever is below finds out."""
    async with etcd_server() as server:
        await server.put("/s/a", "1")
        async with relayed(server) as (_, link):
            await read_head(link, KEYS)
            server.kill()
            with pytest.raises(Unavailable, match="lost its upstream"):
                await read_head(link, KEYS, newest=True)
            await server.start()
            with anyio.fail_after(10):
                while True:
                    try:
                        sight = await read_head(link, KEYS)
                    except Unavailable:
                        continue
                    break
            assert sight.count == 1


async def test_another_history_ends_every_watch() -> None:
    """An etcd that was wiped: who watched is sent away, and lists what is there now."""
    async with etcd_server() as server:
        start = await server.put("/s/a", "1")
        async with relayed(server) as (_, link), open_watch(link, KEYS, start + 1) as watch:
            await asyncio.to_thread(server.kill)
            server.wipe()
            await server.start()
            await server.put("/s/b", "2")
            with pytest.raises(Unavailable), anyio.fail_after(10):
                await watch.read()
            assert [item.key for item in (await read_all(link, KEYS)).items] == [b"/s/b"]


async def _value(config: Config[dict[str, Any]], wanted: int) -> None:
    async with asyncio.timeout(30):
        async for snapshot in config:
            if snapshot.value.get("a") == wanted:
                return


@pytest.mark.parametrize("kind", ["proxy", "relay", "relay of a relay"])
async def test_one_between_that_dies_loses_nothing(kind: str, tmp_path: Path) -> None:
    """A runtime behind it sees a change, and after its death and return what was written meanwhile."""
    async with etcd_server() as server:
        await server.put("/s/a", "1")
        started: list[Between] = []
        try:
            if kind == "proxy":
                started = [GrpcProxy(tmp_path, server.endpoint, server.binary.path)]
            else:
                started = [RelayProcess(tmp_path, server.endpoint, "/s/")]
            await started[0].start()
            if kind == "relay of a relay":
                (tmp_path / "leaf").mkdir()
                started.append(RelayProcess(tmp_path / "leaf", started[0].endpoint, "/s/"))
                await started[1].start()
            async with open_config(dict[str, Any], Etcd(started[-1].endpoint, prefix="/s/")) as config:
                await server.put("/s/a", "2")
                await _value(config, 2)
                await asyncio.to_thread(started[-1].kill)
                await server.put("/s/a", "3")
                await started[-1].start()
                await _value(config, 3)
                await server.put("/s/a", "4")
                await _value(config, 4)
        finally:
            for one in started:
                one.kill()
