"""The service, or its etcd, is killed while clients write: nothing acknowledged is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest

from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.server_process import ServerProcess

from .served import PATIENCE, Audit, Writers, check_read, written

pytestmark = pytest.mark.anyio

KILLS = [
    3,
    pytest.param(10, marks=[pytest.mark.storm, pytest.mark.timeout(600)]),
    pytest.param(50, marks=[pytest.mark.marathon, pytest.mark.timeout(1200)]),
]


async def storm(victim: ServerProcess, client: httpx.AsyncClient, store: str, kills: int) -> None:
    """Kill a process again and again, somewhere within the writes, and look at what is there each time."""
    rng = random.Random(kills + 1)
    writers, audit = Writers(client), Audit(store)
    async with writers.writing():
        for _ in range(kills):
            await writers.acknowledge(rng.randint(1, 8))
            await asyncio.sleep(rng.uniform(0, 0.03))  # so that it ends anywhere within a write
            writers.up.clear()
            await asyncio.to_thread(victim.kill)
            if rng.random() < 0.25:  # once more, while it starts
                victim.spawn()
                await asyncio.sleep(rng.uniform(0, 1))
                await asyncio.to_thread(victim.kill)
            await victim.start(PATIENCE)
            writers.up.set()
            await audit.look(writers)
            await check_read(client, writers)
    await writers.check_repeats()
    await audit.end(writers)
    print(f"{kills} kills: {writers}")


@pytest.mark.parametrize("kills", KILLS)
async def test_a_service_over_a_file_is_killed(tmp_path, kills):
    store = f"sqlite:{tmp_path}/releases.db"
    async with written(tmp_path, store) as (process, client):
        await storm(process, client, store, kills)


@pytest.mark.etcd
@pytest.mark.parametrize("kills", KILLS[1:])
async def test_a_service_over_etcd_is_killed(tmp_path, kills):
    async with etcd_server() as etcd:
        store = f"etcd://{etcd.endpoint}/rc/"
        async with written(tmp_path, store) as (process, client):
            await storm(process, client, store, kills)


@pytest.mark.etcd
@pytest.mark.parametrize("kills", KILLS)
async def test_etcd_is_killed(tmp_path, kills):
    """One member, on the same data each time; it syncs each write to the disk before it acknowledges it."""
    async with etcd_server() as etcd:
        store = f"etcd://{etcd.endpoint}/rc/"
        async with written(tmp_path, store) as (_, client):
            await storm(etcd, client, store, kills)
