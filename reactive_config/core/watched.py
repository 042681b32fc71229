"""An index from paths to the units that wait for a change there."""

from __future__ import annotations

from collections.abc import Iterator

from reactive_config.core.changes import Changes
from reactive_config.core.paths import Path
from reactive_config.core.trial import UnitKey


class Watched:
    """Paths, and the units that wait for a change at, above or under them."""

    def __init__(self) -> None:
        self._units: dict[UnitKey, None] = {}
        self._below: dict[str, Watched] = {}

    def add(self, path: Path, key: UnitKey) -> None:
        node = self
        for name in path:
            child = node._below.get(name)
            if child is None:
                child = node._below[name] = Watched()
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
