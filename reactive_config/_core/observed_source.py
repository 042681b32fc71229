"""A source whose every word is told to a listener, too.

The runtime merges what waits and keeps only the last state of a source. Whoever wants to see every word of it, or to
wait until its last word has an outcome, has to stand between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from reactive_config._core.delta import Delta, Entry, Replace
from reactive_config._core.lookup import Shape
from reactive_config._core.paths import Path
from reactive_config._core.source import Feed, Source, no_variable
from reactive_config._core.status import SourceState


class SourceListener:
    """Told what a source says, in order, before the runtime acts on it; override what is wanted."""

    def sent(self, delta: Delta) -> None:
        """The source sent a delta."""

    def stated(self, state: SourceState, reason: str) -> None:
        """The source said where it stands; the same words may come again."""

    def counted(self, counter: str, by: int) -> None:
        """The source counted something."""


class ObservedSource(Source):
    """Another source, unchanged, and a listener that is told what it says.

    Args:
        source: The one to run; an attribute that it lacks is the contract's default.
        listener: Is told.
        variables: What `Feed.named_variables` gives the source in place of what the configuration's type names.
    """

    def __init__(
        self, source: Source, listener: SourceListener, variables: Sequence[tuple[str, Path]] | None = None
    ) -> None:
        self.source = source
        self._variables = variables
        self.name, self.layers = source.name, source.layers
        for attribute in Source.__annotations__:  # a wrapper never falls back to a default of its own
            if hasattr(source, attribute):
                setattr(self, attribute, getattr(source, attribute))
        self._listener = listener
        self._feed: Feed | None = None

    async def run(self, feed: Feed) -> None:
        self._feed = feed
        await self.source.run(_ObservedFeed(feed, self._listener, self._variables))

    async def last_good(self) -> Replace | None:
        return await self.source.last_good()

    async def wait_taken(self) -> None:
        """Return once everything that the source has said is taken: in force or held. Comes after `open_config`."""
        assert self._feed is not None, "wait_taken() comes after open_config"
        await self._feed.wait_taken()


class _ObservedFeed(Feed):
    """The runtime's feed; passes every word on unchanged."""

    def __init__(self, feed: Feed, listener: SourceListener, variables: Sequence[tuple[str, Path]] | None) -> None:
        self._feed = feed
        self._variables = variables
        self._listener = listener

    def send(self, delta: Delta) -> None:
        self._listener.sent(delta)
        self._feed.send(delta)

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        self._listener.stated(state, reason)
        self._feed.state(state, reason, next_try=next_try)

    def notes(self, notes: Sequence[str]) -> None:
        self._feed.notes(notes)

    def count(self, counter: str, by: int = 1) -> None:
        self._listener.counted(counter, by)
        self._feed.count(counter, by)

    def gauge(self, name: str, value: float) -> None:
        self._feed.gauge(name, value)

    def resolve(self, names: Path) -> Path:
        return self._feed.resolve(names)

    def shape(self, path: Path) -> Shape:
        return self._feed.shape(path)

    def knows(self, path: Path) -> bool:
        return self._feed.knows(path)

    def named_variables(self) -> Sequence[tuple[str, Path]]:
        return self._feed.named_variables() if self._variables is None else self._variables

    def leave_out(self, keys: Mapping[Path, str], variable: Callable[[Path], str] = no_variable) -> None:
        self._feed.leave_out(keys, variable)

    @property
    def holds_secret(self) -> bool:
        return self._feed.holds_secret

    @property
    def accepted(self) -> Mapping[str, Entry]:
        return self._feed.accepted

    @property
    def accepted_revision(self) -> int:
        return self._feed.accepted_revision

    async def wait_revision(self, revision: int) -> None:
        await self._feed.wait_revision(revision)

    async def wait_taken(self) -> bool:
        return await self._feed.wait_taken()

    async def wait_in_force(self) -> None:
        await self._feed.wait_in_force()

    async def wait_accepted(self) -> None:
        await self._feed.wait_accepted()
