"""Followers: open configurations, as a program has them, that record what they see."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import anyio

from bench.faults.history import Log, Missed, PartLog, Seen, SourceLog, State
from bench.faults.shape import App, Shape
from bench.observed_etcd import ObservedEtcd
from reactive_config import Config, Gap, Snapshot, StartupError
from reactive_config.status import SourceState

KEEPALIVE = 4.0
"""Seconds; the default of 10 would make every black hole of a run last that long."""

BUFFER = 200


class Follower:
    """One program: opens a configuration, follows it in several ways, closes it.

    Args:
        name: For messages.
        shape: Keys.
        endpoints: Of the members, or of the proxies before them.
        ways: How it follows: stream, slow, updates, select.
        mirror: A file, for the programs that have one.
        login: User and password.

    Attributes:
        logs, parts, sources: What was recorded, of every life.
        start_failures: Starts that raised, with why.
        newest: The newest state seen.
    """

    def __init__(
        self,
        name: str,
        shape: Shape,
        endpoints: Sequence[str],
        ways: Sequence[str],
        *,
        mirror: Path | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._username = login[0] if login else None
        self._password = login[1] if login else None
        self.name = name
        self.logs: list[Log] = []
        self.parts: list[PartLog] = []
        self.sources: list[SourceLog] = []
        self.start_failures: list[str] = []
        self.newest: State = ()
        self.config: Config[App] | None = None
        self.source: ObservedEtcd | None = None
        self._shape = shape
        self._endpoints = tuple(endpoints)
        self._ways = tuple(ways)
        self._mirror = mirror
        self._changed = asyncio.Event()
        self._lives = 0
        self._opening = False

    async def run(self, rng: random.Random) -> None:
        """Live once, until cancelled."""
        await self._live(rng, None)

    async def run_again(self, rng: random.Random, stopping: asyncio.Event, shortest: float, longest: float) -> None:
        """Live some seconds at a time; the life in which `stopping` comes goes on until cancelled."""
        while not stopping.is_set():
            await anyio.sleep(rng.uniform(0.0, shortest))
            await self._live(rng, rng.uniform(shortest, longest), stopping)

    async def _live(self, rng: random.Random, life: float | None, stopping: asyncio.Event | None = None) -> None:
        from reactive_config import open_config

        self._lives += 1
        self._opening = True
        self.source = ObservedEtcd(
            *self._endpoints,
            prefix=self._shape.prefix,
            username=self._username,
            password=self._password,
            mirror=self._mirror,
            keepalive=KEEPALIVE,
            optional=True,
            rng=rng,
        )
        log = SourceLog(f"{self.name}#{self._lives}")
        self.sources.append(log)
        logs, parts = len(self.logs), len(self.parts)
        try:
            async with open_config(App, self.source) as config:
                self.config = config
                self._opening = False
                await self._follow(config, rng, life, stopping)
        except StartupError as error:
            self.start_failures.append(str(error))
        finally:
            self.config = None
            log.counters = dict(self.source.recorder.counters)
        ended: list[Log | PartLog] = [*self.logs[logs:], *self.parts[parts:]]
        for one in ended:
            one.open_at_end = False  # a life that is cancelled does not get here
        self._opening = False
        self._wake()

    async def _follow(
        self, config: Config[App], rng: random.Random, life: float | None, stopping: asyncio.Event | None
    ) -> None:
        ways: dict[str, Callable[[Config[App], random.Random], Coroutine[Any, Any, None]]]
        ways = {"stream": self._stream, "slow": self._slow, "updates": self._updates, "select": self._select}
        async with anyio.create_task_group() as group:
            for way in self._ways:
                group.start_soon(ways[way], config, rng)
            if life is not None and stopping is not None:
                await anyio.sleep(life)
                if not stopping.is_set():
                    group.cancel_scope.cancel()

    # Ways to follow.

    def _log(self, way: str, *, lossless: bool = False) -> Log:
        log = Log(f"{self.name}#{self._lives} {way}", lossless=lossless, from_mirror=self._mirror is not None)
        self.logs.append(log)
        return log

    def _take(self, log: Log, snapshot: Snapshot[App]) -> None:
        seen = Seen(snapshot.generation, snapshot.revisions["etcd"], self._shape.state(snapshot.value), self._restores)
        log.seen.append(seen)
        self.newest = seen.state
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def _restores(self) -> int:
        return self.source.recorder.counters["restores"] if self.source else 0

    async def _stream(self, config: Config[App], rng: random.Random) -> None:
        log = self._log("stream")
        async for snapshot in config:
            self._take(log, snapshot)

    async def _slow(self, config: Config[App], rng: random.Random) -> None:
        log = self._log("slow")
        async for snapshot in config:
            self._take(log, snapshot)
            await anyio.sleep(rng.uniform(0.0, 0.3))  # it works on every snapshot

    async def _updates(self, config: Config[App], rng: random.Random) -> None:
        log = self._log("updates", lossless=True)
        async for item in config.updates(buffer=BUFFER):
            if isinstance(item, Gap):
                log.seen.append(Missed(item.first, item.last))
            else:
                self._take(log, item)

    async def _select(self, config: Config[App], rng: random.Random) -> None:
        log = PartLog(f"{self.name}#{self._lives} select", 0)
        self.parts.append(log)
        async for group in config.select("groups.g0"):
            log.seen.append((self._shape.group(group), self._restores))
            self._wake()

    # What the driver asks.

    def behind(self, revision: int) -> bool:
        """Whether it has not taken a revision yet."""
        return self.config is None or self.config.status().sources[0].revision < revision

    @property
    def away(self) -> bool:
        """Whether its source is not connected now."""
        return self.source is None or self.source.recorder.now is not SourceState.SYNCED

    def overtaken(self) -> None:
        """A compaction went beyond what it has taken: its source may list anew."""
        if self.sources:
            self.sources[-1].overtaken += 1

    async def wait_number(self, slot: int, number: int, timeout: float) -> float | None:
        """When a slot showed this number or a newer one, by the clock; None if it did not in time."""
        with anyio.move_on_after(timeout):
            while not self.newest or self.newest[slot] < number:
                await self._changed.wait()
            return time.monotonic()
        return None

    async def wait_converged(self, final: State) -> None:
        """Return once every subscriber that is there has seen this state last."""
        while self._opening or not self._converged(final):
            await self._changed.wait()

    def _converged(self, final: State) -> bool:
        ends = [log.seen[-1] if log.seen else None for log in self.logs if log.open_at_end]
        parts = [bool(part.seen) and part.seen[-1][0] == final[part.slot] for part in self.parts if part.open_at_end]
        return all(isinstance(seen, Seen) and seen.state == final for seen in ends) and all(parts)

    def begin_watch(self) -> None:
        """Forget that the source was away; see `disturbed`."""
        if self.source is not None:
            self.source.recorder.away = self.source.recorder.now is not SourceState.SYNCED

    @property
    def disturbed(self) -> bool:
        """Whether the source lost its connection since `begin_watch`."""
        return self.source is None or self.source.recorder.away

    def said(self, since: float, zero: float) -> tuple[tuple[float, str, str], ...]:
        """What the source said of its state since a time, with the seconds from `zero`."""
        if self.source is None:
            return ()
        return tuple((at - zero, state.value, reason) for at, state, reason in self.source.recorder.said if at >= since)
