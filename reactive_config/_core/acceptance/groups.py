"""Groups of units that are tried together.

What is to be tried stands in a queue, in groups, with a bound on what one attempt may do. Held units that touch the
same parts may fit together although none fits alone: they become a group, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from reactive_config._core.acceptance.blame import region
from reactive_config._core.acceptance.holding import Holding, PathWaiters
from reactive_config._core.acceptance.source_records import GONE, SourceRecord
from reactive_config._core.acceptance.trial import UnitKey
from reactive_config._core.decoding.plans import DecodePlan
from reactive_config._core.paths import Path
from reactive_config._core.trees import Changes


class LinkedUnits:
    """What every held unit touches, and which of them are to be tried with their neighbours.

    Two units are neighbours if what one changes can turn the verdict on the other. A type with validation of its own
    judges all that is below it, so the outermost one around an entry counts, not the nearest as for a fault.

    Attributes:
        recheck: Units whose neighbourhood has changed since they were last tried with it.
    """

    def __init__(self, plan: DecodePlan) -> None:
        self.recheck: dict[UnitKey, None] = {}
        self._plan = plan
        self._regions: dict[UnitKey, tuple[Path, ...]] = {}
        self._watched = PathWaiters()

    def add(self, key: UnitKey, paths: Iterable[Path]) -> None:
        """A unit is held, perhaps once more, and changes what stands at these paths."""
        self._unlist(key)
        parents: dict[Path, Path] = {}  # entries beside one another have one region, unless each is its own
        regions: dict[Path, None] = {}
        for path in paths:
            if not path:
                regions[path] = None
                continue
            parent = path[:-1]
            if parent not in parents:
                parents[parent] = region(self._plan, path, outermost=True)
            around = parents[parent]
            regions[around if len(around) < len(path) else path] = None
        self._regions[key] = tuple(regions)
        for path in regions:
            self._watched.add(path, key)

    def remove(self, key: UnitKey) -> None:
        """A unit is held no longer."""
        self._unlist(key)
        self.recheck.pop(key, None)

    def _unlist(self, key: UnitKey) -> None:
        for path in self._regions.pop(key, ()):
            self._watched.discard(path, key)

    def changed(self, touched: Changes) -> None:
        """Something else is in force where units wait: try them with their neighbours."""
        for key in self._watched.at(touched):
            self.recheck[key] = None

    def lost(self, key: UnitKey) -> None:
        """A held unit lost changes, or all of them: it and its neighbours may fit now."""
        for path in self.regions_of(key):
            self.recheck.update(dict.fromkeys(self.at(path)))

    def regions_of(self, key: UnitKey) -> Sequence[Path]:
        """What a held unit touches."""
        return self._regions.get(key, ())

    def at(self, path: Path) -> Iterator[UnitKey]:
        """The held units that touch something at, above or under a path; one may come several times."""
        return self._watched.along(path)

    def alone_at(self, key: UnitKey, path: Path) -> bool:
        """Whether no other held unit changes anything at, above or under a path."""
        return all(other == key for other in self._watched.along(path))


FEW = 8
"""How many held units are tried together however many entries they have."""
LINKED = 2000
"""How many entries at most are tried together again, if more than `FEW` held units brought them."""


class Groups:
    """Finds the group of a held unit.

    Args:
        records: Lowest first.
        holding: The held units.
        linked: What they touch.

    Attributes:
        large: Units that belong to groups too large to be tried; the owner clears it once all are rechecked.
    """

    def __init__(self, records: Sequence[SourceRecord], holding: Holding, linked: LinkedUnits) -> None:
        self.large: set[UnitKey] = set()
        self._accounts = records
        self._holding = holding
        self._linked = linked
        self._relists: dict[int, Sequence[UnitKey]] = {}  # `_belonging` by source, until `forget`

    def forget(self) -> None:
        """Units came, were held, or are held no longer."""
        self._relists.clear()

    def is_relisted(self, key: UnitKey) -> bool:
        """Whether a unit is held from a relist: what that found gone may belong to it."""
        return key[1] is not GONE and any(change.relist for change in self._accounts[key[0]].units[key[1]].values())

    def around(self, start: UnitKey) -> list[UnitKey]:
        """A held unit, its neighbours, theirs, and so on, without those that cannot fit whatever others do.

        Empty if it is such a unit, or if there are too many of them; then they are noted in `large`.
        """
        if self._is_hopeless(start) or start in self.large:
            return []
        found, waiting, entries = {start: None}, [start], self._size(start)
        seen: set[Path | int] = set()
        while waiting:
            for other in self._near(waiting.pop(), seen):
                if other in found or self._is_hopeless(other):
                    continue
                found[other] = None
                waiting.append(other)
                entries += self._size(other)
                if other in self.large or (entries > LINKED and len(found) > FEW):
                    self.large.update(found)
                    return []
        return list(found)

    def _near(self, key: UnitKey, seen: set[Path | int]) -> Iterator[UnitKey]:
        """The neighbours of a unit, except at places and of sources whose units were found before."""
        for path in self._linked.regions_of(key):
            if path not in seen:
                seen.add(path)
                yield from self._linked.at(path)
        if key[0] not in seen and (belonging := self._belonging(key)):
            seen.add(key[0])
            yield from belonging

    def _size(self, key: UnitKey) -> int:
        return len(self._accounts[key[0]].units[key[1]])

    def _belonging(self, key: UnitKey) -> Sequence[UnitKey]:
        """What a relist found changed, if a unit is of that, and what it found gone: all or nothing."""
        index = key[0]
        if (index, GONE) not in self._holding.held or not (key[1] is GONE or self.is_relisted(key)):
            return ()
        if index not in self._relists:
            relisted = [other for other in self._holding.of(index) if self.is_relisted(other)]
            hopeless = any(map(self._is_hopeless, relisted))
            self._relists[index] = () if hopeless else (*relisted, (index, GONE))
        return self._relists[index]

    def _is_hopeless(self, key: UnitKey) -> bool:
        """Whether a held unit cannot fit before something comes for it.

        That is so if it cannot be read, goes too far, or if nobody else touches a place where it does not fit.
        """
        if key[1] is GONE:
            return not self._belonging(key)
        regions = self._holding.regions_of(key)
        return not regions or any(self._linked.alone_at(key, path) for path in regions)


DECODES = 64
"""Decodes that one attempt may do."""
SECONDS = 0.05
"""Seconds of this thread's own work after which an attempt begins no further decode."""
LOCATING = 0.02
"""Seconds of its own work that one attempt may spend on lines and columns; problems after that come without. Where
others have the processor, messages say no less."""


class AttemptBudget:
    """What one attempt may still do.

    Attributes:
        decodes: How many more.
    """

    def __init__(self) -> None:
        self.decodes = DECODES
        self._began = time.thread_time()

    @property
    def spent(self) -> bool:
        """Whether the rest has to wait for the next attempt."""
        return self.decodes <= 0 or time.thread_time() >= self._began + SECONDS

    def locates(self) -> bool:
        """Whether a line may still be looked for: that may parse a document again."""
        return time.thread_time() < self._began + LOCATING


class AttemptQueue:
    """Groups of units to be tried together. A unit stands in it once; where it stood before, it is passed over.

    Attributes:
        groups: The next one last.
        undecided: The queued units that nobody has judged yet; the others are held, and tried again.
    """

    def __init__(self) -> None:
        self.undecided: dict[UnitKey, None] = {}
        self.groups: list[Sequence[UnitKey]] = []
        self._queued: set[UnitKey] = set()

    def push(self, units: Iterable[UnitKey], *, last: bool = False) -> None:
        """Queue those units that are not queued yet, as the next group or as the last one."""
        group = [key for key in units if key not in self._queued]
        if group:
            self._queued.update(group)
            self.groups.insert(0 if last else len(self.groups), group)

    def pop(self) -> list[UnitKey]:
        """Take the next group; may be empty."""
        group = [key for key in self.groups.pop() if key in self._queued]
        self._queued.difference_update(group)
        return group

    def __contains__(self, key: UnitKey) -> bool:
        return key in self._queued

    def discard(self, key: UnitKey) -> None:
        """A unit is dealt with."""
        self._queued.discard(key)
        self.undecided.pop(key, None)
