"""Many runtimes in one process: what a fleet's machines would run."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import msgspec

from bench.harness.subject import Round, Subject

if TYPE_CHECKING:
    from reactive_config import Config

PREFIX = "/scale/"
STAMP = f"{PREFIX}stamp"


class Stamp(msgspec.Struct, frozen=True):
    """The key that changes.

    Attributes:
        number: Of the change, counted over all rounds.
        at: When it was put; nanoseconds of `time.monotonic_ns`.
        text: What makes the document as large as is asked for.
    """

    number: int = 0
    at: int = 0
    text: str = ""


class App(msgspec.Struct, frozen=True):
    """What a runtime follows: one key that changes among others that do not."""

    stamp: Stamp = Stamp()
    rest: dict[str, str] = {}


class Runtimes(Subject):
    """`params`: `endpoints` (separated by spaces, dealt out in turn), `runtimes`, `offset` (of the first one).

    A round's `number` is that of its last change, its `samples` how many changes it has; with 0 it only tells. Its
    figures are its process id, the relists of all runtimes so far, and then three for each
    runtime and change that it saw: the change's number, when it was put, when it was seen (both seconds of the
    monotonic clock). A runtime conflates, so it may miss one; never the last.
    """

    async def open(self) -> None:
        from reactive_config import Etcd, open_config

        endpoints = str(self.params["endpoints"]).split()
        offset = int(self.params["offset"])
        configs = [
            open_config(App, Etcd(endpoints[(offset + n) % len(endpoints)], prefix=PREFIX))
            for n in range(int(self.params["runtimes"]))
        ]
        self._configs = await asyncio.gather(*(self.stack.enter_async_context(config) for config in configs))

    async def measure(self, work: Round) -> list[float]:
        seen = await asyncio.gather(*(self._follow(config, work) for config in self._configs if work.samples))
        relists = sum(config.status().sources[0].counters.get("relists", 0) for config in self._configs)
        return [os.getpid(), relists, *(figure for one in seen for figure in one)]

    async def _follow(self, config: Config[App], work: Round) -> list[float]:
        seen: list[float] = []
        async for snapshot in config:
            now, stamp = time.monotonic_ns(), snapshot.value.stamp
            if stamp.number > work.number - work.samples:
                seen += (stamp.number, stamp.at / 1e9, now / 1e9)
            if stamp.number >= work.number:
                break
        return seen
