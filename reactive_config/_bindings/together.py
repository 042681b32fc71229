"""Several bindings as one: changed in one turn of the loop or not at all, or released side by side."""

from __future__ import annotations

import math
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Generic, TypeVarTuple, cast

from reactive_config._bindings.binding import Binding
from reactive_config._bindings.follower import Follower

Members = TypeVarTuple("Members")


class Together(Generic[*Members]):
    """Made by `together`."""

    def __init__(self, members: tuple[*Members]) -> None:
        if not members:
            raise TypeError("together: expected at least one binding, got none")
        for member in members:
            if not isinstance(member, Binding):
                raise TypeError(f"together: expected bindings that were not entered, got {type(member).__name__}")
        if len({id(member) for member in members}) < len(members):
            raise ValueError("together: expected different bindings, got one of them twice")
        self._members = members
        self._all = cast("tuple[Any, ...]", members)
        self._follower = Follower("together", self._all)

    def begin_leaving(self, within: float | None = None) -> None:
        """Begin to leave all members, without waiting for it; `__aexit__` then waits.

        Args:
            within: Seconds until it is over; the longest `leave_within` of the members unless that is shorter.
        """
        self._follower.leave(within)

    async def __aenter__(self) -> tuple[*Members]:
        for member in self._all:
            member.claim(alone=len(self._members) == 1)
        await self._follower.open()
        return self._members

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._follower.close(error)


def together(*members: *Members) -> Together[*Members]:
    """Bindings of one configuration as one: `async with together(database, cache): ...`

    It enters its members. From then on all of them are prepared from one generation and committed in one
    turn of the loop; if one fails, none changes, and all are tried again. They are released side by side.

    Args:
        members: Not entered yet.

    Raises:
        TypeError: There is none, or one is something else.
        ValueError: One is there twice.
    """
    return Together(members)


class Bindings(Generic[*Members]):
    """Made by `bindings`."""

    def __init__(self, members: tuple[*Members], leave_within: float) -> None:
        if not 0 < leave_within < math.inf:
            raise ValueError(f"leave_within: expected seconds above 0, got {leave_within}")
        for member in members:
            if not isinstance(member, (Binding, Together)):
                raise TypeError(f"bindings: expected bindings that were not entered, got {type(member).__name__}")
        self._members = members
        self._all: tuple[Any, ...] = members
        self._leave_within = leave_within
        self._stack = AsyncExitStack()
        self._entered: list[Binding[Any] | Together[*tuple[Any, ...]]] = []

    def begin_leaving(self, within: float | None = None) -> None:
        """Begin to leave all members, without waiting for it; `__aexit__` then waits.

        Args:
            within: Seconds until it is over; `leave_within` unless that is shorter.
        """
        within = self._leave_within if within is None else min(within, self._leave_within)
        for member in self._entered:
            member.begin_leaving(within)

    async def __aenter__(self) -> tuple[*Members]:
        async with AsyncExitStack() as entered:
            try:
                for member in self._all:
                    await entered.enter_async_context(member)
                    self._entered.append(member)
            except BaseException:
                self.begin_leaving()
                raise
            self._stack = entered.pop_all()
        return self._members

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self.begin_leaving()
        return await self._stack.__aexit__(kind, error, traceback)


def bindings(*members: *Members, leave_within: float = 20.0) -> Bindings[*Members]:
    """Bindings that do not need each other: `async with bindings(database, cache, leave_within=20): ...`

    It enters its members in their order. Leaving begins for all of them at once, so it takes as long as the slowest
    one, and at most `leave_within`; contexts inside one another take the sum of their times. Users have their binding's
    drain, cut so that a quarter of the time is kept for closing. Each member changes by itself; for
    members that change in one turn of the loop, put a `together(...)` among them.

    Args:
        members: Bindings, or what `together` made, not entered yet.
        leave_within: Seconds that leaving takes at most, all members together.

    Raises:
        TypeError: A member is something else.
        ValueError: The time is 0 or less.
    """
    return Bindings(members, leave_within)
