"""`python -m bench herd`: many runtimes, one etcd that restarts. Do they come back spread out, and without relists?"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec

from bench.observed_etcd import ObservedEtcd
from reactive_config import Config, open_config
from reactive_config._testing.etcd_server import EtcdBinary, EtcdServer, etcd_binaries, etcd_server
from reactive_config.status import SourceState

PREFIX = "/herd/"
BIN = 0.05
"""Seconds in one bar of the histogram."""


class App(msgspec.Struct, frozen=True):
    """Some keys, so that a relist would have something to read."""

    generation: int = 0
    rest: dict[str, int] = {}


class Outcome(msgspec.Struct):
    """One restart: seconds from healthy to in sync for every runtime, and what the server was asked."""

    binary: EtcdBinary
    down: float
    seconds: list[float]
    counters: Counter[str]
    calls: dict[str, float]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("herd", help="many runtimes against one etcd that restarts")
    parser.add_argument("--runtimes", type=int, default=50, help="open configurations, in this process (default 50)")
    parser.add_argument("--down", type=float, nargs="+", default=[0.0, 5.0], help="seconds that etcd is away, each")
    parser.add_argument("--keys", type=int, default=100, help="keys below the prefix (default 100)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Every etcd that is found; 1 if a runtime listed although it could resume."""
    relists = 0.0
    for binary in etcd_binaries():
        for outcome in asyncio.run(_herd(binary, arguments.runtimes, arguments.keys, arguments.down)):
            print(text(outcome), end="\n\n", flush=True)
            relists += outcome.counters["relists"]
    return 1 if relists else 0


async def _herd(binary: EtcdBinary, runtimes: int, keys: int, downs: Sequence[float]) -> list[Outcome]:
    async with etcd_server(binary) as server, AsyncExitStack() as stack:
        for first in range(0, keys, 100):  # etcd takes 128 operations in one transaction
            await server.txn({f"{PREFIX}rest/k{n}": str(n) for n in range(first, min(keys, first + 100))})
        sources = [ObservedEtcd(server.endpoint, prefix=PREFIX) for _ in range(runtimes)]
        configs = [await stack.enter_async_context(open_config(App, source)) for source in sources]
        return [await _restart(server, sources, configs, number, down) for number, down in enumerate(downs, start=1)]


async def _restart(
    server: EtcdServer, sources: Sequence[ObservedEtcd], configs: Sequence[Config[App]], number: int, down: float
) -> Outcome:
    """Kill, wait, start; and see that every runtime then shows a new write."""
    before = _counters(configs)
    await asyncio.to_thread(server.kill)
    for source in sources:
        await _lost(source)
    await asyncio.sleep(down)
    await server.start()
    healthy = time.monotonic()
    seconds = sorted([max(0.0, await _synced(source) - healthy) for source in sources])
    calls = await asyncio.to_thread(_calls, server)
    await server.put(f"{PREFIX}generation", str(number))
    for config in configs:
        async for snapshot in config:
            if snapshot.value.generation == number:
                break
    return Outcome(server.binary, down, seconds, _counters(configs) - before, calls)


async def _lost(source: ObservedEtcd) -> None:
    """Wait until a source has noticed."""
    recorder = source.recorder
    while recorder.now is SourceState.SYNCED:
        await recorder.changed.wait()


async def _synced(source: ObservedEtcd) -> float:
    """Wait until a source is SYNCED; since when, by the monotonic clock."""
    recorder = source.recorder
    while recorder.now is not SourceState.SYNCED:
        await recorder.changed.wait()
    return recorder.since


def _counters(configs: Sequence[Config[App]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for config in configs:
        total.update(config.status().sources[0].counters)
    return total


def _calls(server: EtcdServer) -> dict[str, float]:
    """Calls that the server has begun since it started, by method, from its own metrics."""
    prefix = "grpc_server_started_total{"
    found: Counter[str] = Counter()
    for name, value in server.metrics().items():
        if name.startswith(prefix) and value:
            found[name.split('grpc_method="')[1].split('"')[0]] += value  # type: ignore[assignment]
    return dict(found)


def text(outcome: Outcome) -> str:
    """The histogram and the counts."""
    seconds = outcome.seconds
    bars = Counter(math.floor(second / BIN) for second in seconds)
    lines = [
        f"etcd {outcome.binary.version}: killed, away for {outcome.down:g} s; {len(seconds)} runtimes in sync again"
    ]
    lines += [f"  {n * BIN:5.2f} s  {'#' * bars[n]} {bars[n] or ''}".rstrip() for n in range(max(bars, default=0) + 1)]
    lines.append(f"  p50 {statistics.median(seconds):.3f} s, worst {seconds[-1]:.3f} s after the server was healthy")
    asked = ", ".join(f"{name} {value:.0f}" for name, value in sorted(outcome.calls.items()))
    lines.append(f"  reconnects {outcome.counters['reconnects']}, relists {outcome.counters['relists']}")
    lines.append(f"  calls that the server got: {asked}")
    return "\n".join(lines)
