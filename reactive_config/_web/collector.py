"""The status of a configuration as Prometheus' metric families, read when it is scraped.

Counters of things that open and close stay in the sum when they close, so that a counter never falls.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reactive_config import Config
from reactive_config.status import BindingState, BindingStatus, SourceState, SourceStatus, Status

if TYPE_CHECKING:
    from prometheus_client import Metric


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


_PATIENCE = 5.0
"""Seconds that a scrape from another thread waits for the loop."""

Rows = Iterable[tuple[Sequence[str], float]]
"""The values of the labels, and the value."""


class StatusCollector:
    """A collector for a registry; gives nothing while no configuration is open.

    Its counters are sums over everything that was open while a configuration was read, so none of them falls.
    """

    def __init__(self, names: BindingNames) -> None:
        self._names = names
        self._totals = Totals(names)
        self._last: tuple[weakref.ref[Config[Any]], Counter[Key]] | None = None  # what was kept of the one read last
        self._config: Config[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def reading(self, config: Config[Any]) -> Iterator[None]:
        """Read this configuration while the block lasts.

        Raises:
            RuntimeError: It reads one already.
        """
        if self._config is not None:
            raise RuntimeError("expected one configuration at a time, got a second: make a Metrics for each")
        self._resume(config)
        self._config, self._loop = config, asyncio.get_running_loop()
        try:
            yield
        finally:
            self._config = None
            counted = self._totals.counted(config.status())
            self._totals.keep(counted)
            self._last = weakref.ref(config), counted

    def closed(self, binding: BindingStatus) -> None:
        """Keep what a binding counted that is in no status any more."""
        self._totals.closed(binding)

    def _resume(self, config: Config[Any]) -> None:
        """Do not count twice what was open when the same configuration was read last, and still is."""
        if self._last is not None and self._last[0]() is config:
            self._totals.take_back(self._last[1] & self._totals.counted(config.status()))

    def describe(self) -> list[Metric]:
        """Nothing: a registry that asks would otherwise scrape when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        read = self._read()
        if read is None:
            return
        status, counts = read
        yield _gauge("generation", "The generation of the snapshot in force.", (), [((), status.generation)])
        yield _gauge(
            "selector_errors", "Selectors that raised and have an older value.", (), [((), len(status.selectors))]
        )
        yield _gauge(
            "callback_errors", "Callbacks of on_change whose last call raised.", (), [((), len(status.callbacks))]
        )
        yield from _sources(status.sources)
        yield _binding_states(status.bindings, self._names)
        yield _total(counts, "source_events", "What a source counts: reconnects, relists, ...", "source", "event")
        yield _total(counts, "binding_changes", "Things that came into force.", "binding")
        yield _total(counts, "binding_failures", "Things that could not be made.", "binding")
        yield _total(counts, "binding_forced", "Old things that were closed under their users.", "binding")
        yield _total(
            counts, "binding_abandoned", "Calls that swallowed every cancellation and were left running.", "binding"
        )

    def _read(self) -> tuple[Status, Mapping[Key, int]] | None:
        config, loop = self._config, self._loop
        if config is None or loop is None:
            return None
        if _running_loop() is loop:
            return self._totals.read(config.status)

        async def read() -> tuple[Status, Mapping[Key, int]]:
            return self._totals.read(config.status)

        return asyncio.run_coroutine_threadsafe(read(), loop).result(_PATIENCE)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _sources(sources: tuple[SourceStatus, ...]) -> Iterator[Metric]:
    states = [((s.name, state.value), float(s.state is state)) for s in sources for state in SourceState]
    yield _gauge("source_state", "1 beside the state in which a source is.", ("source", "state"), states)
    stale = [((s.name,), _stale_seconds(s)) for s in sources]
    yield _gauge("source_stale_seconds", "For how long a source has not been seen; 0 if it is.", ("source",), stale)
    held = [((s.name,), len(s.held)) for s in sources]
    yield _gauge("source_held_units", "Units of content that wait because they do not fit.", ("source",), held)
    revisions = [((s.name,), s.revision) for s in sources]
    yield _gauge("source_revision", "The store's last revision that was taken.", ("source",), revisions)
    gauges = [((s.name, gauge), value) for s in sources for gauge, value in s.gauges.items()]
    yield _gauge("source_gauge", "What a source measures: lag, ...", ("source", "gauge"), gauges)


def _stale_seconds(source: SourceStatus) -> float:
    return 0.0 if source.state in (SourceState.SYNCED, SourceState.ENDED) else source.age


def _binding_states(bindings: tuple[BindingStatus, ...], names: BindingNames) -> Metric:
    # Those of one name are counted together: a name that comes twice would spoil the whole scrape.
    states: Counter[tuple[str, ...]] = Counter()
    for binding in bindings:
        for state in BindingState:
            states[names.label(binding.name), state.value] += binding.state is state
    return _gauge("binding_state", "1 beside the state in which a binding is.", ("binding", "state"), states.items())


def _gauge(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(f"reactive_config_{name}", text, labels=labels), rows)


def _total(counts: Mapping[Key, int], name: str, text: str, *labels: str) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    rows = [(values, count) for (kind, *values), count in counts.items() if kind == name]
    return _filled(CounterMetricFamily(f"reactive_config_{name}", text, labels=labels), rows)


def _filled(family: Any, rows: Rows) -> Metric:
    for labels, value in rows:
        family.add_metric([label(text) for text in labels], value)
    metric: Metric = family
    return metric
