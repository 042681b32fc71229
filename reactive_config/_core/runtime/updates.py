"""The lossless view of the stream: every generation, or a word about those that are missing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar, Union

import msgspec

from reactive_config._core.runtime.cells import Hub
from reactive_config._core.runtime.snapshot import Snapshot

T = TypeVar("T")


class Gap(msgspec.Struct, frozen=True):
    """Generations that this subscriber was too slow for.

    Attributes:
        first: The first generation missed.
        last: The last generation missed.
    """

    first: int
    last: int


class Updates(AsyncIterator[Union[Snapshot[T], Gap]], Generic[T]):
    """Every generation once, in order; a `Gap` stands for those that a full buffer dropped.

    The oldest ones are dropped, so the newest always arrives. Ends with the configuration's context,
    after what the buffer holds.
    """

    _hub: Hub
    _size: int
    _buffer: deque[Snapshot[T]]
    _gap: Gap | None
    _waiter: asyncio.Future[None] | None

    def __init__(self) -> None:
        raise TypeError("expected config.updates()")

    async def __anext__(self) -> Snapshot[T] | Gap:
        self._hub.check_thread()
        while True:
            if self._gap is not None:
                gap, self._gap = self._gap, None
                return gap
            if self._buffer:
                return self._buffer.popleft()
            if self._hub.closed:
                raise StopAsyncIteration
            await self._wait()

    async def _wait(self) -> None:
        self._hub.check()
        if self._waiter is not None:
            raise RuntimeError("expected one task to iterate over these updates, got two: call updates() for each")
        self._waiter = self._hub.loop.create_future()
        self._hub.waited.add(self)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._hub.waited.discard(self)


def make_updates(hub: Hub, current: Snapshot[T], buffer: int) -> Updates[T]:
    """Updates from the current snapshot on.

    Raises:
        ValueError: `buffer` is below 1.
    """
    if buffer < 1:
        raise ValueError(f"buffer: expected a number of snapshots, 1 or more, got {buffer}")
    updates: Updates[T] = Updates.__new__(Updates)
    updates._hub = hub
    updates._size = buffer
    updates._buffer = deque([current])
    updates._gap = None
    updates._waiter = None
    return updates


def offer(updates: Updates[T], snapshot: Snapshot[T]) -> None:
    """Writer only: append, dropping the oldest if there is no room."""
    if len(updates._buffer) == updates._size:
        lost = updates._buffer.popleft().generation
        updates._gap = Gap(updates._gap.first if updates._gap else lost, lost)
    updates._buffer.append(snapshot)


def wake_updates(updates: Updates[Any]) -> None:
    """Writer only: let the one who waits look again."""
    if updates._waiter is not None and not updates._waiter.done():
        updates._waiter.set_result(None)
