"""Units that are to be tried, in groups, and how much one attempt may do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from reactive_config.core.trial import UnitKey

DECODES = 64
"""Decodes that one attempt may do."""
SECONDS = 0.05
"""Seconds after which an attempt begins no further decode."""
LOCATING = 0.02
"""Seconds that one attempt may spend on lines and columns; problems after that come without."""


class Budget:
    """What one attempt may still do.

    Attributes:
        decodes: How many more.
    """

    def __init__(self) -> None:
        self.decodes = DECODES
        self._began = time.perf_counter()

    @property
    def spent(self) -> bool:
        """Whether the rest has to wait for the next attempt."""
        return self.decodes <= 0 or time.perf_counter() >= self._began + SECONDS

    def locates(self) -> bool:
        """Whether a line may still be looked for: that may parse a document again."""
        return time.perf_counter() < self._began + LOCATING


class Queue:
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
