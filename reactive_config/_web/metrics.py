"""What Prometheus scrapes: events as they happen, and the status at the time of the scrape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reactive_config import Config
from reactive_config._extras import install
from reactive_config._web.collector import BindingNames, StatusCollector, label
from reactive_config.observability import ApplyEvent, Observer, RebuildEvent
from reactive_config.status import BindingStatus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# Seconds. An apply is pure computing, a rebuild connects to something, a change waits for both.
_APPLY = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1)
_REBUILD = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30)
_AGE = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)


class Metrics(Observer):
    """The metrics of one configuration.

        metrics = Metrics(prometheus_client.REGISTRY)
        with metrics.watching(config): ...

    Their names and labels are in docs/web.md. They may be scraped from any thread while the loop runs.

    Args:
        registry: Where they are registered; an own one unless given. One registry takes one of these.

    Attributes:
        registry: The same.

    Raises:
        ImportError: prometheus-client is not installed.
        ValueError: The registry has metrics of these names.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ImportError:
            raise ImportError(f"Metrics needs prometheus-client: {install('prometheus')}") from None
        self.registry: CollectorRegistry = registry if registry is not None else CollectorRegistry()
        self._names = BindingNames()
        self._status = StatusCollector(self._names)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"reactive_config_{name}", text, labels, buckets=buckets, registry=self.registry)

        self._rejections = Counter(
            "reactive_config_rejections",
            "Units of content that were refused, and held.",
            ["source"],
            registry=self.registry,
        )
        self._apply = histogram("apply_seconds", "Time that the loop was held to apply what sources said.", _APPLY)
        self._publish_age = histogram(
            "publish_age_seconds", "Age of a change, from when it was first heard of, when it was published.", _AGE
        )
        self._rebuild = histogram(
            "rebuild_seconds", "Time to make the next thing of a binding, or to fail at it.", _REBUILD, "binding"
        )
        self._in_force_age = histogram(
            "in_force_age_seconds", "Age of a change when a binding had put it in force.", _AGE, "binding"
        )
        self.registry.register(self._status)

    @contextmanager
    def watching(self, config: Config[Any]) -> Iterator[None]:
        """Count what happens and show the status of an open configuration, while the block lasts."""
        with self._status.reading(config), config.observe(self):
            for source in config.status().sources:
                self._rejections.labels(label(source.name))  # 0, so that the first one is seen as an increase
            yield

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The body and the content type for a scrape: Prometheus' text format, or OpenMetrics where it is accepted."""
        from prometheus_client.exposition import choose_encoder

        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # it asks for a version that is no number
            encode, content_type = choose_encoder("")
        return encode(self.registry), content_type

    @contextmanager
    def applying(self, apply: ApplyEvent) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._apply.observe(time.perf_counter() - began)
        if apply.generation:
            self._publish_age.observe(time.monotonic() - apply.heard)
        for source, _ in apply.held:
            self._rejections.labels(label(source)).inc()

    @contextmanager
    def rebuilding(self, rebuild: RebuildEvent) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            if not rebuild.superseded:
                self._rebuild.labels(self._names.label(rebuild.binding)).observe(time.perf_counter() - began)

    def in_force(self, binding: str, age: float) -> None:
        self._in_force_age.labels(self._names.label(binding)).observe(age)

    def closed(self, status: BindingStatus) -> None:
        self._status.closed(status)


def metrics_if_installed() -> Metrics | None:
    """Metrics in a registry of their own; None without prometheus-client."""
    try:
        return Metrics()
    except ImportError:
        return None
