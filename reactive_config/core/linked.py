"""Held units that touch the same parts of the configuration: they may fit together although none fits alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reactive_config.core.blame import region
from reactive_config.core.changes import Changes
from reactive_config.core.paths import Path
from reactive_config.core.plans import Plan
from reactive_config.core.trial import UnitKey
from reactive_config.core.watched import Watched


class Linked:
    """What every held unit touches, and which of them are to be tried with their neighbours.

    Two units are neighbours if what one changes can turn the verdict on the other. A type with validation of its own
    judges all that is below it, so the outermost one around an entry counts, not the nearest as for a fault.

    Attributes:
        recheck: Units whose neighbourhood has changed since they were last tried with it.
    """

    def __init__(self, plan: Plan) -> None:
        self.recheck: dict[UnitKey, None] = {}
        self._plan = plan
        self._regions: dict[UnitKey, tuple[Path, ...]] = {}
        self._watched = Watched()

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
