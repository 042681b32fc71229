"""Two services over one etcd of three members, one of which lags behind, is cut off, or stands still."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from reactive_config._testing.etcd_cluster import EtcdCluster, etcd_cluster
from reactive_config._testing.etcd_server import EtcdServer
from reactive_config._testing.tcp_proxy import TcpProxy, tcp_proxy

from .served import CONFIG, PATIENCE, Audit, Writers, check_read, make_environment, problem, send, service

pytestmark = [pytest.mark.anyio, pytest.mark.etcd]


class Two(NamedTuple):
    """Two services over one cluster.

    Attributes:
        cluster: All members.
        slow: The member of the second service: no leader.
        wire: Between that member and the second service.
        store: The name of the store, at the member of the first service.
        token: Of admin.
        near: A client of the first service.
        far: A client of the second service.
    """

    cluster: EtcdCluster
    slow: EtcdServer
    wire: TcpProxy
    store: str
    token: str
    near: httpx.AsyncClient
    far: httpx.AsyncClient

    async def far_is_back(self) -> None:
        """Return once the second service knows what the first one does."""
        revision = int((await self.near.get(CONFIG)).headers["revision"])
        async with asyncio.timeout(PATIENCE):
            while (await self.far.get(CONFIG, params={"min_revision": revision})).status_code != 200:
                pass  # it waits by itself


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cluster = await enter(etcd_cluster())
        leader = await cluster.wait_leader()
        slow = next(member for member in cluster.members if member is not leader)
        wire = await enter(tcp_proxy(slow.endpoint))
        store = f"etcd://{leader.endpoint}/rc/"
        first = await enter(service(tmp_path / "near", store))
        second = await enter(service(tmp_path / "far", f"etcd://{wire.endpoint}/rc/"))
        token = await first.begin()
        await second.start(PATIENCE)
        near, far = await enter(first.client(token)), await enter(second.client(token))
        two = Two(cluster, slow, wire, store, token, near, far)
        await make_environment(near)
        await two.far_is_back()
        yield two


@pytest.mark.parametrize("writes", [40, pytest.param(600, marks=[pytest.mark.storm, pytest.mark.timeout(600)])])
async def test_one_that_hears_late_answers_nothing_old_and_overwrites_nothing(two, writes):
    """Every write at one service is asked for at the other one at once, which hears of it a fifth of a second later."""
    two.wire.latency = 0.1
    writers, audit = Writers(two.near, two.far), Audit(two.store)
    async with writers.writing():
        while len(writers.acknowledged) < writes:
            await writers.acknowledge(1)
            await check_read(two.far, writers)
            await check_read(two.near, writers)
    await writers.check_repeats()
    await audit.end(writers)
    print(f"{writers}")


TIMES = [
    pytest.param(2, marks=[pytest.mark.storm, pytest.mark.timeout(600)]),
    pytest.param(10, marks=[pytest.mark.marathon, pytest.mark.timeout(900)]),
]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("how", ["stopped", "cut off"])
async def test_one_whose_member_is_gone_says_so_and_catches_up(two, how, times):
    rng = random.Random(times)
    writers, late, audit = Writers(two.near), Writers(two.far), Audit(two.store)
    for time in range(times):
        begun = asyncio.create_task(late.write(two.far, f"{10 + time}.2"))  # somewhere within it the member goes
        await asyncio.sleep(rng.uniform(0, 0.02))
        if how == "stopped":
            two.cluster.stop(two.slow)
        else:
            two.wire.drop()
        async with writers.writing():
            await writers.acknowledge(5)
        old, refused = await asyncio.gather(
            two.far.get(CONFIG, params={"min_revision": writers.revision}), send(two.far, f"{10 + time}.3")
        )
        assert problem(old) == (503, "not-there-yet")
        assert problem(refused) == (503, "store-away")
        assert (await two.far.get(CONFIG)).status_code == 200  # as it was: nobody asked for more
        if how == "stopped":
            two.cluster.cont()
        else:
            two.wire.heal()
        await two.far_is_back()
        await begun
        await late.write(two.far, f"{10 + time}.3")
        await check_read(two.far, writers)
        writers.acknowledged |= late.acknowledged
        writers.revision = max(writers.revision, late.revision)
        await audit.look(writers)
    await audit.end(writers)
    print(f"{times} times {how}: {writers}; of them at the second service: {late}")


@pytest.mark.storm
async def test_one_that_knows_another_member_goes_over_to_it(two, tmp_path):
    other = next(
        member for member in two.cluster.members if member.endpoint not in two.store and member is not two.slow
    )
    async with service(tmp_path / "third", f"etcd://{two.slow.endpoint},{other.endpoint}/rc/") as third:
        await third.start(PATIENCE)
        async with third.client(two.token) as client:
            writers, audit = Writers(two.near, client), Audit(two.store)
            await writers.write(client, "9.0")
            two.cluster.stop(two.slow)
            async with writers.writing():
                await writers.acknowledge(20)
                await check_read(client, writers)
            await audit.end(writers)
