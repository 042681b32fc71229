"""Counters of things that open and close: what the closed ones counted stays in the sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from reactive_config import BindingStatus, SourceStatus, Status

Key = tuple[str, ...]
"""What is counted, and the values of its labels."""

MAX_BINDINGS = 100
"""How many binding names have series of their own; what more there are is counted as `other`."""


def label(text: str) -> str:
    """A label's value; the name of a file may hold what UTF-8 cannot."""
    return text.encode(errors="backslashreplace").decode()


class BindingNames:
    """The first `MAX_BINDINGS` names of bindings; the label of any other is `other`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, binding: str) -> str:
        if len(self._known) < MAX_BINDINGS:
            self._known.add(binding)
        return label(binding) if binding in self._known else "other"


class Totals:
    """Sums over all sources and bindings that were ever seen. None of them falls."""

    def __init__(self, names: BindingNames) -> None:
        self._names = names
        self._gone: Counter[Key] = Counter()
        self._shown: dict[Key, int] = {}

    def counted(self, status: Status) -> Counter[Key]:
        """What is counted by the sources and bindings that are open."""
        counts = _of_sources(status.sources)
        for binding in status.bindings:
            self._count(binding, counts)
        return counts

    def closed(self, binding: BindingStatus) -> None:
        """Keep what a binding counted that is in no status any more."""
        self._count(binding, self._gone)

    def keep(self, counts: Mapping[Key, int]) -> None:
        """Keep what was counted by what will not be asked again."""
        self._gone.update(counts)

    def take_back(self, counts: Mapping[Key, int]) -> None:
        """Undo `keep`."""
        self._gone.subtract(counts)

    def read(self, status: Callable[[], Status]) -> tuple[Status, Mapping[Key, int]]:
        """A status, and the sums with what it counts. All in the loop: between the two nothing may close."""
        # In this order: a timer that is collected between these lines is missed once, and not counted twice.
        sums = self._gone.copy()
        now = status()
        sums.update(self.counted(now))
        for key, count in sums.items():
            self._shown[key] = max(count, self._shown.get(key, 0))
        return now, self._shown.copy()

    def _count(self, binding: BindingStatus, counts: Counter[Key]) -> None:
        name = self._names.label(binding.name)
        counts["binding_changes", name] += binding.changes
        counts["binding_failures", name] += binding.failures
        counts["binding_forced", name] += binding.forced
        counts["binding_abandoned", name] += binding.abandoned


def _of_sources(sources: Iterable[SourceStatus]) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    for source in sources:
        for event, count in source.counters.items():
            counts["source_events", label(source.name), label(event)] += count
    return counts
