"""The one writer: takes deltas, accepts or holds them, decodes, publishes.

    source tasks ──send──> inboxes ──drain──> Acceptance ──part──> Snapshot ──> live values, updates
                                     (this task, synchronously)

All of it runs in one host task, so that a configuration may be entered in one task and left in another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import SourceRecord
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.decoding.fault import ENOUGH, NO_VALUE
from reactive_config._core.delta import Replace
from reactive_config._core.paths import Path
from reactive_config._core.runtime.callbacks import Callbacks
from reactive_config._core.runtime.cells import Hub, PathIndex, WeakCells
from reactive_config._core.runtime.host import ended, is_cancellation
from reactive_config._core.runtime.inbox import Inbox
from reactive_config._core.runtime.live import Batch, Live, make_live, recompute, recompute_derived, store, wake
from reactive_config._core.runtime.logbook import StartVigil
from reactive_config._core.runtime.observing import ApplyEvent
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.runtime.shape_notes import ShapeNotes
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.runtime.unknown_notes import UnknownNotes
from reactive_config._core.runtime.updates import Updates, offer, wake_updates
from reactive_config._core.source import Source
from reactive_config._core.status import HeldUnit, SourceState, Status
from reactive_config._printable import printable
from reactive_config.errors import Closed, Origin, Problem, SourceError, StartupError, StrayCancellation

T = TypeVar("T")


SOURCE_PATIENCE, LEAVE_WITHIN = 5.0, 10.0
"""Seconds that a source has to clean up before it is cancelled again, and before it is left running."""


class Runtime(Generic[T]):
    """Everything behind one open configuration.

    Attributes:
        kind: The configuration's type.
        hub: Shared by all live values.
        stream: The live snapshot; None before the first.
        callbacks: What `on_change` registered; None before the first.
        started: Done once the first snapshot is in force, or failed with why there is none.
    """

    def __init__(self, kind: Any, sources: Sequence[Source], startup_timeout: float | None, decoders: Decoders) -> None:
        self.kind = kind
        self.sources: list[Source] = list(sources)
        self.hub: Hub = Hub(asyncio.get_running_loop())
        self.stream: Live[Snapshot[T]] | None = None
        self.callbacks: Callbacks | None = None
        self.started: asyncio.Future[Snapshot[T]] = self.hub.loop.create_future()
        records = [
            SourceRecord(
                name,
                source.layers,
                optional=source.optional,
                optional_layers=getattr(source, "optional_layers", ()),
                change_limits=getattr(source, "change_limits", None),
                places=getattr(source, "places", ()),
            )
            for name, source in zip(_names(sources), sources, strict=True)
        ]
        self.acceptance: Acceptance = Acceptance(compile_plan(kind, decoders), records)
        self._timeout = startup_timeout
        self._wake = asyncio.Event()
        self._unknown = UnknownNotes(kind, records, self.hub.warn_unknown)
        self.inboxes: list[Inbox] = [Inbox(record, kind, self._wake.set, self.hub, self._unknown) for record in records]
        self.by_path: PathIndex = PathIndex()
        self.by_function: WeakCells = WeakCells()
        self.updates: WeakSet[Updates[T]] = WeakSet()
        self._shapes: ShapeNotes = ShapeNotes()
        # What runs code of the sources, and what a person calls it.
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._bug: BaseException | None = None
        self._leaving = False
        self._on_snapshot: Callable[[Snapshot[T]], object] = id
        self._host: asyncio.Task[Any] | None = None

    # -- tasks ---------------------------------------------------------------------------------

    async def run(self, on_snapshot: Callable[[Snapshot[T]], object]) -> None:
        """Run until cancelled.

        Args:
            on_snapshot: Called with each snapshot at the moment in which it comes into force, the first one included.

        Raises:
            StartupError: There is no first snapshot. Nothing else is raised but bugs.
        """
        self._host = asyncio.current_task()
        self._on_snapshot = on_snapshot
        try:
            for source, inbox in zip(self.sources, self.inboxes, strict=True):
                task = asyncio.create_task(self._run_source(source, inbox), name=f"reactive_config {inbox.record.name}")
                self._tasks[task] = f"the source {inbox.record.name}"
            await self._write()
        finally:
            self._leaving = True
            try:
                await self._end_tasks()
            finally:
                self._close()

    async def _end_tasks(self) -> None:
        """End the sources, and the calls of callbacks that are under way, side by side and in bounded time."""
        if self.callbacks is None:
            await self._end_sources()
            return
        self.callbacks.begin_leaving()
        try:
            await self._end_sources()
        finally:
            await self.callbacks.left()

    async def _end_sources(self) -> None:
        for task in await ended(self._tasks.keys(), SOURCE_PATIENCE, LEAVE_WITHIN):
            what = printable(self._tasks[task])
            logger.warning(
                "%s did not end although it was cancelled for %g s; it is abandoned, and goes on", what, LEAVE_WITHIN
            )
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not self._bug:
                task.result()

    async def _run_source(self, source: Source, inbox: Inbox) -> None:
        name = inbox.record.name
        try:
            await source.run(inbox)
        except SourceError as error:
            self._source_failed(inbox, str(error))
        except BaseException as error:
            if self.ending():
                raise
            if not is_cancellation(error):
                self._bug = error  # the writer raises it
                self._wake.set()
                raise
            self._source_failed(inbox, str(StrayCancellation(f"the source {name}")))
        else:
            inbox.state(SourceState.ENDED)

    def _source_failed(self, inbox: Inbox, reason: str) -> None:
        inbox.fail(reason)
        logger.error("%s: %s", printable(inbox.record.name), inbox.reason)

    def ending(self) -> bool:
        """Whether the writer ends, or was cancelled just now: `asyncio.run` ends all tasks in one turn."""
        return self._leaving or (self._host is not None and self._host.cancelling() > 0)

    async def _write(self) -> None:
        await self._first()
        while True:
            if self.acceptance.unsettled:
                self._wake.set()
                await asyncio.sleep(0)  # an event that is set already gives nobody else a turn
            await self._wait_woken()
            self._step()

    async def _wait_woken(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        if self._bug is not None:
            raise self._bug

    async def _first(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._gather()
        except TimeoutError:
            if any(not inbox.record.optional for inbox in self._absent()):
                raise StartupError((), self.troubles()) from None
        for inbox in self.inboxes:
            if inbox.current_state is not SourceState.SYNCED:
                inbox.note_start()
        problems = self.acceptance.start()
        if problems and not await self._start_from_last_good():
            missing, stopped = self.acceptance.missing, len(problems) + len(self.acceptance.missing) >= ENOUGH
            raise StartupError(problems, stopped=stopped, missing=missing, hints=self._hints(problems))
        self._publish([()])
        self._apply()
        self._step()
        if not self.started.done():
            assert self.stream is not None
            self.started.set_result(self.stream.current)

    async def _gather(self) -> None:
        """Return once every source that must be there has said its first state."""
        vigil = StartVigil(self.hub, self.troubles, self._timeout)
        try:
            while self._absent():
                await self._wait_woken()
                for inbox in self.inboxes:
                    inbox.drain()
                vigil.look()
                gone = [i for i in self._absent() if i.current_state in (SourceState.FAILED, SourceState.ENDED)]
                if gone:
                    raise StartupError((), {i.record.name: i.reason or "ended without content" for i in gone})
        finally:
            vigil.end()

    def _hints(self, problems: Sequence[Problem]) -> list[str]:
        """Where optional sources found nothing, if something is missing that no source says anything about."""
        if not any(problem.got.startswith(NO_VALUE) and problem.origin is None for problem in problems):
            return []
        return [
            f"{Origin(record.name, record.places[layer])}: nothing is there, which optional=True allows"
            for record in self.acceptance.records
            if record.optional
            for layer in record.absent
        ]

    def _absent(self) -> list[Inbox]:
        """The inboxes that the first snapshot waits for. An optional source may be missing once it has tried."""
        tried = (SourceState.STALE, SourceState.FAILED, SourceState.ENDED)
        return [
            inbox
            for inbox in self.inboxes
            if (inbox.record.revision is None or inbox.current_state is SourceState.CONNECTING)
            and not (inbox.record.optional and inbox.current_state in tried)
        ]

    def troubles(self) -> dict[str, str]:
        """What keeps each source that is not ready, by name."""
        return {i.record.name: f"{i.current_state.value}: {i.reason or 'no answer yet'}" for i in self._absent()}

    async def _start_from_last_good(self) -> bool:
        """Start from what was accepted once; what does not fit is then held like any later content."""
        said = {}
        for source, inbox in zip(self.sources, self.inboxes, strict=True):
            good = await self._last_good(source, inbox)
            if good is not None:
                record = inbox.record
                entries = {i: c.entry for i, c in record.pending.items() if c.entry is not None}
                said[inbox] = Replace(entries, record.revision or 0, record.emptied)
                record.take(good)
        if not said or self.acceptance.start():
            return False
        self.hub.logbook.starts_from_last_good([inbox.record.name for inbox in said])
        for inbox, current in said.items():
            inbox.on_last_good = True
            inbox.record.take(current)
        return True

    async def _last_good(self, source: Source, inbox: Inbox) -> Replace | None:
        what = f"last_good of the source {inbox.record.name}"
        task = asyncio.create_task(source.last_good())
        self._tasks[task] = what
        await asyncio.wait([task])
        if task.cancelled():
            raise StrayCancellation(what)
        return task.result()

    def _step(self) -> None:
        """Take everything that waits, and publish what it changed."""
        waiting = [inbox for inbox in self.inboxes if inbox.waits]
        if waiting or self.acceptance.unsettled:
            if waiting:
                self.hub.heard = min(inbox.heard for inbox in waiting)
            if self.hub.observers:
                self._apply_observed(waiting)
            else:
                self._drain_and_apply(waiting)
        for inbox in self.inboxes:
            inbox.answer_waiting(self.acceptance)

    def _apply_observed(self, waiting: Sequence[Inbox]) -> None:
        step = ApplyEvent(tuple(inbox.record.name for inbox in waiting), self.hub.heard)
        before = self._generation
        with self.hub.observers.applying(step):
            step.held = tuple(self._drain_and_apply(waiting))
            step.generation = self._generation if self._generation != before else 0

    def _drain_and_apply(self, waiting: Sequence[Inbox]) -> Sequence[tuple[str, HeldUnit]]:
        for inbox in waiting:
            inbox.drain()
        return self._apply()

    def _apply(self) -> Sequence[tuple[str, HeldUnit]]:
        """Try what waits; returns source and unit, for what is held now and was not before, or for another reason."""
        changed = self.acceptance.attempt()
        held = self.acceptance.take_news()
        if held:
            self.hub.logbook.held(held)
        if self.acceptance.freed:
            self.hub.logbook.no_longer_held(self.acceptance.take_freed())
        for inbox in self.inboxes:
            inbox.on_last_good = inbox.on_last_good and self.acceptance.holds_any_of(inbox.record)
        if changed:
            self._publish(changed)
        part = self.acceptance.part
        if part is not None and part.unknown is not self._unknown.seen:
            self._unknown.take(part.unknown)
        return held

    # -- publishing ----------------------------------------------------------------------------

    def _publish(self, changed: list[Path]) -> None:
        part = self.acceptance.part
        assert part is not None
        generation = self._generation + 1
        revisions = {i.record.name: i.record.revision or 0 for i in self.inboxes}
        snapshot: Snapshot[T] = Snapshot(part, generation, revisions, changed, datetime.now(UTC))
        if self.stream is None:
            self.stream = make_live(snapshot, self.hub, name="configuration")
            self._on_snapshot(snapshot)
            if logger.isEnabledFor(logging.INFO):
                self.hub.logbook.generation(1, changed, self.acceptance)
            return
        batch: Batch = [(self.stream, snapshot)]
        recompute(self.by_path.concerned(changed), snapshot.value, batch)
        recompute(self.by_function.alive(), snapshot.value, batch)
        recompute_derived(batch)
        self._put_in_force(snapshot, batch)
        if logger.isEnabledFor(logging.INFO):
            self.hub.logbook.generation(generation, changed, self.acceptance)

    def _put_in_force(self, snapshot: Snapshot[T], batch: Batch) -> None:
        # Views first, the whole last: a view is never behind the configuration for a reading thread.
        for live, value in reversed(batch):
            store(live, value)
        self._on_snapshot(snapshot)
        updates = list(self.updates or ())
        for update in updates:
            offer(update, snapshot)
        for live, _ in batch:
            wake(live)
        for update in updates:
            wake_updates(update)

    def _close(self) -> None:
        self.hub.close()
        closed = Closed("the configuration's context has ended")
        for inbox in self.inboxes:
            inbox.close(closed)
        for waiting in list(self.hub.waited):
            if isinstance(waiting, Updates):
                wake_updates(waiting)
            else:
                assert isinstance(waiting, Live)
                wake(waiting)

    # -- reading -------------------------------------------------------------------------------

    @property
    def _generation(self) -> int:
        return self.stream.current.generation if self.stream else 0

    def status(self) -> Status:
        snapshot = self.stream.current if self.stream else None
        unknown = self._unknown.notes()
        return Status(
            generation=self._generation,
            published_at=snapshot.published_at if snapshot else None,
            sources=tuple(inbox.status(self.acceptance.held_of(inbox.record)) for inbox in self.inboxes),
            bindings=tuple(status() for status in self.hub.bindings.values()),
            selectors=tuple(self.hub.errors.values()),
            callbacks=self.callbacks.troubles() if self.callbacks is not None else (),
            notes=(*self._shapes.notes(self.acceptance.stack), *unknown),
            unknown=unknown,
        )


def _names(sources: Sequence[Source]) -> list[str]:
    names: list[str] = []
    for source in sources:
        name, number = source.name, 1
        while name in names:
            number += 1
            name = f"{source.name}#{number}"
        names.append(name)
    return names
