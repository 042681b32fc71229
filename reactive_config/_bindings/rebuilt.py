"""The general binding: a thing that is built from a value, and built again when the value changes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, TypeVar

from reactive_config._bindings.binding import Binding
from reactive_config._bindings.insistent_scope import CANCEL_FOR
from reactive_config._bindings.lease import Lease
from reactive_config._bindings.thing import Dispose, Thing
from reactive_config._core.runtime.host import outlast
from reactive_config._core.runtime.live import Live
from reactive_config._core.runtime.operator_log import logger

U = TypeVar("U")
R = TypeVar("R")


Build = Callable[[U], Awaitable[R]]

MOST_LEFT_RUNNING = 8
"""Calls of one binding that may go on after every cancellation; with so many, nothing newer is built."""


class TooManyLeftRunning(RuntimeError):
    """Nothing is built while so many earlier calls cannot be ended: each of them may hold connections."""


class Rebuilt(Binding[U], Generic[U, R]):
    """A thing of the user's, rebuilt when its value changes. Made by `rebuilt`."""

    self_bounded: ClassVar[bool] = True  # the program's code runs in the things' own tasks

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
        if not 0 <= drain < math.inf:
            raise ValueError(f"drain: expected seconds, 0 or more, got {drain}")
        self._build = build
        self._close = close
        self._check = check
        self._drain = drain
        self._held: Thing[R] | None = None
        self._next: Thing[R] | None = None
        # Those that are let go: draining or closing. Each goes its way by itself; others only wait for it.
        self._going: list[Thing[R]] = []

    @property
    def in_force(self) -> Thing[R]:
        """The thing in force and its users.

        Raises:
            RuntimeError: The binding is not open.
        """
        if self._held is None:
            raise RuntimeError(f"{self.name}: expected an open binding: use it inside its `async with`")
        return self._held

    @property
    def lends(self) -> bool:
        """Whether there is a thing in force: from the first commit until leaving begins."""
        return self._held is not None

    @property
    def current(self) -> R:
        """The thing in force, for what needs no lease: it may be closed once another one is in force."""
        return self.in_force.value

    def use(self) -> Lease[R]:
        """`async with binding.use() as thing`: the thing stays open until the block ends, or the drain passes.

        A block that lasts keeps the lease, which tells it when the thing is replaced; see `Lease`.
        """
        return Lease(self)

    @property
    def leave_within(self) -> float:
        """Seconds that leaving takes at most: the drain, the deadline, and `CANCEL_FOR`."""
        return self._drain + self.deadline + CANCEL_FOR

    async def prepare(self, value: U) -> None:
        await self._wait_gone()
        if len(self._left_running) >= MOST_LEFT_RUNNING:
            raise TooManyLeftRunning
        thing = self._next = Thing(self.name, self._close, self.deadline, self.note_left_running, self._note_forced)
        try:
            await thing.open(lambda: self._build(value), self._check)
        except asyncio.CancelledError:
            self._discard()
            raise
        except BaseException:
            self._discard()
            await self._wait_gone()
            raise

    def commit(self) -> None:
        old, self._held, self._next = self._held, self._next, None
        self.news = "" if old is None else "the new one is in use"
        if old is not None:
            self._let_go(old, self._drain)

    async def abort(self) -> None:
        self._discard()
        await self._wait_gone()

    async def settle(self) -> None:
        await self._wait_gone()

    def begin_release(self, within: float) -> None:
        self._discard()
        last, self._held = self._held, None
        if last is not None:
            self._let_go(last, self._drain)
        for thing in self._going:
            thing.hurry(within)

    async def release(self) -> None:
        for thing in list(self._going):
            await outlast(thing.gone)
        await self._wait_gone()

    def _discard(self) -> None:
        unused, self._next = self._next, None
        if unused is not None:
            self._let_go(unused, 0)

    def _let_go(self, thing: Thing[R], drain: float) -> None:
        self._going.append(thing)
        thing.retire(drain)

    async def _wait_gone(self) -> None:
        """Return once nothing is being let go. A waiter that is cancelled disturbs nothing."""
        while self._going:
            thing = self._going[0]
            await asyncio.shield(thing.gone)
            self._going.remove(thing)
            if thing.failure is not None:
                raise thing.failure

    def _note_forced(self, users: int) -> None:
        self.forced += 1
        who = "user" if users == 1 else "users"
        logger.warning("%s: closed under %d %s, who took longer than the drain", self.name, users, who)


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
        deadline: Seconds that building and checking, or closing, may take. Leaving takes at most the drain, the
            deadline and two seconds more.
        name: For the status.
    """
    return Rebuilt(live, build, close, check, drain, deadline, name)
