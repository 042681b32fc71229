"""What callbacks are tried with: a configuration, one that swallows cancellations, turns of the loop."""

from __future__ import annotations

import asyncio

import msgspec


class App(msgspec.Struct, frozen=True):
    size: int = 0
    other: int = 0
    log: dict[str, str] = {}


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


class Stubborn:
    """An async callback that swallows the first cancellations, or all."""

    def __init__(self, swallows=10**9):
        self.left, self.seen, self.values = swallows, 0, []
        self.gate = asyncio.Event()

    async def __call__(self, value):
        self.values.append(value)
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.seen += 1
                self.left -= 1
                if self.left < 0:
                    raise
