"""Moves bindings from one generation to the next: all of them in one turn of the loop, or none."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Any, Protocol

import anyio

from reactive_config.core.live import Live
from reactive_config.core.observing import Rebuild
from reactive_config.core.status import BindingState, BindingStatus

logger = logging.getLogger("reactive_config")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds; pauses between tries grow from one to the other, with full jitter."""


class Member(Protocol):
    """What moves; see `Binding`, which all of them are."""

    live: Live[Any]
    value: Any
    alone: bool
    name: str
    deadline: float
    changes: int
    failures: int

    async def prepare(self, value: Any) -> None: ...
    def commit(self) -> None: ...
    async def abort(self) -> None: ...
    async def settle(self) -> None: ...
    async def release(self) -> None: ...
    def stands(self, value: Any) -> bool: ...
    def enter(self, state: BindingState, error: str = "") -> None: ...
    def status(self) -> BindingStatus: ...


class Follower:
    """One task's work for one binding, or for several that change together.

    Args:
        members: Entered in this order, left in the reverse one.
        rng: Where the jitter comes from.
    """

    def __init__(self, members: Sequence[Member], rng: random.Random | None = None) -> None:
        self._members = list(members)
        for member in self._members:
            member.alone = len(self._members) == 1
        self._rng = rng or random.Random()
        self._newer = asyncio.Event()
        # Around what is being prepared; a newer value cancels it.
        self._attempting: anyio.CancelScope | None = None
        # When the runtime first heard of a change that is not in force yet.
        self._heard: float | None = None
        # What kept it from coming into force; empty where nothing did.
        self._trouble = ""

    async def run(self, started: asyncio.Future[Any]) -> None:
        """Prepare and commit the first things, say so, and follow until cancelled.

        Raises:
            Exception: What the first preparation failed with.
        """
        values = self._values()
        await self._prepare(values)
        self._commit(values)
        try:
            for member in self._members:
                member.live.report(member, member.status)
                member.live.listen(self._changed)
                if member.live.current is not member.value:  # it changed while the first things were prepared
                    self._changed(member.live)
            started.set_result(None)
            await self._follow()
        finally:
            await self._release()

    def _changed(self, live: Live[Any]) -> None:
        # Also when the value in force comes back: what is being made of another one is no longer wanted.
        self._heard = self._heard or live.heard
        self._newer.set()
        if self._attempting is not None:
            self._attempting.cancel()

    async def _follow(self) -> None:
        while True:
            await self._newer.wait()
            await self._advance()

    async def _advance(self) -> None:
        """Put the newest values in force, however many tries that takes and however often they change meanwhile."""
        pause = FIRST_PAUSE
        while True:
            self._newer.clear()
            values = self._values()
            if all(member.stands(value) for value, member in zip(values, self._members, strict=True)):
                self._heard, self._trouble = None, ""
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
                self._failed(error)
                with anyio.move_on_after(self._rng.uniform(0, pause)):
                    await self._newer.wait()
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _attempt(self, values: list[Any]) -> Exception | None:
        """Prepare and commit, unless it fails or a newer value comes first."""
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
        rebuild = Rebuild(member.name)
        with member.live.observers.rebuilding(rebuild):
            try:
                with anyio.fail_after(member.deadline):
                    await member.prepare(value)
            except Exception as error:
                rebuild.error = type(error).__name__
                raise
            except asyncio.CancelledError:
                rebuild.superseded = True
                raise

    def _commit(self, values: list[Any]) -> None:
        for member, value in zip(self._members, values, strict=True):
            member.commit()
            member.value = value
            member.changes += 1
            member.enter(BindingState.IN_FORCE)
            if self._heard is not None:
                member.live.observers.in_force(member.name, time.monotonic() - self._heard)
        self._heard, self._trouble = None, ""

    async def _settle(self) -> None:
        self._enter(BindingState.DRAINING)
        if len(self._members) == 1:
            await self._members[0].settle()
        else:
            async with anyio.create_task_group() as group:
                for member in self._members:
                    group.start_soon(member.settle)
        self._enter(BindingState.IN_FORCE)

    async def _abort(self, members: Sequence[Member]) -> None:
        for member in reversed(members):
            await member.abort()

    async def _release(self) -> None:
        with anyio.CancelScope(shield=True):  # bounded by each member's drain and deadline
            for member in reversed(self._members):
                member.live.unlisten(self._changed)
                member.live.report(member, None)
                await member.release()
        self._enter(BindingState.CLOSED)

    def _failed(self, error: Exception) -> None:
        # Its text may quote the value, which may be a secret.
        self._trouble = f"the new one could not be made: {type(error).__name__}"
        self._enter(BindingState.RETRYING)
        for member in self._members:
            member.failures += 1
            logger.warning("%s: %s; the old one stays in use", member.name, self._trouble)

    def _enter(self, state: BindingState) -> None:
        for member in self._members:
            member.enter(state, self._trouble)

    def _values(self) -> list[Any]:
        # The writer stores all values of a generation in one turn, so these are of one generation.
        return [member.live.current for member in self._members]
