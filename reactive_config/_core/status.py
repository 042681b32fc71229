"""What operators read: frozen descriptions of where everything stands."""

from __future__ import annotations

import enum
import time
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from reactive_config.errors import Problem, more_problems, problem_lines


class Moment(NamedTuple):
    """A moment that has passed, as people read it and as its age is measured.

    Attributes:
        wall: UTC. Two of these do not give a length of time: between them the wall clock may have been set.
        monotonic: Seconds of `time.monotonic()`.
    """

    wall: datetime
    monotonic: float

    @classmethod
    def now(cls) -> Moment:
        return cls(datetime.now(UTC), time.monotonic())

    @property
    def age(self) -> float:
        """Seconds since then, by the monotonic clock: 0 or more, however the wall clock was set."""
        return time.monotonic() - self.monotonic


class SourceState(enum.Enum):
    """Where a source stands."""

    CONNECTING = "connecting"
    """Nothing delivered yet."""
    SYNCED = "synced"
    """What it delivered is what the outside holds."""
    STALE = "stale"
    """The last delivered state stays in force; the outside cannot be seen at the moment."""
    FAILED = "failed"
    """Needs a person: credentials, permissions, certificates, settings."""
    ENDED = "ended"
    """Nothing more will come, by nature (the environment never changes) or because the context closed."""


class HeldUnit(msgspec.Struct, frozen=True):
    """A unit that was refused and waits.

    Attributes:
        unit: What a person calls it: `revision 812`, a file, `patch 3`.
        problems: Why; at most 20.
        since: When it was first refused (UTC).
        age: Seconds from then until the status was made, by the monotonic clock; 0 as observers are told of it.
        more: How many more problems were found.
        stopped: Whether there may be still more: after some hundred nobody looks for the rest.
    """

    unit: str
    problems: tuple[Problem, ...]
    since: datetime
    age: float = 0.0
    more: int = 0
    stopped: bool = False

    def lines(self, limit: int = 20) -> list[str]:
        """The first problems, one line each, and how many more there are."""
        return problem_lines(self.problems, self.more, self.stopped, limit)

    @property
    def rest(self) -> str:
        """How many problems there are beside those that are kept; empty if none."""
        return more_problems(self.more, self.stopped)


class SourceStatus(msgspec.Struct, frozen=True):
    """One source.

    Attributes:
        name: Unique in this configuration.
        state: See `SourceState`.
        since: When the state was entered (UTC); for people, as the wall clock may have been set meanwhile.
        age: Seconds from then until the status was made, by the monotonic clock. What is computed, is computed of this.
        reason: Why it is STALE or FAILED; empty otherwise.
        revision: The store's last revision that was taken (accepted or held); 0 where it has none.
        held: Units that wait, oldest first.
        next_try: When the source tries again (UTC); None when it does not wait.
        notes: What else a person should know (skipped files, the notifier in use).
        counters: What the source counts: `reconnects`, `relists`, ...; none of them ever falls.
        gauges: What the source measures: `lag`, ...; each is the last value.
    """

    name: str
    state: SourceState
    since: datetime
    reason: str = ""
    revision: int = 0
    held: tuple[HeldUnit, ...] = ()
    next_try: datetime | None = None
    notes: tuple[str, ...] = ()
    counters: dict[str, int] = {}
    age: float = 0.0
    gauges: dict[str, float] = {}


class BindingState(enum.Enum):
    """Where a binding stands."""

    IN_FORCE = "in force"
    """What is in use was made from the newest value."""
    PREPARING = "preparing"
    """A newer one is being made; the one before is in use."""
    RETRYING = "retrying"
    """The newer one could not be made; the one before is in use, and it is tried again."""
    REFUSED = "refused"
    """The newer value can never be followed (`InvalidValue`); the one before is in use until another value comes."""
    DRAINING = "draining"
    """The newest is in use; the one before waits for its last users."""
    CLOSED = "closed"


class BindingStatus(msgspec.Struct, frozen=True):
    """One binding.

    Attributes:
        name: As given, or the live value's.
        state: See `BindingState`.
        since: When the state was entered (UTC); for people. Of PREPARING: since when the newer one is being made.
        age: Seconds from then until the status was made, by the monotonic clock.
        error: What kept the newest value from coming into force, without the error's own text; of an `InvalidValue`
            with it.
        changes: How often a new thing came into force.
        failures: How often making one failed.
        forced: How often an old one was closed under its users, because they took longer than the drain.
        abandoned: How many calls of the program's code swallowed every cancellation, and were left running. The binding
            stays in the status after its end while one of them runs.
        next_try: When it is tried again (UTC); None when it does not wait for that.
    """

    name: str
    state: BindingState
    since: datetime
    error: str = ""
    changes: int = 0
    failures: int = 0
    forced: int = 0
    abandoned: int = 0
    age: float = 0.0
    next_try: datetime | None = None


class Status(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        generation: Of the snapshot in force; 0 before the first.
        published_at: When it was published (UTC).
        sources: Lowest layer first.
        bindings: What hangs on the stream, in the order of opening.
        selectors: Errors of functions given to `select` and `map` whose value is therefore an old one.
        notes: Shape changes between layers, unknown keys, and other things that are legal and worth a look.
        callbacks: Functions given to `on_change` whose last call raised, or that run on after every cancellation.
        unknown: The notes among them that are about unknown keys: 20 at most, and then how many more there are.
    """

    generation: int
    published_at: datetime | None
    sources: tuple[SourceStatus, ...]
    bindings: tuple[BindingStatus, ...] = ()
    selectors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
