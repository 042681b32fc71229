"""One run: servers, writers, followers, faults for a while, silence, and the check."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from bench.faults.checker import check
from bench.faults.fault_schedule import fault_schedule
from bench.faults.followers import Follower
from bench.faults.history import Breach, Recovery
from bench.faults.recorder import WriteRecorder, expected_at_end
from bench.faults.shape import Shape
from bench.faults.stage import READER, ROOT, Stage
from bench.faults.writers import Gate, Writer
from reactive_config._testing.etcd_cluster import etcd_cluster
from reactive_config._testing.etcd_server import EtcdBinary
from reactive_config._testing.tcp_proxy import tcp_proxy

PATIENCE = 30.0
"""Seconds after which a follower that is not in sync never will be."""

HURRY = 0.2
"""Share of faults after which the next one does not wait for the recovery."""


class Plan(msgspec.Struct, frozen=True):
    """What to run: `rate` is attempted transactions a second, `pause` the mean seconds between faults, `login` whether
    there is authentication."""

    binary: EtcdBinary
    members: int = 1
    seed: int = 7
    duration: float = 60.0
    rate: float = 200.0
    pause: float = 0.5
    login: bool = False

    @property
    def label(self) -> str:
        return (
            f"etcd {self.binary.version}"
            + (f", {self.members} members" if self.members > 1 else "")
            + (", with authentication" if self.login else "")
        )


class Result(msgspec.Struct):
    """What came out; `recoveries` are those of followers whose connection a fault broke."""

    plan: Plan
    recorder: WriteRecorder
    followers: list[Follower]
    faults: Counter[str]
    recoveries: list[Recovery]
    breaches: list[Breach]
    differs: str = ""
    seconds: float = 0.0


def intact(version: str) -> bool:
    """Whether a killed server keeps what it has shown: https://github.com/etcd-io/etcd/issues/14370."""
    numbers = tuple(int(part) for part in version.split("-")[0].split("."))
    return (3, 4, 21) <= numbers < (3, 5, 0) or numbers >= (3, 5, 5)


class Run:
    """The driver. Everything random comes from the plan's seed; what the machine does between is its own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._shape = Shape()
        self._recorder = WriteRecorder(self._shape.empty)
        self._recorder.history.intact = plan.members > 1 or intact(plan.binary.version)
        self._gate = Gate()
        self._stopping = asyncio.Event()
        self._faults: Counter[str] = Counter()
        self._recoveries: list[Recovery] = []
        self._late: list[Breach] = []
        self._followers: list[Follower] = []
        self._away: set[Follower] = set()

    async def run(self) -> Result:
        """Run, and check.

        Raises:
            RuntimeError: An etcd did not start.
        """
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as home:
            async with self._set_up(Path(home)) as (stage, writers, probe), anyio.create_task_group() as followers:
                self._open(followers, Path(home), stage)
                async with anyio.create_task_group() as writing:
                    pause = (len(writers) - 1) / self._plan.rate
                    for writer in writers[:-1]:
                        writing.start_soon(writer.run, pause, self._stopping)
                    await self._break_things(stage, probe)
                    self._stopping.set()
                differs = await self._quiesce(stage, probe)
                followers.cancel_scope.cancel()
            if stage.counts["compactions"]:
                self._faults["compactions that forgot something"] = stage.counts["compactions"]
        return self._result(differs, time.monotonic() - begin)

    @asynccontextmanager
    async def _set_up(self, home: Path) -> AsyncIterator[tuple[Stage, list[Writer], Writer]]:
        plan, seed = self._plan, self._plan.seed
        async with AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(etcd_cluster(plan.members, plan.binary))
            proxies = [await stack.enter_async_context(tcp_proxy(endpoint)) for endpoint in cluster.endpoints]
            writers = [
                Writer(
                    number,
                    self._recorder,
                    self._shape,
                    cluster.endpoints,
                    self._gate,
                    random.Random(f"{seed} {number}"),
                    ROOT if plan.login else None,
                )
                for number in range(self._shape.writers)
            ]
            rng = random.Random(f"{seed} stage")
            stage = Stage(
                cluster,
                proxies,
                self._recorder,
                self._shape,
                self._gate,
                writers,
                self._compacting,
                self._compacted,
                self._shown,
                home,
                rng,
            )
            await writers[-1].write_now()  # so that there is something to open
            yield stage, writers, writers[-1]

    def _compacting(self, revision: int) -> None:
        # One that is away may list anew before we hear that the compaction is done.
        self._away = {follower for follower in self._followers if follower.away and follower.behind(revision)}

    def _compacted(self, revision: int) -> None:
        for follower in self._followers:
            if follower in self._away or follower.behind(revision):
                follower.overtaken()

    async def _shown(self, slot: int, number: int) -> None:
        """Return once every open follower shows a number, or never will."""
        async with anyio.create_task_group() as group:
            for follower in self._followers:
                if follower.config is not None:
                    group.start_soon(self._wait_shown, follower, slot, number)

    async def _wait_shown(self, follower: Follower, slot: int, number: int) -> None:
        life = follower.sources[-1]
        at = await follower.wait_number(slot, number, PATIENCE)
        if at is None and follower.config is not None and follower.sources[-1] is life:
            self._late.append(Breach("not converged", life.name, f"does not show a reseed after {PATIENCE:g} s"))

    def _open(self, group: anyio.abc.TaskGroup, home: Path, stage: Stage) -> None:
        direct, behind = stage.cluster.endpoints, [proxy.endpoint for proxy in stage.proxies]
        login = READER if self._plan.login else None
        stream = Follower("direct", self._shape, direct, ["stream", "slow", "select"], login=login)
        lossless = Follower("proxied", self._shape, behind, ["updates", "select"], login=login)
        late = Follower("late", self._shape, direct, ["stream", "updates"], login=login)
        mirror = Follower("mirror", self._shape, behind, ["updates"], mirror=home / "mirror.json", login=login)
        self._followers += [stream, lossless, late, mirror]
        for follower in (stream, lossless):
            group.start_soon(follower.run, self._rng(follower.name))
        shortest = min(3.0, self._plan.duration / 4)
        for follower in (late, mirror):
            group.start_soon(follower.run_again, self._rng(follower.name), self._stopping, shortest, 5 * shortest)

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._plan.seed} {name}")

    async def _break_things(self, stage: Stage, probe: Writer) -> None:
        rng = self._rng("faults")
        faults = fault_schedule(self._plan.members, rng)
        until = time.monotonic() + self._plan.duration
        while True:
            await asyncio.sleep(rng.uniform(0.0, 2 * self._plan.pause))
            if time.monotonic() > until:
                return
            fault = next(faults)
            for follower in self._followers:
                follower.begin_watch()
            begin = time.monotonic()
            stage.healthy_at = begin
            await fault(stage, rng)
            self._faults[fault.__name__] += 1
            if rng.random() > HURRY:
                await self._recover(stage.healthy_at, begin, probe, fault.__name__)

    async def _recover(self, healthy_at: float, begin: float, probe: Writer, cause: str) -> None:
        """Wait until every open follower shows a write that was made after the fault.

        The time counts from the health of the servers, so that write's own time is part of it.
        """
        number = await probe.write_now()
        written = time.monotonic() - healthy_at
        slot = self._shape.slots - 1

        async def wait(follower: Follower) -> None:
            life = follower.sources[-1]
            at = await follower.wait_number(slot, number, PATIENCE)
            if follower.config is None or follower.sources[-1] is not life:
                return  # it has ended its life meanwhile
            if at is None:
                self._late.append(Breach("not converged", life.name, f"not in sync {PATIENCE:g} s after {cause}"))
            elif follower.disturbed:
                said = follower.said(begin, healthy_at)
                self._recoveries.append(Recovery(at - healthy_at, written, cause, life.name, said))

        async with anyio.create_task_group() as group:
            for follower in self._followers:
                if follower.config is not None:
                    group.start_soon(wait, follower)

    async def _quiesce(self, stage: Stage, probe: Writer) -> str:
        """Everything is healthy and nobody writes: note the final state, and give all time to show it."""
        await probe.write_now()
        listing = await stage.read()
        final = self._shape.state_of_items(listing.items)
        self._recorder.history.final = (listing.sight.revision, final)
        with anyio.move_on_after(PATIENCE):
            for follower in self._followers:
                await follower.wait_converged(final)
        expected = expected_at_end(self._recorder.history)
        return "" if expected == final else f"etcd ends on {final}, the writers on {expected}"

    def _result(self, differs: str, seconds: float) -> Result:
        logs = [log for follower in self._followers for log in follower.logs]
        parts = [part for follower in self._followers for part in follower.parts]
        sources = [source for follower in self._followers for source in follower.sources]
        breaches = self._late + check(self._recorder.history, logs, parts, sources)
        return Result(
            self._plan, self._recorder, self._followers, self._faults, self._recoveries, breaches, differs, seconds
        )


async def run_all(plans: Sequence[Plan]) -> AsyncIterator[Result]:
    """One after the other."""
    for plan in plans:
        yield await Run(plan).run()
