"""The runtime's end of a source: what it said, until the writer takes it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from reactive_config._core.acceptance.acceptance import Acceptance
from reactive_config._core.acceptance.source_records import SourceRecord
from reactive_config._core.decoding.unknown_keys import knows
from reactive_config._core.delta import Delta, Entry, Patch, Replace, Unit
from reactive_config._core.lookup import Shape, resolve, shape
from reactive_config._core.paths import Path
from reactive_config._core.runtime.cells import Hub
from reactive_config._core.runtime.unknown_notes import UnknownNotes
from reactive_config._core.source import no_variable
from reactive_config._core.status import HeldUnit, Moment, SourceState, SourceStatus
from reactive_config._core.types.env_fields import named_variables
from reactive_config._core.types.sealed import holds_secret
from reactive_config._printable import printable
from reactive_config.errors import Rejected

_SENTENCE = 600
"""Characters of a reason or a note: it may quote a key or a file's name."""


class Inbox:
    """Implements `Feed` for one source.

    Deltas that wait are merged, at most one `Replace` and one `Patch`: bounded by the number of entries,
    not by the number of changes.

    Attributes:
        heard: When the first of the deltas came that wait, or that were taken last; `time.monotonic()`.
        on_last_good: The start needed the last good state, and something of what did not fit then is still held.
    """

    def __init__(
        self, record: SourceRecord, kind: Any, wake: Callable[[], None], hub: Hub, unknown: UnknownNotes
    ) -> None:
        self.record = record
        self._hub = hub
        self.current_state = SourceState.CONNECTING
        self.reason = ""
        self._since = Moment.now()
        # When it was SYNCED last, or the start began.
        self._left = self._since
        # Since when the source is away, once the log says that it is.
        self._away: Moment | None = None
        self._has_ended = False
        self._next_try: datetime | None = None
        self._notes: tuple[str, ...] = ()
        self._counters: Counter[str] = Counter()
        self._gauges: dict[str, float] = {}
        self._kind = kind
        self._unknown = unknown
        self._wake = wake
        self._replace: Replace | None = None
        self._set: dict[str, Entry] = {}
        self._deleted: dict[str, Unit] = {}
        self._patch: Patch | None = None  # the last of those that are merged
        self.heard = 0.0
        self._seen_acceptance = 0
        self._accepted = asyncio.Event()
        self.on_last_good = False
        self._closed: Exception | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._judging: list[asyncio.Future[bool]] = []
        self._holding: list[asyncio.Future[bool]] = []

    def send(self, delta: Delta) -> None:
        if not self.waits:
            self.heard = time.monotonic()
        if isinstance(delta, Replace):
            self._replace = delta
            self._set, self._deleted, self._patch = {}, {}, None
        elif self._patch is None:
            self._set, self._deleted, self._patch = dict(delta.set), dict(delta.deleted), delta
        else:
            for entry_id, entry in delta.set.items():
                self._deleted.pop(entry_id, None)
                self._set[entry_id] = entry
            for entry_id, unit in delta.deleted.items():
                self._set.pop(entry_id, None)
                self._deleted[entry_id] = unit
            self._patch = delta
        self._wake()

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        before = self.current_state
        if state is not before:
            since, self._since = self._since, Moment.now()
            self._left = since if before is SourceState.CONNECTING else self._since
        self.current_state, self.reason, self._next_try = state, printable(reason, _SENTENCE), next_try
        self._wake()
        if state is SourceState.SYNCED:
            if self._away is not None:
                self._hub.logbook.source_back(self.record.name, self._away.age)
                self._away = None
        elif state is not before and state in (SourceState.STALE, SourceState.FAILED) and self._is_to_tell():
            self._tell_away()

    def fail(self, reason: str) -> None:
        """The source has ended for this reason, which somebody else logs."""
        self._has_ended = True
        self.state(SourceState.FAILED, reason)

    def note_start(self) -> None:
        """The program starts, although this source is not SYNCED."""
        if self._away is None and not self._has_ended and self.current_state is not SourceState.ENDED:
            self._tell_away()

    def _is_to_tell(self) -> bool:
        """Whether nobody else tells that the source is away: a start that waits for it, or whoever saw its end."""
        return not self._has_ended and (self._has_delivered or self.record.optional)

    @property
    def _has_delivered(self) -> bool:
        return self.record.revision is not None or self.waits

    def _tell_away(self) -> None:
        """Say in the log that the source is away, and what is in force meanwhile."""
        self._away = self._away or self._left
        # What a start goes on with, the reason tells.
        meanwhile = "; the last state stays in force" if self.record.revision is not None else ""
        meanwhile = meanwhile if self._has_delivered else "; the program goes on without it"
        self._hub.logbook.source_away(self.record.name, self.current_state, self.reason, meanwhile)

    def notes(self, notes: Sequence[str]) -> None:
        self._notes = tuple(printable(note, _SENTENCE) for note in notes)

    def count(self, counter: str, by: int = 1) -> None:
        self._counters[counter] += by

    def gauge(self, name: str, value: float) -> None:
        self._gauges[name] = value

    def resolve(self, names: Path) -> Path:
        return resolve(self._kind, names)

    def shape(self, path: Path) -> Shape:
        return shape(self._kind, path)

    def knows(self, path: Path) -> bool:
        return knows(self._kind, path)

    def named_variables(self) -> Sequence[tuple[str, Path]]:
        return named_variables(self._kind)

    def leave_out(self, keys: Mapping[Path, str], variable: Callable[[Path], str] = no_variable) -> None:
        self.record.variable = None if variable is no_variable else variable
        self._unknown.leave_out(self.record.name, dict(keys), variable)

    @property
    def holds_secret(self) -> bool:
        return holds_secret(self._kind)

    @property
    def accepted(self) -> Mapping[str, Entry]:
        return self.record.accepted

    @property
    def accepted_revision(self) -> int:
        return self.record.accepted_revision

    async def wait_accepted(self) -> None:
        while self.record.accepted_at == self._seen_acceptance:
            self._accepted.clear()
            await self._accepted.wait()
        self._seen_acceptance = self.record.accepted_at

    async def wait_revision(self, revision: int) -> None:
        if self._closed is not None:
            raise self._closed
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((revision, future))
        self._wake()
        await future

    async def wait_taken(self) -> bool:
        return await self._answered(self._judging)

    async def wait_in_force(self) -> None:
        await self._answered(self._holding)

    async def _answered(self, waiting: list[asyncio.Future[bool]]) -> bool:
        if self._closed is not None:
            raise self._closed
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        self._wake()
        try:
            return await future
        finally:
            if future in waiting:
                waiting.remove(future)

    @property
    def waits(self) -> bool:
        """Whether there are deltas to take."""
        return self._replace is not None or self._patch is not None

    def drain(self) -> None:
        """Writer only: make everything that waits the source's current state."""
        if self._replace is not None:
            self.record.take(self._replace)
        if self._patch is not None:
            self.record.take(Patch(self._set, self._deleted, self._patch.revision, self._patch.emptied))
        self._replace, self._set, self._deleted, self._patch = None, {}, {}, None

    def answer_waiting(self, acceptance: Acceptance) -> None:
        """Writer only: after an attempt, answer those who wait for a revision, a verdict or an acceptance."""
        record = self.record
        in_force = not record.pending
        if in_force:
            record.accepted_revision = record.revision or 0
            if self._holding:
                _answer(self._holding, True)
        if self._judging and (in_force or not acceptance.unsettled):
            _answer(self._judging, in_force)
        if record.accepted_at != self._seen_acceptance:
            self._accepted.set()
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for revision, future in waiting:
            if future.done():  # whoever waited was cancelled
                continue
            taken = record.revision
            if taken is None or taken < revision or acceptance.undecided(record, revision):
                self._waiting.append((revision, future))
            elif (held := acceptance.held_at(record, revision)) is not None:
                future.set_exception(Rejected(held.problems, held.more, held.stopped))
            else:
                future.set_result(None)

    def close(self, error: Exception) -> None:
        """Writer only: nothing will be taken any more."""
        self._closed = error
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
        for waiting in (*self._judging, *self._holding):
            if not waiting.done():
                waiting.set_exception(error)

    def status(self, held: tuple[HeldUnit, ...]) -> SourceStatus:
        notes = self._notes
        if self.on_last_good and held:
            notes = (*notes, "its content did not fit at the start, so that began with the last good state")
        return SourceStatus(
            name=self.record.name,
            state=self.current_state,
            since=self._since.wall,
            age=self._since.age,
            reason=self.reason,
            revision=self.record.revision or 0,
            held=held,
            next_try=self._next_try,
            notes=notes,
            counters=dict(self._counters),
            gauges=dict(self._gauges),
        )


def _answer(waiting: list[asyncio.Future[bool]], verdict: bool) -> None:
    for future in waiting:
        if not future.done():  # whoever waited was cancelled
            future.set_result(verdict)
    waiting.clear()
