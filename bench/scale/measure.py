"""Measured points: a real etcd, real servers between, real runtimes, and what each of them spends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from bench.harness.process import SubjectProcess
from bench.harness.subject import Params, Round
from bench.scale.points import SETTLE, Plan, Point, Spent
from bench.scale.runtimes import PREFIX, STAMP, Runtimes, Stamp
from bench.scale.servers import Tiers, between, endpoints
from reactive_config._etcd.link import Link
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.reading import read_head
from reactive_config._etcd.transaction import write
from reactive_config._testing.etcd_server import EtcdBinary, EtcdServer, etcd_server

BUSY = 32
"""Clients that keep etcd busy."""

PROCESSES = 4
"""The runtimes are spread over so many."""

DEADLINE = 120.0
"""Seconds until every runtime has seen a phase's last change."""


class Sight(msgspec.Struct, frozen=True):
    """One runtime saw one change; when it was put and seen, in seconds of the monotonic clock."""

    number: int
    put: float
    seen: float


async def measure(plan: Plan, binary: EtcdBinary) -> Point:
    """Build it up, let it rest, change things, restart etcd.

    Raises:
        SubjectFailed: Runtimes failed, or did not all see the last change in `DEADLINE`.
    """
    async with etcd_server(binary) as server, AsyncExitStack() as stack:
        await _fill(server, plan)
        alone = server.metrics()
        tiers = await stack.enter_async_context(between(plan.topology, server, PREFIX, plan.counts))
        fleet = await stack.enter_async_context(_fleet(plan, endpoints(server, tiers)))
        site = _Site(server, tiers, fleet)
        await site.open(plan.value_bytes)
        metrics = server.metrics()
        idle = await site.spent(asyncio.sleep(plan.idle))
        change, seen = await site.change(1, plan.changes, plan.rate)
        back, returned = await site.come_back(1 + plan.changes, plan.down)
        return Point(
            plan,
            watches=metrics["etcd_debugging_mvcc_watcher_total"],
            streams=metrics["etcd_debugging_mvcc_watch_stream_total"],
            memory=metrics["process_resident_memory_bytes"] - alone["process_resident_memory_bytes"],
            idle=idle,
            change=change,
            back=back,
            visible=sorted(1e3 * (sight.seen - sight.put) for sight in seen),
            first=_by_change(seen, min),
            last=_by_change(seen, max),
            returned=returned,
            relists=await site.relists(),
        )


def _by_change(seen: Sequence[Sight], which: Callable[[list[float]], float]) -> list[float]:
    by_number: dict[int, list[float]] = {}
    for sight in seen:
        by_number.setdefault(sight.number, []).append(1e3 * (sight.seen - sight.put))
    return sorted(map(which, by_number.values()))


async def _fill(server: EtcdServer, plan: Plan) -> None:
    """The keys that do not change."""
    text = json.dumps("x" * (plan.value_bytes - 2))
    for first in range(1, plan.keys, 100):  # etcd takes 128 operations in one transaction
        await server.txn({f"{PREFIX}rest/k{n:05}": text for n in range(first, min(plan.keys, first + 100))})
    await server.put(STAMP, "{}")


@asynccontextmanager
async def _fleet(plan: Plan, targets: Sequence[str]) -> AsyncIterator[list[SubjectProcess]]:
    """The processes with runtimes, all of them in sync."""
    shares = [len(range(first, plan.runtimes, PROCESSES)) for first in range(min(PROCESSES, plan.runtimes))]
    async with AsyncExitStack() as stack:
        fleet: list[SubjectProcess] = []
        for number, share in enumerate(shares):
            params: Params = {"endpoints": " ".join(targets), "runtimes": share, "offset": sum(shares[:number])}
            fleet.append(await stack.enter_async_context(SubjectProcess(f"runtimes {number}", Runtimes, params)))
        await asyncio.gather(*(one.open() for one in fleet))
        yield fleet
        await asyncio.gather(*(one.close() for one in fleet))


class _Site:
    """Everything that runs, and the phases that are measured on it."""

    def __init__(self, server: EtcdServer, tiers: Tiers, fleet: Sequence[SubjectProcess]) -> None:
        self._server = server
        self._tiers = tiers
        self._fleet = fleet
        self._pids: list[int] = []
        self._text = ""

    async def open(self, value_bytes: int) -> None:
        """Know the fleet's processes, and make one change: what is made the first time only is then made."""
        self._text = "x" * max(0, value_bytes - len(msgspec.json.encode(Stamp(1, time.monotonic_ns()))))
        self._pids = [int(told[0]) for told in await self._tell()]
        await self.change(0, 1, 1.0)

    async def relists(self) -> int:
        """Of all runtimes so far."""
        return sum(int(told[1]) for told in await self._tell())

    async def spent(self, phase: Awaitable[object]) -> Spent:
        """What a phase costs."""
        before = self._now()
        await phase
        return self._now().since(before)

    async def change(self, first: int, count: int, rate: float) -> tuple[Spent, list[Sight]]:
        """Put `count` changes, `rate` a second, from number `first` on; until all have seen the last."""
        seen: list[Sight] = []

        async def phase() -> None:
            async with self._seeing(first + count - 1, count, seen), self._server.connect() as link:
                due = time.monotonic()
                for number in range(first, first + count):
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    due += 1.0 / rate
                    await self._put(link, number)

        return await self.spent(phase()), seen

    async def come_back(self, number: int, down: float) -> tuple[Spent, list[float]]:
        """Kill etcd, start it after `down` seconds, put number `number` at once.

        Returns:
            What it cost, with etcd's own start; and seconds from a healthy etcd until each runtime saw the put, sorted.
        """
        seen: list[Sight] = []
        async with self._seeing(number, 1, seen):
            await asyncio.to_thread(self._server.kill)
            await asyncio.sleep(down)
            before = self._now()
            await self._server.start()
            begin = time.monotonic()
            async with self._server.connect() as link:
                await self._put(link, number)
        await asyncio.sleep(SETTLE)
        return self._now().since(before), sorted(sight.seen - begin for sight in seen)

    async def _put(self, link: Link, number: int) -> None:
        stamp = msgspec.json.encode(Stamp(number, time.monotonic_ns(), self._text))
        await write(link, {STAMP: stamp.decode()})

    @asynccontextmanager
    async def _seeing(self, last: int, count: int, seen: list[Sight]) -> AsyncIterator[None]:
        """Left once every runtime has seen number `last`; `seen` then has what they saw of the last `count`."""
        await asyncio.gather(*(one.begin(Round(last, count), DEADLINE) for one in self._fleet))
        yield
        for told in await asyncio.gather(*(one.end(DEADLINE) for one in self._fleet)):
            figures = iter(told[2:])
            seen += (Sight(int(n), put, at) for n, put, at in zip(figures, figures, figures, strict=True))

    async def _tell(self) -> list[list[float]]:
        await asyncio.gather(*(one.begin(Round(0, 0), DEADLINE) for one in self._fleet))
        return await asyncio.gather(*(one.end(DEADLINE) for one in self._fleet))

    def _now(self) -> Spent:
        etcd = self._server.metrics() if self._server.running else {}
        return Spent(
            time.monotonic(),
            cpu(self._server.pid) if self._server.running else 0.0,
            sum(map(cpu, self._pids)),
            tuple(sum(cpu(one.pid) for one in tier) for tier in self._tiers),
            _total(etcd, "grpc_server_handled_total{", 'grpc_method="Range"'),
            _total(etcd, "grpc_server_msg_sent_total{", 'grpc_service="etcdserverpb.Watch"'),
            etcd.get("etcd_network_client_grpc_sent_bytes_total", 0.0),
        )


async def busy_ask(plan: Plan, binary: EtcdBinary, *, seconds: float = 3.0) -> float:
    """Microseconds of etcd's CPU for one heartbeat while `BUSY` clients ask without a pause."""
    keys, asked = prefix_range(PREFIX.encode()), 0
    async with etcd_server(binary) as server, AsyncExitStack() as stack:
        await _fill(server, plan)
        links = [await stack.enter_async_context(server.connect()) for _ in range(BUSY)]
        await asyncio.gather(*(read_head(link, keys, newest=True) for link in links))  # they connect
        before, end = cpu(server.pid), time.monotonic() + seconds

        async def ask(link: Link) -> None:
            nonlocal asked
            while time.monotonic() < end:
                await read_head(link, keys, newest=True)
                asked += 1

        await asyncio.gather(*map(ask, links))
        return 1e6 * (cpu(server.pid) - before) / asked


def _total(metrics: Mapping[str, float], name: str, label: str) -> float:
    return sum(value for key, value in metrics.items() if key.startswith(name) and label in key)


def cpu(pid: int) -> float:
    """Seconds of CPU that the threads of a process have had; Linux only (see proc(5), schedstat)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
