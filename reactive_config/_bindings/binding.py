"""What all bindings stand on: prepare, commit or abort, settle.

Also what a message shows of a value that a binding cannot follow.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from reactive_config._bindings.follower import Follower
from reactive_config._bindings.insistent_scope import CANCEL_FOR
from reactive_config._bindings.user_task import UserStep, UserTask
from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.runtime.host import outlast
from reactive_config._core.runtime.live import Live, LivePath, label, report
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.sensitive import hide_passwords, is_sensitive
from reactive_config._core.status import BindingState, BindingStatus, Moment
from reactive_config._core.types import kind_of
from reactive_config._core.types.wording import duration_text

U = TypeVar("U")


class Binding(ABC, Generic[U]):
    """A working thing that follows a live value; an async context manager.

    Make before break: a new thing is prepared beside the one in use. Only when that has worked is it
    committed, synchronously; if it fails, the old one stays in use and it is tried again, until it works or
    a newer value comes. If it raises `InvalidValue`, only another value is tried. Entering prepares and commits the
    first one, and raises if that fails.

    A subclass says what preparing, committing, aborting, settling and releasing mean for its thing. Its methods run
    one after the other in a task of their own. One that does not end in time is cancelled, again and again for
    `CANCEL_FOR` seconds; then it is left running, which the log and the status show, so that leaving always ends.

    Args:
        live: The value to follow.
        deadline: Seconds that preparing may take.
        name: For the status.

    Attributes:
        value: What is in force; the value that the thing in use was made from.
        news: What the log says of the last commit; nothing if it is empty.
        alone: Whether it changes by itself; False for one of several members of `together`.
        self_bounded: Whether every method ends in time whatever the program's code does. Then they run in the
            follower's own task. Only for classes of this package.
    """

    value: U
    self_bounded: ClassVar[bool] = False

    def __init__(self, live: Live[U], *, deadline: float = 30.0, name: str = "") -> None:
        self.name: str = label(type(self).__name__.lower(), live, name)
        if not 0 < deadline < math.inf:
            raise ValueError(f"deadline: expected seconds above 0, got {deadline}")
        self.live = live
        self.deadline = deadline
        self.changes = 0
        self.failures = 0
        self.forced = 0
        self.abandoned: int = 0
        self.news: str = ""
        self._next_try: datetime | None = None
        self._state = BindingState.PREPARING
        self._since = Moment.now()
        self._error = ""
        self._left_running: set[asyncio.Future[Any]] = set()
        self._task = UserTask(self.name, self.note_left_running)
        self._claimed = False
        self.alone: bool = True
        self._release_by = 0.0
        self._cutting = CANCEL_FOR
        self._follower = Follower(self.name, [self])

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

    @property
    def leave_within(self) -> float:
        """Seconds that leaving takes at most."""
        return self.deadline + CANCEL_FOR

    def stands(self, value: U) -> bool:
        """Whether a value is in force, so that there is nothing to do for it."""
        return unchanged(self.value, value)

    def note_in_force(self, value: U) -> None:
        """Note which value is in force: by the follower at a commit, by a subclass that changes its thing in place."""
        self.value = value

    def enter(self, state: BindingState, error: str = "", next_try: datetime | None = None) -> None:
        """Note for the status where the binding stands, and when it tries again."""
        if state is not self._state:
            self._since = Moment.now()
        self._state, self._error, self._next_try = state, error, next_try

    def status(self) -> BindingStatus:
        """Where it stands."""
        counts = (self.changes, self.failures, self.forced, self.abandoned)
        return BindingStatus(
            self.name, self._state, self._since.wall, self._error, *counts, age=self._since.age, next_try=self._next_try
        )

    def begin_leaving(self, within: float | None = None) -> None:
        """Begin to leave, without waiting for it; `__aexit__` then waits. Of two calls the shorter time counts.

        Args:
            within: Seconds until it is over; `leave_within` unless that is shorter.
        """
        self._follower.leave(within)

    def claim(self, *, alone: bool = True) -> None:
        """Take the binding for one context.

        Args:
            alone: Whether it changes by itself; False for one of several members of `together`.

        Raises:
            RuntimeError: It belongs to one already.
        """
        if self._claimed:
            raise RuntimeError(f"expected a new {self.name} for every context, got one that was entered before")
        self._claimed = True
        self.alone = alone

    async def __aenter__(self) -> Self:
        self.claim()
        await self._follower.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._follower.close(error)

    # -- for the follower: the methods above, in bounded time ----------------------------------

    async def prepared(self, value: U) -> None:
        """`prepare`. If it is cancelled and has prepared something all the same, that is disposed of."""
        if self.self_bounded:
            await self.prepare(value)
            return
        step = self._task.start(lambda: self.prepare(value), "prepare", self.deadline)
        try:
            await step.outcome()
        except asyncio.CancelledError:
            if step.succeeded:
                await self._task.start(self.abort, "abort", self.deadline).finished()
            raise

    def aborted(self) -> Awaitable[None]:
        """`abort`, begun at once."""
        return self.abort() if self.self_bounded else self._task.start(self.abort, "abort", self.deadline).finished()

    def settled(self) -> Awaitable[None]:
        """`settle`, begun at once. It may take as long as it likes, until leaving begins."""
        return self.settle() if self.self_bounded else self._task.start(self.settle, "settle").finished()

    def begin_release(self, within: float) -> None:
        """Limit what is under way, so that there is time left for `release`."""
        loop = asyncio.get_running_loop()
        self._cutting = min(CANCEL_FOR, within / 4)
        self._release_by = loop.time() + within - self._cutting
        if self._task.step is not None:
            self._task.step.limit(within / 2, self._cutting)

    def released(self) -> Awaitable[None]:
        """`release`, begun at once, and the end of the binding's task."""
        if self.self_bounded:
            return self.release()
        left = self._release_by - asyncio.get_running_loop().time()
        step = self._task.start(self.release, "release")
        step.limit(left, self._cutting)
        return self._release_and_end(step)

    async def _release_and_end(self, step: UserStep[None]) -> None:
        ended = self._task.end()
        try:
            await step.finished()
        except TimeoutError:
            if not step.timed_out:
                raise
            if not step.abandoned:  # that is in the log already
                logger.warning("%s: release took longer than leaving may, and was cancelled", self.name)
        finally:
            await outlast(ended)

    def note_left_running(self, ending: asyncio.Future[Any]) -> None:
        """Show in the status that a call goes on after every cancellation, beyond the end of the binding."""
        self.abandoned += 1
        self._left_running.add(ending)
        ending.add_done_callback(self._ended_at_last)

    def _ended_at_last(self, ending: asyncio.Future[Any]) -> None:
        self._left_running.discard(ending)
        self.report()

    def report(self) -> None:
        """Be in the status of the configuration while the binding is open or something of it is left running."""
        shown = self._state is not BindingState.CLOSED or self._left_running
        report(self.live, self, self.status if shown else None)


_LONGEST = 80


def got(value: object, live: Live[Any] | None = None) -> str:
    """A value for a message, after "got".

    | the value is | shown is |
    |---|---|
    | a number, a boolean, a duration | the value, unless the name of the live value sounds like a secret's |
    | a text | the same, if it was selected by a dotted path: of what a function selects nobody knows the name |
    | null | null |
    | a text that may spell a table or a list, and anything else | its kind |

    Args:
        value: The value.
        live: Where it comes from; None if that is no configuration.
    """
    if value is None:
        return "null"
    if live is not None and is_sensitive(live.name):
        return kind_of(value)
    if type(value) is timedelta:
        return duration_text(value)
    if type(value) in (int, bool) or (type(value) is float and math.isfinite(value)):
        return _short(repr(value))
    if type(value) is str and isinstance(live, LivePath) and value.lstrip()[:1] not in ("{", "["):
        return _short(repr(hide_passwords(value)))
    return kind_of(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
