"""A feed that records: tests of a source run it without a runtime."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from reactive_config._core.delta import Delta, Entry, Malformed, Replace
from reactive_config._core.lookup import Shape
from reactive_config._core.paths import Path
from reactive_config._core.source import no_variable
from reactive_config._core.status import SourceState


class RecordingFeed:
    """Takes whatever a source sends and keeps all of it, in order.

    It accepts every readable entry at once and holds `Malformed` ones, unit by unit not judged: the
    runtime's business is not repeated here.

    Attributes:
        deltas: Every delta, as sent.
        entries: The source's current state, by id.
        states: Every state with its reason, as told.
        counters: What was counted.
        gauges: What was measured last.
        said: The notes in force.
        revision: Of the last delta.
    """

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.entries: dict[str, Entry] = {}
        self.states: list[tuple[SourceState, str]] = []
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.said: tuple[str, ...] = ()
        self.revision: int = 0
        self._accepted: dict[str, Entry] = {}
        self._fresh = False
        self._changed = asyncio.Event()

    def send(self, delta: Delta) -> None:
        self.deltas.append(delta)
        if isinstance(delta, Replace):
            self.entries = dict(delta.entries)
        else:
            self.entries.update(delta.set)
            for gone in delta.deleted:
                self.entries.pop(gone, None)
        self.revision = delta.revision
        self._accepted = {
            i: self._accepted.get(i) if isinstance(e.value, Malformed) else e  # type: ignore[misc]
            for i, e in self.entries.items()
            if not isinstance(e.value, Malformed) or i in self._accepted
        }
        self._fresh = True
        self._wake()

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        self.states.append((state, reason))
        self._wake()

    def notes(self, notes: Sequence[str]) -> None:
        self.said = tuple(notes)
        self._wake()

    def count(self, counter: str, by: int = 1) -> None:
        self.counters[counter] += by
        self._wake()

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value
        self._wake()

    def resolve(self, names: Path) -> Path:
        return tuple(name.lower() for name in names)

    def shape(self, path: Path) -> Shape:
        return "any"

    def knows(self, path: Path) -> bool:
        return True

    def named_variables(self) -> Sequence[tuple[str, Path]]:
        return ()

    def leave_out(self, keys: Mapping[Path, str], variable: Callable[[Path], str] = no_variable) -> None:
        self._wake()

    @property
    def holds_secret(self) -> bool:
        return False

    @property
    def accepted(self) -> Mapping[str, Entry]:
        return self._accepted

    @property
    def accepted_revision(self) -> int:
        return self.revision

    async def wait_revision(self, revision: int) -> None:
        await self.wait(lambda feed: feed.revision >= revision)

    async def wait_accepted(self) -> None:
        while not self._fresh:
            await self._next()
        self._fresh = False

    async def wait_taken(self) -> bool:
        return self._all_accepted()

    async def wait_in_force(self) -> None:
        while not self._all_accepted():
            await self._next()

    def _all_accepted(self) -> bool:
        return all(not isinstance(entry.value, Malformed) for entry in self.entries.values())

    async def wait(self, condition: Callable[[RecordingFeed], object], timeout: float = 10.0) -> None:
        """Return once `condition(feed)` is true; it is looked at after everything the source says.

        Raises:
            TimeoutError: It was not true within `timeout` seconds; the message tells the last state.
        """
        try:
            async with asyncio.timeout(timeout):
                while not condition(self):
                    await self._next()
        except TimeoutError:
            entries = {i: e.value for i, e in self.entries.items()}
            seen = f"states {self.states[-3:]}, entries {entries!r:.2000}"
            raise TimeoutError(f"not seen in {timeout} s; {seen}") from None

    async def _next(self) -> None:
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
