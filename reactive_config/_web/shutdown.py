"""Streams end when the server begins to shut down, so that it need not wait for them.

A server waits for its open responses before it runs the shutdown of the lifespan, so nothing that closes there can end
them (https://github.com/Kludex/uvicorn/pull/2913, https://github.com/django/asgiref/pull/199). What comes first is the
signal. So a handler is put before the server's own while the application runs; it ends the streams and calls the
server's. That is the public part of what sse-starlette does (https://github.com/sysid/sse-starlette/pull/151).
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import TypeVar

import anyio

from reactive_config import Closed, Live

U = TypeVar("U")
V = TypeVar("V")

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class Shutdown:
    """Whether the server of one application has begun to shut down.

    Attributes:
        begun: Whether it has.
    """

    def __init__(self) -> None:
        self.begun = False
        self._waiting: set[anyio.CancelScope] = set()

    def begin(self) -> None:
        """End every wait, and those that come; in the loop."""
        self.begun = True
        for scope in tuple(self._waiting):
            scope.cancel()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A wait that the shutdown cancels; what would not have to wait still gives its result."""
        with anyio.CancelScope() as scope:
            if self.begun:
                scope.cancel()
            self._waiting.add(scope)
            try:
                yield
            finally:
                self._waiting.discard(scope)

    @contextmanager
    def following_signals(self) -> Iterator[None]:
        """Begin at the first SIGINT or SIGTERM, for which the server has a handler; that one is called too."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals belong to the main thread; no server in another one is told of any
            return
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            for number in _SIGNALS:
                stack.enter_context(_before(number, lambda: loop.call_soon_threadsafe(self.begin)))
            yield


class _SignalChain:
    """One handler before the one that was there, for all applications of this process that listen for a signal."""

    def __init__(self, number: int, previous: Callable[[int, FrameType | None], object]) -> None:
        self.number = number
        self.previous = previous
        self.listeners: list[Callable[[], object]] = []

    def handle(self, number: int, frame: FrameType | None) -> None:
        for listener in tuple(self.listeners):
            with suppress(RuntimeError):  # the loop was closed under an application that nobody shut down
                listener()
        self.previous(number, frame)

    def take_back(self) -> None:
        """Put back the handler that was there, unless somebody is before this one and calls it: then it passes on."""
        if signal.getsignal(self.number) != self.handle:
            return
        before = self.previous
        while isinstance(chain := getattr(before, "__self__", None), _SignalChain) and not chain.listeners:
            before = chain.previous
        signal.signal(self.number, before)


@contextmanager
def _before(number: int, tell: Callable[[], object]) -> Iterator[None]:
    """Have a function called at a signal, before the handler that is there, while the block lasts."""
    previous = signal.getsignal(number)
    if not callable(previous):  # the default, which ends the process at once, or what Python did not install
        yield
        return
    chain = getattr(previous, "__self__", None)
    if not isinstance(chain, _SignalChain):
        chain = _SignalChain(number, previous)
        signal.signal(number, chain.handle)
    chain.listeners.append(tell)
    try:
        yield
    finally:
        chain.listeners.remove(tell)
        if not chain.listeners:
            chain.take_back()


class _Stream(AsyncIterator[U]):
    """Ends when the shutdown begins; then gives one item at most, if it gave none and need not wait for it."""

    def __init__(self, stream: AsyncIterable[U], shutdown: Shutdown) -> None:
        self._stream = aiter(stream)
        self._shutdown = shutdown
        self._given = False

    async def __anext__(self) -> U:
        if not (self._given and self._shutdown.begun):
            with self._shutdown.waiting():
                item = await anext(self._stream)
                self._given = True
                return item
        raise StopAsyncIteration


def until(stream: AsyncIterable[U], shutdown: Shutdown) -> AsyncIterator[U]:
    """The items of a stream until the shutdown begins."""
    return _Stream(stream, shutdown)


class RequestLive(Live[U]):
    """A live value that a request follows: its iteration, and what waits for a change, end with the server too.

    All else is that of the value behind it.
    """

    __slots__ = ("_live", "_shutdown")

    def __init__(self, live: Live[U], shutdown: Shutdown) -> None:  # not Live's: this is no cell of its own
        self._live = live
        self._shutdown = shutdown
        self.name = live.name

    @property
    def current(self) -> U:  # type: ignore[override]
        return self._live.current

    def __aiter__(self) -> AsyncIterator[U]:
        return _Stream(self._live, self._shutdown)

    async def wait_changed(self) -> U:
        with self._shutdown.waiting():
            return await self._live.wait_changed()
        raise Closed("the server began to shut down while waiting for a change")

    def map(self, function: Callable[[U], V]) -> Live[V]:
        return RequestLive(self._live.map(function), self._shutdown)

    def _cell(self) -> Live[U]:
        return self._live._cell()

    def __repr__(self) -> str:
        return repr(self._live)
