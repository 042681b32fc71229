"""Writers: transactions at a pace, and for each of them whether it happened.

Every transaction writes its number to its writer's own key too, under the condition that this key is as
the writer left it. So an answer that was lost is found out by reading one key, and a request that a
stopped server answers late cannot happen after that unseen: the next condition fails.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.faults.recorder import WriteRecorder
from bench.faults.shape import Shape
from reactive_config._etcd.auth import Credentials
from reactive_config._etcd.errors import EtcdError
from reactive_config._etcd.link import Link, open_link
from reactive_config._etcd.messages import Item, KeyRange
from reactive_config._etcd.reading import read_all
from reactive_config._etcd.settings import Settings, parse_endpoint
from reactive_config._etcd.transaction import ConditionFailed, write

SETTINGS = Settings(timeout=2.0, connect_timeout=1.0)
AGAIN = 0.02
"""Seconds between two tries of a writer whose server is away."""

DELETES = 0.15
"""Share of groups that a transaction deletes rather than writes."""


class Gate:
    """Holds the writers while the servers' history is looked at."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._inside = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Inside, one request is made."""
        await self._open.wait()
        self._inside += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._idle.set()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Entered once nobody is inside; nobody gets inside before the end."""
        self._open.clear()
        try:
            await self._idle.wait()
            yield
        finally:
            self._open.set()


class Writer:
    """One client; at most one request at a time.

    Args:
        number: Of its key.
        recorder: Where it accounts.
        shape: Keys.
        endpoints: Of the members, tried in turn.
        gate: Shared by all writers.
        rng: Decides what is written.
        login: User and password.
    """

    def __init__(
        self,
        number: int,
        recorder: WriteRecorder,
        shape: Shape,
        endpoints: Sequence[str],
        gate: Gate,
        rng: random.Random,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._credentials = Credentials(*login) if login else None
        self._own = shape.groups + number
        self._recorder = recorder
        self._shape = shape
        self._endpoints = itertools.cycle(
            [*endpoints[number % len(endpoints) :], *endpoints[: number % len(endpoints)]]
        )
        self._gate = gate
        self._rng = rng
        self._mod = 0
        self._open: dict[int, dict[int, int]] = {}

    async def run(self, pause: float, stopping: asyncio.Event) -> None:
        """Write at random until told to stop, then find out about the last ones."""
        while not stopping.is_set():
            try:
                async with open_link(parse_endpoint(next(self._endpoints)), SETTINGS, self._credentials) as link:
                    await self._look(link)
                    while not stopping.is_set():
                        begin = time.monotonic()
                        await self._write(link, self._random())
                        await asyncio.sleep(max(0.0, pause - (time.monotonic() - begin)))
            except EtcdError:
                self._recorder.failed += 1
                await asyncio.sleep(AGAIN)
        await self.write_now()  # its success proves what became of those without an answer

    async def write_now(self) -> int:
        """Write its own key alone, however often that has to be tried; returns the number."""
        while True:
            try:
                async with open_link(parse_endpoint(next(self._endpoints)), SETTINGS, self._credentials) as link:
                    await self._look(link)
                    number = await self._write(link, [])
                    if number:
                        return number
            except EtcdError:
                self._recorder.failed += 1
                await asyncio.sleep(AGAIN)

    def _random(self) -> list[tuple[int, bool]]:
        """Some groups, each to be written or deleted."""
        groups = self._rng.sample(range(self._shape.groups), self._rng.choice([1, 1, 2, 3]))
        return [(group, self._rng.random() >= DELETES) for group in groups]

    async def _write(self, link: Link, groups: Sequence[tuple[int, bool]]) -> int:
        """One transaction; returns its number, 0 where an older one turned out to have happened."""
        async with self._gate.passing():
            number = self._recorder.next_number()
            effect = {slot: number if put else 0 for slot, put in groups} | {self._own: number}
            keys = {slot: self._shape.names(slot) for slot in effect}
            puts = {key: str(value) for slot, value in effect.items() if value for key in keys[slot]}
            deletes = [key for slot, value in effect.items() if not value for key in keys[slot]]
            self._open[number] = effect
            own = self._shape.names(self._own)[0]
            try:
                revision = await write(link, puts, deletes, when={own: self._mod})
            except ConditionFailed:
                del self._open[number]
                self._recorder.failed += 1
            else:
                self._open.clear()  # had one of them happened, the condition would not hold
                self._mod = revision
                self._recorder.wrote(number, effect, revision, acknowledged=True)
                return number
        await self._look(link)
        return 0

    async def _look(self, link: Link) -> None:
        """Find out what became of the transactions without an answer."""
        async with self._gate.passing():
            listing = await read_all(link, KeyRange(self._shape.names(self._own)[0].encode()))
            self._found(listing.items[0] if listing.items else None)

    def _found(self, own: Item | None) -> None:
        number, revision = (int(own.value), own.mod_revision) if own else (0, 0)
        if number in self._open:
            self._recorder.wrote(number, self._open[number], revision, acknowledged=False)
            self._open.clear()
        self._mod = revision

    def settle(self, items: dict[bytes, Item]) -> None:
        """The segment has ended: what is not there was lost, or never was."""
        self._found(items.get(self._shape.names(self._own)[0].encode()))
        for number, effect in self._open.items():
            self._recorder.unknown(number, effect)
        self._open.clear()
