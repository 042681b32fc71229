"""What all bindings stand on: prepare, commit or abort, settle."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from reactive_config.bindings.follower import Follower
from reactive_config.core.host import Host
from reactive_config.core.leaf import unchanged
from reactive_config.core.live import Live
from reactive_config.core.status import BindingState, BindingStatus

U = TypeVar("U")


class Binding(ABC, Generic[U]):
    """A working thing that follows a live value; an async context manager.

    Make before break: a new thing is prepared beside the one in use. Only when that has worked is it
    committed, synchronously; if it fails, the old one stays in use and it is tried again, until it works or
    a newer value comes. Entering prepares and commits the first one, and raises if that fails.

    A subclass says what preparing, committing, aborting, settling and releasing mean for its thing.

    Args:
        live: The value to follow.
        deadline: Seconds that preparing may take.
        name: For the status.

    Attributes:
        value: What is in force; the value that the thing in use was made from.
        alone: Whether it changes by itself; False for one of several members of `together`.
    """

    value: U
    alone = True

    def __init__(self, live: Live[U], *, deadline: float = 30.0, name: str = "") -> None:
        if deadline <= 0:
            raise ValueError(f"deadline: expected seconds above 0, got {deadline}")
        self.live = live
        self.deadline = deadline
        self.name = name or f"{type(self).__name__.lower()}({live.name})"
        self.changes = 0
        self.failures = 0
        self.forced = 0
        self._state = BindingState.PREPARING
        self._since = datetime.now(UTC)
        self._error = ""
        self._host = Host(self.name)

    @abstractmethod
    async def prepare(self, value: U) -> None:
        """Make the next thing beside the one in use. May fail, and may be cancelled: then it cleans up itself."""

    @abstractmethod
    def commit(self) -> None:
        """Put the prepared thing in use. Cannot fail and does not wait."""

    async def abort(self) -> None:
        """Dispose of the prepared thing: another member failed, or a newer value came."""

    async def settle(self) -> None:
        """After a commit: let go of the thing that was in use before. The next one is prepared after that."""

    async def release(self) -> None:
        """At the end: let go of the thing in use."""

    def stands(self, value: U) -> bool:
        """Whether a value is in force, so that there is nothing to do for it."""
        return unchanged(self.value, value)

    def enter(self, state: BindingState, error: str = "") -> None:
        """Note for the status where the binding stands."""
        if state is not self._state:
            self._since = datetime.now(UTC)
        self._state, self._error = state, error

    def status(self) -> BindingStatus:
        """Where it stands."""
        counts = (self.changes, self.failures, self.forced)
        return BindingStatus(self.name, self._state, self._since, self._error, *counts)

    async def __aenter__(self) -> Self:
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._host.enter(Follower([self]).run(started), started)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._host.leave(error)
