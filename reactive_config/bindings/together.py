"""Several bindings that change in one turn of the loop, or not at all."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, TypeVarTuple, cast

from reactive_config.bindings.binding import Binding
from reactive_config.bindings.follower import Follower

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
            member.claim()
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
