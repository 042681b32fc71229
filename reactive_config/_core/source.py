"""The contract between a source and the runtime.

A source is a task that turns something outside into deltas. The runtime gives it a `Feed`; sending
never waits, because deltas that wait are merged entry by entry: the inbox is bounded by the number of
entries, however fast the source is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Delta, Entry, Replace
from reactive_config._core.lookup import Shape
from reactive_config._core.paths import Path
from reactive_config._core.status import SourceState


class Feed(Protocol):
    """What a source sees of the runtime. Used from the runtime's loop only."""

    def send(self, delta: Delta) -> None:
        """Hand over a delta. Never waits, never raises for content.

        A source's first delta is a `Replace`; until it came, and the source has said that it is no longer
        CONNECTING, `open_config` waits. A delta is taken whole: it may be merged with others that wait, but
        never split.
        """

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        """Say where the source stands. FAILED before the first delta ends `open_config` with this reason."""

    def notes(self, notes: Sequence[str]) -> None:
        """Replace the source's notes in the status."""

    def count(self, counter: str, by: int = 1) -> None:
        """Count something for the status: `reconnects`, `relists`, `events`, ..."""

    def gauge(self, name: str, value: float) -> None:
        """Replace a measured value in the status, one that goes up and down: `lag`, ..."""

    def resolve(self, names: Path) -> Path:
        """The configuration's path for names in any case, as environment variables spell them.

        Fields of the type are matched without case; names that the type leaves open are lower-cased.
        """

    def shape(self, path: Path) -> Shape:
        """What fits at a path: only a `table`, only another `value`, or `any`, as where no type says what it is."""

    @property
    def holds_secret(self) -> bool:
        """Whether the configuration's type has a Secret anywhere: what keeps copies should say that it does."""

    @property
    def accepted(self) -> Mapping[str, Entry]:
        """The entries of this source in force, by id: a live view, to be copied before any await."""

    @property
    def accepted_revision(self) -> int:
        """The newest revision whose content is completely in `accepted` or was superseded."""

    async def wait_revision(self, revision: int) -> None:
        """Return once a revision that was sent is taken.

        Raises:
            Rejected: What it brought is held.
            Closed: The configuration's context ended first.
        """

    async def wait_accepted(self) -> None:
        """Return once `accepted` has changed since the last call returned (at once if it already has)."""


class ForwardingFeed(Feed):
    """Passes every word on unchanged; a base for those who stand between a source and the runtime.

    Args:
        feed: Where the words go.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def send(self, delta: Delta) -> None:
        self.feed.send(delta)

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        self.feed.state(state, reason, next_try=next_try)

    def notes(self, notes: Sequence[str]) -> None:
        self.feed.notes(notes)

    def count(self, counter: str, by: int = 1) -> None:
        self.feed.count(counter, by)

    def gauge(self, name: str, value: float) -> None:
        self.feed.gauge(name, value)

    def resolve(self, names: Path) -> Path:
        return self.feed.resolve(names)

    def shape(self, path: Path) -> Shape:
        return self.feed.shape(path)

    @property
    def holds_secret(self) -> bool:
        return self.feed.holds_secret

    @property
    def accepted(self) -> Mapping[str, Entry]:
        return self.feed.accepted

    @property
    def accepted_revision(self) -> int:
        return self.feed.accepted_revision

    async def wait_revision(self, revision: int) -> None:
        await self.feed.wait_revision(revision)

    async def wait_accepted(self) -> None:
        await self.feed.wait_accepted()


class Source(Protocol):
    """Something outside that becomes layers.

    Attributes:
        name: What the status calls it; the runtime makes it unique by a suffix.
        layers: The names of its layers, lowest first; at least one.
        optional: Whether a layer may be without a single entry. Where not, an empty layer is an error
            at the start, and held later.
        guard: How far what it says may jump at once.
    """

    name: str
    layers: tuple[str, ...]
    optional: bool = False
    change_limits: ChangeLimits = ChangeLimits()

    @abstractmethod
    async def run(self, feed: Feed) -> None:
        """Send deltas until cancelled. Returning says that nothing more will come.

        Raises:
            SourceError: A person is needed; becomes FAILED.
            StartupError: Before the first delta: the program must not start like this, even if the source is optional.
                Any other exception is taken for a bug and ends the configuration.
        """

    async def last_good(self) -> Replace | None:
        """A state that was accepted once, to start from when the first one sent does not fit; None if there is none."""
        return None


class ForwardingSource(Source):
    """Passes on everything of another source; a base for those who stand between a source and the runtime.

    Args:
        source: The one to run; an attribute that it lacks is the contract's default.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name, self.layers = source.name, source.layers
        for attribute in Source.__annotations__:  # a wrapper never falls back to a default of its own
            if hasattr(source, attribute):
                setattr(self, attribute, getattr(source, attribute))

    async def run(self, feed: Feed) -> None:
        await self.source.run(feed)

    async def last_good(self) -> Replace | None:
        return await self.source.last_good()
