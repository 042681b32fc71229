"""Moves bindings from one generation to the next: all of them in one turn of the loop, or none."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import anyio

from reactive_config._core.runtime.host import Host
from reactive_config._core.runtime.live import Live, heard_at, listen, logbook_of, observers_of, unlisten
from reactive_config._core.runtime.logbook import lasted
from reactive_config._core.runtime.observing import RebuildEvent
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.status import BindingState, BindingStatus
from reactive_config.errors import InvalidValue

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds; pauses between tries grow from one to the other, with full jitter."""

FIRST_WORD = 2.5
"""Seconds after which the log says that a new one is still being made, once for each value."""


class Member(Protocol):
    """What moves; see `Binding`, which all of them are."""

    live: Live[Any]
    value: Any
    name: str
    changes: int
    failures: int
    deadline: float
    news: str

    @property
    def leave_within(self) -> float: ...
    def prepared(self, value: Any) -> Awaitable[None]: ...
    def commit(self) -> None: ...
    def aborted(self) -> Awaitable[None]: ...
    def settled(self) -> Awaitable[None]: ...
    def begin_release(self, within: float) -> None: ...
    def released(self) -> Awaitable[None]: ...
    def stands(self, value: Any) -> bool: ...
    def note_in_force(self, value: Any) -> None: ...
    def enter(self, state: BindingState, error: str = "", next_try: datetime | None = None) -> None: ...
    def report(self) -> None: ...
    def status(self) -> BindingStatus: ...


class Follower:
    """One task for one binding, or for several that change together.

    No code of the program runs in it: members see to that. So it always ends when it is asked to, within the
    longest `leave_within` of its members.

    Args:
        name: The task's.
        members: Entered in this order. They are released side by side.
        rng: Where the jitter comes from.
    """

    def __init__(self, name: str, members: Sequence[Member], rng: random.Random | None = None) -> None:
        self._members = list(members)
        self._rng = rng or random.Random()
        self._host = Host(name, self.leave)
        self._newer = asyncio.Event()
        # When leaving has to be over, by the loop's clock; None before it begins.
        self._leave_by: float | None = None
        # Around what is being prepared; a newer value cancels it, and leaving does.
        self._attempting: anyio.CancelScope | None = None
        # When the runtime first heard of a change that is not in force yet.
        self._heard: float | None = None
        # What kept it from coming into force, and whose it was; empty where nothing did.
        self._trouble = ""
        self._culprit = self._members[0]
        # When it first failed, and what the log says of it; a try that fails like the one before is not told again.
        self._failed_at: float | None = None
        self._told = ""
        self._told_slow = False

    async def open(self) -> None:
        """Return once the first things are in force; from then on follow.

        Raises:
            Exception: What the first preparation failed with; a note names the member.
        """
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._host.enter(self._run(started), started)

    async def close(self, error: BaseException | None) -> None:
        """Leave, and return once everything is released.

        Args:
            error: What the body ended with.
        """
        await self._host.leave(error)

    def leave(self, within: float | None = None) -> None:
        """Begin to leave, without waiting: nothing newer is followed, and members begin to let go, side by side.

        Args:
            within: Seconds until that is over, if that is sooner than the members' own time.
        """
        self._host.expect_end()
        self._begin_leaving(within)

    def _begin_leaving(self, within: float | None = None) -> None:
        longest = max(member.leave_within for member in self._members)
        within = longest if within is None else min(within, longest)
        leave_by = asyncio.get_running_loop().time() + within
        if self._leave_by is not None and self._leave_by <= leave_by:
            return
        self._leave_by = leave_by
        for member in self._members:
            member.begin_release(min(within, member.leave_within))
        self._newer.set()
        if self._attempting is not None:
            self._attempting.cancel()

    async def _run(self, started: asyncio.Future[Any]) -> None:
        """Put the first things in force, say so, and follow until leaving begins."""
        error = await self._attempt(self._values())
        if error is not None:
            self._show_closed()
            self._tell_first_failure(error)
            raise error
        try:
            if self._leave_by is None:
                self._listen()
                started.set_result(None)
                await self._follow()
        finally:
            await self._release()

    def _listen(self) -> None:
        for member in self._members:
            member.report()
            listen(member.live, self._changed)
            if member.live.current is not member.value:  # it changed while the first things were prepared
                self._changed(member.live)

    def _changed(self, live: Live[Any]) -> None:
        # Also when the value in force comes back: what is being made of another one is no longer wanted.
        self._heard = self._heard or heard_at(live)
        self._newer.set()
        if self._attempting is not None:
            self._attempting.cancel()

    async def _follow(self) -> None:
        while self._leave_by is None:
            await self._newer.wait()
            await self._advance()

    async def _advance(self) -> None:
        """Put the newest values in force, however many tries that takes and however often they change meanwhile.

        What raises `InvalidValue` is tried once: time mends nothing about it, only another value does.
        """
        pause = FIRST_PAUSE
        while self._leave_by is None:
            if self._newer.is_set():
                self._told, self._told_slow = "", False
            self._newer.clear()
            values = self._values()
            if all(member.stands(value) for value, member in zip(values, self._members, strict=True)):
                self._end_trouble("the value was taken back, and the one in use fits it")
                self._enter(BindingState.IN_FORCE)
                return
            self._enter(BindingState.PREPARING)
            error = await self._attempt(values)
            if self._newer.is_set():
                pause = FIRST_PAUSE
            elif error is None:
                await self._settle()
                return
            else:
                wait = self._rng.uniform(0, pause)
                self._failed(error, wait)
                if isinstance(error, InvalidValue):
                    await self._newer.wait()
                    continue
                with anyio.move_on_after(wait):
                    await self._newer.wait()
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _attempt(self, values: list[Any]) -> Exception | None:
        """Prepare and commit, unless it fails, or a newer value or the end comes first."""
        error: Exception | None = None
        prepared = False
        with anyio.CancelScope() as self._attempting:
            try:
                await self._prepare(values)
                prepared = True
            except Exception as failure:  # noqa: BLE001 - a user's builder; the old thing stays in use
                error = failure
        self._attempting = None
        if prepared and self._newer.is_set():
            await self._abort(self._members)
        elif prepared:
            self._commit(values)
        return error

    async def _prepare(self, values: list[Any]) -> None:
        done: list[Member] = []
        try:
            for member, value in zip(self._members, values, strict=True):
                await self._prepare_one(member, value)
                done.append(member)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._abort(done)
            raise

    async def _prepare_one(self, member: Member, value: Any) -> None:
        rebuild = RebuildEvent(member.name)
        slow = asyncio.get_running_loop().call_later(FIRST_WORD, self._tell_slow, member)
        with observers_of(member.live).rebuilding(rebuild):
            try:
                await member.prepared(value)
            except Exception as error:
                rebuild.error = type(error).__name__
                self._culprit = member
                raise
            except asyncio.CancelledError:
                rebuild.superseded = True
                raise
            finally:
                slow.cancel()

    def _tell_slow(self, member: Member) -> None:
        """Say that a member takes long; not if its trouble is told already."""
        if not self._told and not self._told_slow and self._leave_by is None:
            self._told_slow = True
            logbook_of(member.live).binding_takes_long(member.name, FIRST_WORD, member.deadline, member.changes > 0)

    def _commit(self, values: list[Any]) -> None:
        for member, value in zip(self._members, values, strict=True):
            member.commit()
            member.note_in_force(value)
            member.changes += 1
            member.enter(BindingState.IN_FORCE)
            if self._heard is not None:
                observers_of(member.live).in_force(member.name, time.monotonic() - self._heard)
            # Of the one that had trouble the line about its end tells.
            if member.news and (self._failed_at is None or member is not self._culprit):
                logbook_of(member.live).binding_changed(member.name, member.news)
        self._end_trouble("the newest value is in use")

    def _end_trouble(self, how: str) -> None:
        if self._failed_at is not None:
            failed_for = time.monotonic() - self._failed_at
            logbook_of(self._culprit.live).binding_follows(self._culprit.name, failed_for, how)
            self._failed_at = None
        self._heard, self._trouble = None, ""

    async def _settle(self) -> None:
        self._enter(BindingState.DRAINING)
        await _each([(member, "settle", member.settled()) for member in self._members])
        self._enter(BindingState.IN_FORCE)

    async def _abort(self, members: Sequence[Member]) -> None:
        await _each([(member, "abort", member.aborted()) for member in reversed(members)])

    async def _release(self) -> None:
        self._begin_leaving()  # if it has not begun, this task was cancelled by a stranger, or a commit raised
        for member in self._members:
            unlisten(member.live, self._changed)
        try:
            failures = await _each([(member, "release", member.released()) for member in reversed(self._members)])
        finally:
            self._show_closed()
        if failures:
            raise failures[0]

    def _show_closed(self) -> None:
        self._enter(BindingState.CLOSED)
        for member in self._members:
            member.report()

    def _tell_first_failure(self, error: Exception) -> None:
        """Name the member: a driver's error, at the end of a traceback of a hundred lines, does not."""
        what = f"{self._culprit.name}: the first one could not be made"
        error.add_note(what)
        logbook_of(self._culprit.live).binding_cannot_start(f"{what}: {_why(error)}")

    def _failed(self, error: Exception, wait: float) -> None:
        self._trouble = f"the new one could not be made: {_why(error)}"
        if isinstance(error, InvalidValue):
            self._enter(BindingState.REFUSED)
            again = ""
        else:
            self._enter(BindingState.RETRYING, datetime.now(UTC) + timedelta(seconds=wait))
            first = lasted(wait) if wait >= 1 else f"{wait * 1000:.0f}ms"
            again = f"; it is tried again in {first}, later every {lasted(LONGEST_PAUSE)} at most"
        self._culprit.failures += 1
        self._failed_at = self._failed_at or time.monotonic()
        if self._told == f"{self._culprit.name}: {self._trouble}":
            return
        self._told = f"{self._culprit.name}: {self._trouble}"
        others = ", ".join(member.name for member in self._members if member is not self._culprit)
        stays = f"; so do those of {others}, which change together with it" if others else ""
        logbook_of(self._culprit.live).binding_fails(self._told, f"the old one stays in use{stays}{again}")

    def _enter(self, state: BindingState, next_try: datetime | None = None) -> None:
        for member in self._members:
            innocent = bool(self._trouble) and member is not self._culprit
            error = f"waits for {self._culprit.name}: {self._trouble}" if innocent else self._trouble
            member.enter(state, error, next_try)

    def _values(self) -> list[Any]:
        # The writer stores all values of a generation in one turn, so these are of one generation.
        return [member.live.current for member in self._members]


def _why(error: Exception) -> str:
    """What the log and the status say of an error. The text of most may quote the value, which may be a secret."""
    return str(error) if isinstance(error, InvalidValue) else type(error).__name__


async def _each(calls: list[tuple[Member, str, Awaitable[None]]]) -> list[Exception]:
    """Wait for calls that are under way, each of them bounded; what one raises keeps none of the others from ending.

    Raises:
        BaseException: What no binding may hide, as a KeyboardInterrupt.
    """
    failures: list[Exception] = []
    fatal: BaseException | None = None
    for member, what, call in calls:
        try:
            await call
        except Exception as error:  # noqa: BLE001 - a user's binding; its text may quote the value
            failures.append(error)
            logger.warning("%s: %s raised %s", member.name, what, type(error).__name__)
        except BaseException as error:  # noqa: BLE001
            fatal = error
    if fatal is not None:
        raise fatal
    return failures
