"""The general binding: a thing that is built from a value, and built again when the value changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio

from reactive_config.bindings.binding import Binding
from reactive_config.core.live import Live

U = TypeVar("U")
R = TypeVar("R")

logger = logging.getLogger("reactive_config")

Build = Callable[[U], Awaitable[R]]
Dispose = Callable[[R], Awaitable[None]]


class _Held(Generic[R]):
    """A thing and those who use it."""

    __slots__ = ("idle", "thing", "users")

    def __init__(self, thing: R) -> None:
        self.thing = thing
        self.users = 0
        self.idle = asyncio.Event()
        self.idle.set()


class _Use(Generic[R]):
    """One use of the thing that was in force when it began."""

    __slots__ = ("_binding", "_held")

    def __init__(self, binding: Rebuilt[Any, R]) -> None:
        self._binding = binding
        self._held: _Held[R] | None = None

    async def __aenter__(self) -> R:
        held = self._held = self._binding.held
        held.users += 1
        held.idle.clear()
        return held.thing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held = self._held
        assert held is not None
        held.users -= 1
        if not held.users:
            held.idle.set()


class Rebuilt(Binding[U], Generic[U, R]):
    """A thing of the user's, rebuilt when its value changes. Made by `rebuilt`."""

    def __init__(
        self,
        live: Live[U],
        build: Build[U, R],
        close: Dispose[R] | None,
        check: Dispose[R] | None,
        drain: float,
        deadline: float,
        name: str,
    ) -> None:
        super().__init__(live, deadline=deadline, name=name)
        if drain < 0:
            raise ValueError(f"drain: expected seconds, 0 or more, got {drain}")
        self._build = build
        self._close = close
        self._check = check
        self._drain = drain
        self._held: _Held[R] | None = None
        self._next: _Held[R] | None = None
        self._old: _Held[R] | None = None

    @property
    def held(self) -> _Held[R]:
        """The thing in force and its users.

        Raises:
            RuntimeError: The binding is not open.
        """
        if self._held is None:
            raise RuntimeError(f"{self.name}: expected an open binding: use it inside its `async with`")
        return self._held

    @property
    def current(self) -> R:
        """The thing in force, for what needs no lease: it may be closed once another one is in force."""
        return self.held.thing

    def use(self) -> _Use[R]:
        """`async with binding.use() as thing`: the thing stays open until the block ends, or the drain passes."""
        return _Use(self)

    async def prepare(self, value: U) -> None:
        thing = await self._build(value)
        self._next = _Held(thing)
        if self._check is not None:
            try:
                await self._check(thing)
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await self.abort()
                raise

    def commit(self) -> None:
        self._old, self._held, self._next = self._held, self._next, None

    async def abort(self) -> None:
        unused, self._next = self._next, None
        if unused is not None:
            await self._dispose(unused)

    async def settle(self) -> None:
        old = self._old
        if old is not None:
            await self._drained(old)
            self._old = None

    async def release(self) -> None:
        await self.settle()
        last, self._held = self._held, None
        if last is not None:
            await self._drained(last)

    async def _drained(self, held: _Held[R]) -> None:
        if held.users:
            with anyio.move_on_after(self._drain):
                await held.idle.wait()
        if held.users:
            self.forced += 1
            logger.warning("%s: closed under %d users, who took longer than %g s", self.name, held.users, self._drain)
        await self._dispose(held)

    async def _dispose(self, held: _Held[R]) -> None:
        if self._close is None:
            return
        try:
            with anyio.fail_after(self.deadline):
                await self._close(held.thing)
        except Exception as error:  # noqa: BLE001 - nothing else may suffer from a thing that is gone anyway
            logger.warning("%s: closing the old one raised %s", self.name, type(error).__name__)


def rebuilt(
    live: Live[U],
    build: Build[U, R],
    *,
    close: Dispose[R] | None = None,
    check: Dispose[R] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> Rebuilt[U, R]:
    """A thing that is built from a live value, and built again when the value changes.

        async with rebuilt(config.select("database"), connect, close=Connection.close) as database:
            async with database.use() as connection:
                ...

    Args:
        live: The value.
        build: Makes the thing; may fail, and may be cancelled by a newer value.
        close: Closes it, after its last user.
        check: Raises if the new thing does not work; then it is closed and the old one stays.
        drain: Seconds that users of the old thing have to finish; then it is closed under them, and counted.
        deadline: Seconds that building and checking, or closing, may take.
        name: For the status.
    """
    return Rebuilt(live, build, close, check, drain, deadline, name)
