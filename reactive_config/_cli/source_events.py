"""What a source says, as events for those who show every word of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from reactive_config._core.delta import Delta, Entry, Malformed, Replace
from reactive_config._core.observed_source import ObservedSource, SourceListener
from reactive_config._core.paths import Path
from reactive_config._core.runtime.config import Config
from reactive_config._core.source import Source
from reactive_config._core.status import SourceState
from reactive_config._core.trees import same
from reactive_config.errors import Origin


class Touch(NamedTuple):
    """A document that changed: where it stands, and the path that it is mounted at."""

    origin: Origin
    path: Path
    gone: bool = False


class Sent(NamedTuple):
    """A source sent a delta. The runtime takes it soon."""

    source: str
    touches: tuple[Touch, ...]


class StateSaid(NamedTuple):
    """A source said where it stands."""

    source: str
    state: SourceState
    reason: str


Event = Union[Sent, StateSaid]


async def wait_seen(config: Config[Any], events: asyncio.Queue[Event], timeout: float) -> None:
    """Return once every source has said more than that it connects, or after `timeout` seconds.

    A first configuration is there when a source has delivered, which may be a moment before it stands firm.
    """
    try:
        async with asyncio.timeout(timeout):
            while any(source.state is SourceState.CONNECTING for source in config.status().sources):
                await events.get()
    except TimeoutError:
        pass  # then that is what there is to show


def observed(
    source: Source, tell: Callable[[Event], None], variables: Sequence[tuple[str, Path]] | None = None
) -> ObservedSource:
    """A source, and every word of it as an event; `variables` as of `ObservedSource`."""
    return ObservedSource(source, EventTeller(source.name, tell), variables)


class EventTeller(SourceListener):
    """Turns the words of one source into events.

    Args:
        name: The source's.
        tell: Takes the events, in order, before the runtime acts on them.
    """

    def __init__(self, name: str, tell: Callable[[Event], None]) -> None:
        self._name, self._tell = name, tell
        self._entries: dict[str, Entry] = {}
        self._said: tuple[SourceState, str] | None = None

    def sent(self, delta: Delta) -> None:
        self._tell(Sent(self._name, tuple(self._touches(delta))))

    def stated(self, state: SourceState, reason: str) -> None:
        if (state, reason) != self._said:
            self._said = (state, reason)
            self._tell(StateSaid(self._name, state, reason))

    def _touches(self, delta: Delta) -> list[Touch]:
        come: Mapping[str, Entry] = delta.entries if isinstance(delta, Replace) else delta.set
        gone = self._entries.keys() - come.keys() if isinstance(delta, Replace) else delta.deleted.keys()
        found = [self._touch(i, entry) for i, entry in come.items() if not _same(self._entries.get(i), entry)]
        known = [(i, self._entries.pop(i)) for i in sorted(gone) if i in self._entries]
        found += [self._touch(i, entry, delta.revision) for i, entry in known]
        self._entries.update(come)
        return found

    def _touch(self, entry_id: str, entry: Entry, gone_at: int | None = None) -> Touch:
        revision = entry.revision if gone_at is None else gone_at
        return Touch(Origin(self._name, entry.place or entry_id, revision), entry.path, gone_at is not None)


def _same(old: Entry | None, new: Entry) -> bool:
    if old is None or old.path != new.path or old.layer != new.layer:
        return False
    if isinstance(old.value, Malformed) or isinstance(new.value, Malformed):
        return bool(old.value == new.value)
    return same(old.value, new.value)
