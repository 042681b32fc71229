"""A few seconds of everything at once: fast transactions, kills, cuts, compactions; every write is accounted for."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from reactive_config._core.delta import Replace
from reactive_config._etcd.errors import EtcdError
from reactive_config._etcd.messages import prefix_range
from reactive_config._etcd.reading import read_all
from reactive_config._etcd.transaction import compact, write

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]

RATE = 200
ENOUGH = 200
KILLS = 2
SECONDS_BETWEEN = 0.9


class Writer:
    """Writes transactions of one to five keys and knows what etcd held at every revision.

    Attributes:
        history: Revision to puts and deletes of what was acknowledged, or found to have been written.
    """

    def __init__(self, server, seed):
        self.history = {}
        self.stopping = False
        self.compactions = 0
        self._server = server
        self._rng = random.Random(seed)
        self._there = set()
        self._number = 0

    async def run(self):
        while not self.stopping:
            try:
                async with self._server.connect() as link:
                    await self._write(link)
            except EtcdError:
                await asyncio.sleep(0.02)  # it is being killed just now

    async def _write(self, link):
        await self._find_out(link)
        while not self.stopping:
            begin = time.monotonic()
            self._number += 1
            names = self._rng.sample([f"/s/{name}" for name in "abcdefghij"], self._rng.randint(1, 5))
            deletes = [name for name in names if name in self._there and self._rng.random() < 0.3]
            puts = {name: str(self._number) for name in names if name not in deletes}
            self._pending = puts | {"/s/number": str(self._number)}, deletes
            self._took(await write(link, *self._pending))
            if self._number % 40 == 0:
                await compact(link, max(self.history) - 10)
                self.compactions += 1
            await asyncio.sleep(max(0.0, 1 / RATE - (time.monotonic() - begin)))

    def _took(self, revision):
        puts, deletes = self._pending
        self.history[revision] = self._pending
        self._there = (self._there | puts.keys()) - set(deletes)

    async def _find_out(self, link):
        """An answer that was lost may have been a success: the number says so."""
        for item in (await read_all(link, prefix_range(b"/s/"))).items:
            its_number = item.key == b"/s/number" and item.value == str(self._number).encode()
            if its_number and item.mod_revision not in self.history:
                self._took(item.mod_revision)


def account(deltas, history):
    """Walk the deltas beside the history.

    Returns:
        How many states were seen, and how many were no state that etcd ever had at that revision, or came late.
    """
    state, model, wrong, late, at = {}, {}, 0, 0, 0
    waiting = sorted(history)
    for delta in deltas:
        late += delta.revision < at
        at = delta.revision
        if isinstance(delta, Replace):
            state = {}
        for name, entry in (delta.entries if isinstance(delta, Replace) else delta.set).items():
            state[name] = (entry.value.text, entry.revision)
        for name in () if isinstance(delta, Replace) else delta.deleted:
            state.pop(name, None)
        while waiting and waiting[0] <= at:
            revision = waiting.pop(0)
            puts, deletes = history[revision]
            model |= {name: (value, revision) for name, value in puts.items()}
            for name in deletes:
                model.pop(name, None)
        wrong += state != model
    return {"states": len(deltas), "wrong": wrong, "back in time": late, "missing": len(waiting)}


async def test_every_write_is_accounted_for(own, follow, synced):
    writer = Writer(own, seed=20)
    async with follow(own.endpoint, prefix="/s/") as feed:
        task = asyncio.create_task(writer.run())
        for _ in range(KILLS):
            await asyncio.sleep(SECONDS_BETWEEN)
            own.kill()
            await own.start()
        while len(writer.history) <= ENOUGH:  # how many come between two kills depends on the machine
            await asyncio.sleep(0.02)
        writer.stopping = True
        await task
        last = max(writer.history)
        await feed.wait(lambda feed: synced(feed) and feed.revision >= last)
        deltas = feed.deltas
        if feed.counters["restores"]:
            # A lone 3.5.1 that is killed may lose what it acknowledged (etcd-io/etcd#14370, mended in 3.5.5 and
            # 3.4.21), and then uses those revisions again. Seen twice in some 250 kills; we must only recognise it.
            deltas = deltas[max(i for i, delta in enumerate(deltas) if isinstance(delta, Replace)) :]
        result = account(deltas, writer.history)
        print(own.binary.version, len(writer.history), "writes", result, dict(feed.counters), writer.compactions)
        assert (result["wrong"], result["back in time"], result["missing"]) == (0, 0, 0)
