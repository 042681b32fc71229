"""What the service measures, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from reactive_config._releases.key_store import StoreError
from reactive_config._releases.releases import Releases

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ServiceMetrics:
    """Counters of requests, and gauges of the store, in a registry of their own."""

    def __init__(self, releases: Releases) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_StoreGauges(releases))
        self._labelled: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        labels = ("method", "route")
        self._requests = Counter(
            "reactive_config_service_requests", "Requests answered", (*labels, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "reactive_config_service_request_seconds",
            "Seconds until a request was answered",
            labels,
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        kind = (method, route, status)
        if kind not in self._labelled:
            labelled = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._labelled[kind] = labelled
        count, times = self._labelled[kind]
        count.inc()
        times.observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """All of it, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _StoreGauges:
    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    def collect(self) -> Iterator[Metric]:
        replica = self._releases.replica
        yield GaugeMetricFamily("reactive_config_service_revision", "Newest known revision", value=replica.revision)
        yield GaugeMetricFamily("reactive_config_service_store_up", "Whether the store answers", value=not replica.away)
        most = self._releases.retention.shared_by(replica.count).size
        yield GaugeMetricFamily(
            "reactive_config_service_history_limit_bytes",
            "Bytes that the history of an environment may have",
            value=most,
        )
        labels = ("namespace", "environment")
        keys = GaugeMetricFamily("reactive_config_service_keys", "Keys of an environment", labels=labels)
        unreadable = GaugeMetricFamily(
            "reactive_config_service_unreadable_keys",
            "Keys of an environment that are malformed, or collide with another one",
            labels=labels,
        )
        number = GaugeMetricFamily("reactive_config_service_release", "Number of the last release", labels=labels)
        size = GaugeMetricFamily("reactive_config_service_history_bytes", "Bytes of the history", labels=labels)
        for name in replica.environments():
            state = replica.state(name)
            named = (name.namespace, name.environment)
            keys.add_metric(named, state.contents.count)
            unreadable.add_metric(named, sum(len(top.unreadable) for top in state.contents.names.values()))
            try:
                head = state.released
            except StoreError:
                continue  # a head that cannot be read is told to whoever changes the environment
            if head is not None:
                number.add_metric(named, head.number)
                size.add_metric(named, head.size)
        yield from (keys, unreadable, number, size)
