"""Callers that come, wait and give up while the rate changes: the books agree with a model all the time."""

from __future__ import annotations

import asyncio
import random
from fractions import Fraction

import anyio
import pytest

from reactive_config import Memory, open_config
from reactive_config.bindings import ManualClock
from reactive_config.bindings.limits import rate_limiter

SECOND = 1_000_000_000
BURST = 5


class Storm:
    """A limiter whose rate changes under the callers of one key; and a bucket that is told of everything.

    Args:
        limiter: With `BURST`, full, at one a second.
    """

    def __init__(self, group, clock, limiter, patch, rng):
        self.group, self.clock, self.limiter, self.patch, self.rng = group, clock, limiter, patch, rng
        self.level, self.seen, self.rate = Fraction(BURST), 0, 1
        self.waiting = []  # (number, cost, task), in the order of coming
        self.passed = []
        self.count = 0

    def note(self):
        """Bring the model up to now."""
        now = self.clock.now()
        self.level = min(Fraction(BURST), self.level + Fraction((now - self.seen) * self.rate, SECOND))
        self.seen = now

    async def call(self, number, cost):
        await self.limiter.acquire(cost=cost)
        self.note()
        assert cost <= self.level, "more than the rate"
        self.level -= cost
        self.passed.append(number)

    async def settle(self):
        """Until everybody who may pass has."""
        with anyio.fail_after(10):
            while True:
                for _ in range(3):
                    await asyncio.sleep(0)
                self.waiting = [entry for entry in self.waiting if not entry[2].done()]
                self.note()
                if not self.waiting or not self.rate or self.waiting[0][1] > self.level:
                    return

    def come(self):
        self.count += 1
        cost = self.rng.randint(1, BURST)
        self.waiting.append((self.count, cost, self.group.create_task(self.call(self.count, cost))))

    def give_up(self):
        if self.waiting:
            self.rng.choice(self.waiting)[2].cancel()

    async def change(self):
        rate = self.rng.choice([0, 1, 3, 7, 1000])
        await self.patch({"requests": {"limit": rate, "burst": BURST}})
        with anyio.fail_after(10):
            while self.limiter.rate.limit != rate:
                await asyncio.sleep(0)
        self.note()
        self.rate = rate

    async def step(self):
        what = self.rng.random()
        if what < 0.5:
            self.come()
        elif what < 0.65:
            self.give_up()
        elif what < 0.75:
            await self.change()
        else:
            self.clock.advance(self.rng.randrange(2 * SECOND))
            if self.rng.random() < 0.3:
                self.give_up()  # in the very turn in which its time may have come
        await self.settle()


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_nobody_passes_early_nobody_overtakes_and_no_token_is_lost(seed):
    clock, memory, rng = ManualClock(), Memory({"requests": {"limit": 1, "burst": BURST}}), random.Random(seed)
    async with (
        open_config(dict, memory) as config,
        asyncio.TaskGroup() as group,
        rate_limiter(config.select("requests"), clock=clock) as limiter,
    ):
        storm = Storm(group, clock, limiter, memory.patch, rng)
        for _ in range(400):
            await storm.step()
        assert storm.passed == sorted(storm.passed)
        assert len(storm.passed) > 50
        for _, _, task in storm.waiting:
            task.cancel()
        await storm.settle()
        await memory.patch({"requests": {"limit": 1, "burst": BURST}})
        with anyio.fail_after(10):
            while limiter.rate.limit != 1:
                await asyncio.sleep(0)
        assert int(storm.level) == (limiter.try_acquire().remaining or 0) + (storm.level >= 1)
    assert clock.pending == []
