"""What the live values of one configuration share, and where the writer finds them.

Live values are held weakly: one that nobody holds leaves by itself.
"""

from __future__ import annotations

import asyncio
import weakref
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from reactive_config._core.paths import Path
from reactive_config._core.runtime.home import Home
from reactive_config._core.runtime.logbook import Logbook
from reactive_config._core.runtime.observing import Observers
from reactive_config._core.status import BindingStatus
from reactive_config.errors import Closed

if TYPE_CHECKING:
    from reactive_config._core.runtime.live import Live


class Hub(Home):
    """What all cells of one configuration share; everything but reading `current` happens on the runtime's loop.

    Attributes:
        closed: Whether the stream has ended.
        waited: What somebody waits on. The writer holds cells and updates weakly, and a task that waits
            on one may be the only thing that refers to it.
        errors: Cell to the error of its function, whose value is therefore an old one.
        bindings: What reports for the status, in the order of opening.
        observers: Who is told of applies and rebuilds.
        heard: When the first word came of what was published last; `time.monotonic()`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.closed: bool = False
        self.waited: set[object] = set()
        self.bindings: dict[object, Callable[[], BindingStatus]] = {}
        self.observers: Observers = Observers()
        self._logbook: Logbook | None = None
        self.heard: float = 0.0
        self.errors: weakref.WeakKeyDictionary[Live[Any], str] = weakref.WeakKeyDictionary()

    @property
    def logbook(self) -> Logbook:
        """What is told to operators."""
        if self._logbook is None:
            self._logbook = Logbook(self.loop)
        return self._logbook

    def warn_unknown(self, lines: Iterable[str], count: int) -> None:
        """Tell operators of keys that the type does not know: of the first in words, and how many there are."""
        self.logbook.unknown_keys(lines, count)

    def check_open(self, what: str) -> None:
        """For what would follow the stream.

        Args:
            what: Who asks, for the message.

        Raises:
            Closed: The stream has ended.
        """
        if self.closed:
            raise Closed(f"{what}: the configuration's context has ended, and nothing changes any more")

    def close(self) -> None:
        """The stream has ended."""
        self.closed = True
        if self._logbook is not None:
            self._logbook.close()


class WeakCells:
    """Live values that nobody else may hold; they leave by themselves."""

    def __init__(self) -> None:
        # Not a WeakSet: going through one takes several times as long as asking a function.
        self._cells: weakref.WeakValueDictionary[int, Live[Any]] = weakref.WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, live: Live[Any]) -> None:
        self._cells[id(live)] = live

    def alive(self) -> list[Live[Any] | None]:
        """All of them; None for one that is gone since."""
        return [cell() for cell in self._cells.valuerefs()]


class PathIndex:
    """Live values by dotted path; finds those that a change can concern without looking at the others."""

    def __init__(self) -> None:
        self._live: weakref.WeakValueDictionary[Path, Live[Any]] = weakref.WeakValueDictionary()
        # Sorted, so that everything below a path is one slice. Names of dead cells stay until swept.
        self._paths: list[Path] = []

    def get(self, path: Path) -> Live[Any] | None:
        return self._live.get(path)

    def add(self, path: Path, live: Live[Any]) -> None:
        if len(self._paths) > 2 * len(self._live) + 16:
            self._paths = sorted(self._live)
        if path not in self._live:
            at = bisect_left(self._paths, path)
            if at == len(self._paths) or self._paths[at] != path:
                insort(self._paths, path)
        self._live[path] = live

    def concerned(self, changed: Iterable[Path]) -> Iterator[Live[Any]]:
        """The live values at, above or under any of the changed paths, each once."""
        if not self._paths:
            return
        seen: set[Path] = set()
        for path in changed:
            seen.update(path[:depth] for depth in range(len(path)))
            at = bisect_left(self._paths, path)
            while at < len(self._paths) and self._paths[at][: len(path)] == path:
                seen.add(self._paths[at])
                at += 1
        for path in seen:
            if (live := self._live.get(path)) is not None:
                yield live
