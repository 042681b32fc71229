"""The units that are held, found by what would make them fit.

An index from paths to the units that wait for a change there, so that nobody walks all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from reactive_config._core.acceptance.source_records import unit_name
from reactive_config._core.acceptance.trial import UnitKey
from reactive_config._core.acceptance.verdicts import Verdict
from reactive_config._core.paths import Path
from reactive_config._core.status import HeldUnit, Moment
from reactive_config._core.trees import Changes


class PathWaiters:
    """Paths, and the units that wait for a change at, above or under them."""

    def __init__(self) -> None:
        self._units: dict[UnitKey, None] = {}
        self._below: dict[str, PathWaiters] = {}

    def add(self, path: Path, key: UnitKey) -> None:
        node = self
        for name in path:
            child = node._below.get(name)
            if child is None:
                child = node._below[name] = PathWaiters()
            node = child
        node._units[key] = None

    def discard(self, path: Path, key: UnitKey) -> None:
        way = [self]
        for name in path:
            way.append(way[-1]._below[name])
        way[-1]._units.pop(key, None)
        for depth in range(len(path), 0, -1):
            if way[depth]._units or way[depth]._below:
                break
            del way[depth - 1]._below[path[depth - 1]]

    def at(self, touched: Changes) -> Iterator[UnitKey]:
        """The units that wait for one of these changes; one may come several times."""
        if touched is not None and not touched:
            return
        yield from self._units
        if touched is None:
            for child in self._below.values():
                yield from child.at(None)
        else:
            below = self._below
            for name in touched if len(touched) <= len(below) else below:
                if name in below and name in touched:
                    yield from below[name].at(touched[name])

    def along(self, path: Path) -> Iterator[UnitKey]:
        """The units that wait for a change at one path; one may come several times."""
        node = self
        for name in path:
            yield from node._units
            if name not in node._below:
                return
            node = node._below[name]
        yield from node.at(None)


class _HeldRecord(NamedTuple):
    held: HeldUnit
    since: Moment
    order: int
    regions: Sequence[Path]
    revisions: frozenset[int]


class Holding:
    """Which units are held, why, and where a change would have to be for them to fit.

    Attributes:
        held: Unit to what people read of it; the status makes its age when somebody asks.
        freed: The units that wait no more and were told to be held, whether what they say is in force, and since when
            they were held.
    """

    def __init__(self) -> None:
        self.held: dict[UnitKey, HeldUnit] = {}
        self._news: dict[UnitKey, HeldUnit] = {}
        self._told: set[UnitKey] = set()
        self.freed: dict[UnitKey, tuple[HeldUnit, bool, Moment]] = {}
        self._records: dict[UnitKey, _HeldRecord] = {}
        self._of: dict[int, dict[UnitKey, None]] = {}
        self._at: dict[tuple[int, int], dict[UnitKey, None]] = {}
        self._waiting = PathWaiters()
        self._order = 0

    def hold(self, key: UnitKey, verdict: Verdict, revisions: Iterable[int]) -> None:
        """Hold a unit, perhaps once more: its time is that of the first refusal.

        Args:
            key: The unit.
            verdict: Why, and where a change may let it fit.
            revisions: Those that it brought.
        """
        before = self._records.get(key)
        if before is None:
            self._order += 1
            since, order = Moment.now(), self._order
        else:
            since, order = before.since, before.order
            self._unlist(key, before)
        problems = tuple(dict.fromkeys(verdict.problems))
        held = HeldUnit(unit_name(key[1]), problems, since.wall, more=verdict.more, stopped=verdict.stopped)
        record = _HeldRecord(held, since, order, tuple(dict.fromkeys(verdict.regions)), frozenset(revisions))
        self._list(key, record)
        self.freed.pop(key, None)
        if before is None or before.held.problems != held.problems:
            self._news[key] = held

    def release(self, key: UnitKey, *, accepted: bool) -> bool:
        """A unit is accepted, or overwritten; whether it was held."""
        record = self._records.pop(key, None)
        if record is None:
            return False
        self._unlist(key, record)
        del self.held[key]
        self._news.pop(key, None)
        if key in self._told:
            self._told.discard(key)
            self.freed[key] = (record.held, accepted, record.since)
        return True

    def _list(self, key: UnitKey, record: _HeldRecord) -> None:
        self._records[key], self.held[key] = record, record.held
        self._of.setdefault(key[0], {})[key] = None
        for revision in record.revisions:
            self._at.setdefault((key[0], revision), {})[key] = None
        for path in record.regions:
            self._waiting.add(path, key)

    def _unlist(self, key: UnitKey, record: _HeldRecord) -> None:
        del self._of[key[0]][key]
        for revision in record.revisions:
            at = self._at[key[0], revision]
            del at[key]
            if not at:
                del self._at[key[0], revision]
        for path in record.regions:
            self._waiting.discard(path, key)

    def regions_of(self, key: UnitKey) -> Sequence[Path]:
        """Where something has to change before a held unit can fit."""
        return self._records[key].regions

    def concerned(self, touched: Changes, limit: int | None = None) -> list[UnitKey]:
        """The units that may fit after a change, in the order in which they came to be held.

        Args:
            touched: Where something changed.
            limit: If there are more of them, none is returned.
        """
        if not self._records:
            return []
        found: dict[UnitKey, None] = {}
        for key in self._waiting.at(touched):
            found[key] = None
            if limit is not None and len(found) > limit:
                return []
        return sorted(found, key=lambda key: self._records[key].order) if len(found) > 1 else list(found)

    def take_news(self) -> Iterable[tuple[UnitKey, HeldUnit]]:
        """The units that are held and were not when last asked, or for another reason."""
        if not self._news:
            return ()
        news, self._news = self._news, {}
        self._told.update(news)
        return news.items()

    def of(self, index: int) -> Sequence[UnitKey]:
        """The held units of one source; only for those who want to see them all."""
        return tuple(self._of.get(index, ()))

    def told(self, index: int) -> tuple[HeldUnit, ...]:
        """What people read of one source's held units, oldest first, with their ages."""
        records = [self._records[key] for key in self.of(index)]
        records.sort(key=lambda record: record.since.monotonic)
        return tuple(msgspec.structs.replace(record.held, age=record.since.age) for record in records)

    def any_of(self, index: int) -> bool:
        """Whether a source has held units."""
        return bool(self._of.get(index))

    def at(self, index: int, revision: int) -> HeldUnit | None:
        """The held unit of one source that has a revision, or is named by it."""
        if (named := self.held.get((index, revision))) is not None:
            return named
        key = next(iter(self._at.get((index, revision), ())), None)
        return None if key is None else self.held[key]
