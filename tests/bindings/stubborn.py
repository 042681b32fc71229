"""What leaving is tried with: code that swallows cancellations, a shop that counts, a measured block."""

from __future__ import annotations

import asyncio

import anyio
import msgspec


class App(msgspec.Struct, frozen=True):
    size: int = 1
    port: int = 1


class Stubborn:
    """Swallows cancellations: the first `swallows` of them, wherever it waits."""

    def __init__(self, swallows=10**9):
        self.left, self.seen, self.waits = swallows, 0, False
        self.gate = asyncio.Event()

    async def wait(self):
        self.waits = True
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.seen += 1
                self.left -= 1
                if self.left < 0:
                    raise


class Shop:
    """Makes things and closes them; knows which are open, and whether one was closed twice."""

    def __init__(self):
        self.open, self.closed = [], []

    async def build(self, size):
        self.open.append(size)
        return size

    async def close(self, thing):
        assert thing not in self.closed, "closed twice"
        self.open.remove(thing)
        self.closed.append(thing)


async def until(condition, timeout=5):
    with anyio.fail_after(timeout):
        while not condition():
            await asyncio.sleep(0)


async def stray():
    """What `task.cancel(); await task` does in a program's own code."""
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    await task


class Within:
    """Measures a block by the loop's clock, and fails if it took longer than it may.

    The limits are exact; the slack is for a machine that has other things to do.
    """

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.began = asyncio.get_running_loop().time()

    def __exit__(self, *_):
        took = asyncio.get_running_loop().time() - self.began
        assert took <= self.seconds + 1.5, f"took {took:.2f} s"
