"""A load generator that is steered while it runs: rate, concurrency and target are live.

    python examples/load/main.py                 # follows examples/load/config: edit load.toml and watch
    python examples/load/main.py DIRECTORY       # or a directory of your own

Every second it prints what it was asked for and what it got. Ctrl-C or SIGTERM ends it. Needs aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import aiohttp
import anyio
import msgspec
from msgspec import Meta

from reactive_config import Config, Files, StartupError, open_config
from reactive_config.bindings import timer, workers
from reactive_config.bindings.limits import Rate, RateRule, rate_limiter


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    target: Annotated[str, Meta(pattern="^https?://")]
    rate: RateRule = Rate(10)
    concurrency: Annotated[int, Meta(ge=0, le=1000)] = 4
    timeout: timedelta = timedelta(seconds=5)
    report: timedelta = timedelta(seconds=1)


class Meter:
    """What happened since the last report."""

    def __init__(self) -> None:
        self.on_their_way = 0
        self._begin()

    def _begin(self) -> None:
        self._since = time.perf_counter()
        self._latencies: list[float] = []
        self._errors: Counter[str] = Counter()

    @contextmanager
    def request(self) -> Iterator[None]:
        self.on_their_way += 1
        started = time.perf_counter()
        try:
            yield
        except (aiohttp.ClientError, TimeoutError) as error:  # counted; a load generator goes on
            self._errors[type(error).__name__] += 1
        finally:
            self.on_their_way -= 1
            self._latencies.append(time.perf_counter() - started)

    def report(self) -> str:
        """One line about the requests that ended since the last one."""
        got = len(self._latencies) / (time.perf_counter() - self._since)
        ordered = sorted(self._latencies) or [0.0]
        p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.99))
        errors = ", ".join(f"{count} {kind}" for kind, count in self._errors.most_common()) or "0"
        self._begin()
        return f"got {got:.1f}/s  p50 {p50:.1f} ms  p99 {p99:.1f} ms  errors {errors}  on their way {self.on_their_way}"


def asked(rate: Rate | None) -> str:
    return "no limit" if rate is None else f"asked {rate.limit / rate.per.total_seconds():g}/s"


def held(config: Config[Load]) -> Iterator[str]:
    """What the files say that cannot be: it is shown, and the values before it stay in force."""
    for source in config.status().sources:
        for unit in source.held:
            yield from (f"held: {problem}" for problem in unit.problems)


async def main(directory: Path) -> None:
    meter = Meter()
    async with (
        open_config(Load, Files(directory)) as config,
        rate_limiter(config.select("rate")) as limiter,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):

        async def turn() -> str:
            """Wait until the next request is due; it goes where the configuration says at that moment."""
            await limiter.acquire()
            return config.current.target

        async def send(target: str) -> None:
            seconds = config.current.timeout.total_seconds()
            with meter.request():
                async with session.get(target, timeout=aiohttp.ClientTimeout(total=seconds)) as response:
                    await response.read()
                    response.raise_for_status()

        async def report() -> None:
            async for _ in timer(config.select("report")):
                print(f"{asked(limiter.rate)}  {meter.report()}  {config.current.target}", flush=True)
                print("".join(f"    {line}\n" for line in held(config)), end="", flush=True)

        print(f"following {directory}")
        async with workers(config.select("concurrency"), send, take=turn), anyio.create_task_group() as group:
            group.start_soon(report)
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    break
            group.cancel_scope.cancel()  # no new requests; the workers finish those on their way
    print("ended")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=Path(__file__).parent / "config")
    try:
        asyncio.run(main(parser.parse_args().directory))
    except StartupError as error:
        sys.exit(str(error))
