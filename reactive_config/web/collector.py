"""The status of a configuration as Prometheus' metric families, read when it is scraped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reactive_config import BindingState, BindingStatus, Config, SourceStatus, State, Status

if TYPE_CHECKING:
    from prometheus_client import Metric

_PATIENCE = 5.0
"""Seconds that a scrape from another thread waits for the loop."""

Rows = Iterable[tuple[tuple[str, ...], float]]
"""The values of the labels, and the value."""


class StatusCollector:
    """A collector for a registry; has nothing to say while no configuration is open."""

    def __init__(self) -> None:
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
        self._config, self._loop = config, asyncio.get_running_loop()
        try:
            yield
        finally:
            self._config = None

    def describe(self) -> list[Metric]:
        """Nothing: a registry that asks would otherwise scrape when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        if status is None:
            return
        yield _gauge("generation", "The generation of the snapshot in force.", (), [((), status.generation)])
        yield _gauge(
            "selector_errors", "Selectors that raised and have an older value.", (), [((), len(status.selectors))]
        )
        yield from _sources(status.sources)
        yield from _bindings(status.bindings)

    def _status(self) -> Status | None:
        config, loop = self._config, self._loop
        if config is None or loop is None:
            return None
        if _running_loop() is loop:
            return config.status()

        async def ask() -> Status:
            return config.status()

        return asyncio.run_coroutine_threadsafe(ask(), loop).result(_PATIENCE)


def label(text: str) -> str:
    """A label's value; the name of a file may hold what UTF-8 cannot."""
    return text.encode(errors="backslashreplace").decode()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _sources(sources: tuple[SourceStatus, ...]) -> Iterator[Metric]:
    now = datetime.now(UTC)
    states = [((s.name, state.value), float(s.state is state)) for s in sources for state in State]
    yield _gauge("source_state", "1 beside the state in which a source is.", ("source", "state"), states)
    stale = [((s.name,), _stale_seconds(s, now)) for s in sources]
    yield _gauge("source_stale_seconds", "For how long a source has not been seen; 0 if it is.", ("source",), stale)
    held = [((s.name,), len(s.held)) for s in sources]
    yield _gauge("source_held_units", "Units of content that wait because they do not fit.", ("source",), held)
    revisions = [((s.name,), s.revision) for s in sources]
    yield _gauge("source_revision", "The store's last revision that was taken.", ("source",), revisions)
    events = [((s.name, event), count) for s in sources for event, count in s.counters.items()]
    yield _counter("source_events", "What a source counts: reconnects, relists, ...", ("source", "event"), events)


def _stale_seconds(source: SourceStatus, now: datetime) -> float:
    seen = source.state in (State.SYNCED, State.ENDED)
    return 0.0 if seen else max(0.0, (now - source.since).total_seconds())


def _bindings(bindings: tuple[BindingStatus, ...]) -> Iterator[Metric]:
    # Those of one name are counted together: a name that comes twice would spoil the whole scrape.
    states: Counter[tuple[str, ...]] = Counter()
    changes, failures, forced = (Counter[tuple[str, ...]]() for _ in range(3))
    for binding in bindings:
        for state in BindingState:
            states[binding.name, state.value] += binding.state is state
        changes[binding.name,] += binding.changes
        failures[binding.name,] += binding.failures
        forced[binding.name,] += binding.forced
    yield _gauge("binding_state", "1 beside the state in which a binding is.", ("binding", "state"), states.items())
    yield _counter("binding_changes", "Things that came into force.", ("binding",), changes.items())
    yield _counter("binding_failures", "Things that could not be made.", ("binding",), failures.items())
    yield _counter("binding_forced", "Old things that were closed under their users.", ("binding",), forced.items())


def _gauge(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(f"reactive_config_{name}", text, labels=labels), rows)


def _counter(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    return _filled(CounterMetricFamily(f"reactive_config_{name}", text, labels=labels), rows)


def _filled(family: Any, rows: Rows) -> Metric:
    for labels, value in rows:
        family.add_metric([label(text) for text in labels], value)
    metric: Metric = family
    return metric
