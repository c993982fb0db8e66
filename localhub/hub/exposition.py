"""The hub's figures as Prometheus text, under edgeHub's own names and labels (edgehub-contract 6.6)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from localhub.hub.metrics import Labels, Metrics, Summary
from localhub.hub.servicemetrics import ServiceMetrics

_COMMON: Final = ("iothub", "edge_device", "instance_number")
# Most figures say that Azure's own telemetry may take them (MetricsConstants.MsTelemetry); these do not.
_PRIVATE: Final = frozenset(
    {
        "client_connect_success",
        "client_disconnect",
        "message_size_bytes",
        "message_send_duration_seconds",
        "gettwin_duration_seconds",
        "reported_properties_update_duration_seconds",
        "direct_method_duration_seconds",
    }
)
_TELEMETRY: Final = {"ms_telemetry": "True"}


class Exposition(Collector):
    """What a scrape gets."""

    def __init__(self, metrics: Metrics, services: ServiceMetrics) -> None:
        self._metrics = metrics
        self._services = services
        self._common = metrics.common
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """The body of /metrics."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are only known when there is something to count."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All figures in Prometheus' form."""
        metrics = self._metrics
        yield self._counter(
            "messages_received", "Messages from clients", ("route_output", "id"), metrics.received_total
        )
        yield self._counter(
            "messages_sent",
            "Messages to modules and upstream",
            ("from", "to", "from_route_output", "to_route_input", "priority"),
            metrics.sent_total,
        )
        yield self._counter(
            "messages_dropped", "Messages dropped", ("reason", "from", "from_route_output"), metrics.dropped_total
        )
        yield self._counter(
            "messages_unack", "Messages not acknowledged", ("reason", "from", "from_route_output"), metrics.unack_total
        )
        yield self._counter("client_connect_success", "Clients accepted", ("id",), metrics.connects)
        yield self._counter("client_connect_failed", "Clients refused", ("id", "reason"), metrics.refused)
        yield self._counter("client_disconnect", "Clients gone", ("id",), metrics.disconnects)
        yield self._summary("message_size_bytes", "Size of messages", ("id",), metrics.sizes)
        yield self._summary(
            "message_send_duration_seconds",
            "Time to send a message and have it acknowledged",
            ("from", "to", "from_route_output", "to_route_input"),
            metrics.send_seconds,
        )
        yield self._summary(
            "message_process_duration_seconds",
            "Time from a message's arrival to its delivery",
            ("from", "to", "priority"),
            metrics.process_seconds,
        )
        yield self._counter("operation_retry", "Messages sent again", ("id", "operation"), metrics.retries)
        yield from self._of_services()
        lengths = GaugeMetricFamily(
            "edgehub_queue_length", "Messages waiting", labels=(*_COMMON, "endpoint", "priority", *_TELEMETRY)
        )
        for queue in metrics.queues():
            lengths.add_metric((*self._common, queue.endpoint, str(queue.priority), *_TELEMETRY.values()), queue.depth)
        yield lengths
        connected = GaugeMetricFamily("edgehub_connected_clients", "Clients connected", labels=_COMMON)
        connected.add_metric(self._common, metrics.clients())
        yield connected

    def _of_services(self) -> Iterator[Metric]:
        services = self._services
        yield self._counter("gettwin", "Twins asked for", ("source", "id"), services.twin_reads.total)
        yield self._summary(
            "gettwin_duration_seconds", "Time to answer with a twin", ("source", "id"), services.twin_reads.seconds
        )
        yield self._counter("reported_properties", "Reported patches", ("target", "id"), services.reports.total)
        yield self._summary(
            "reported_properties_update_duration_seconds",
            "Time to take a reported patch",
            ("target", "id"),
            services.reports.seconds,
        )
        yield self._counter("direct_methods", "Direct methods invoked", ("from", "to"), services.methods.total)
        yield self._summary(
            "direct_method_duration_seconds", "Time of a direct method", ("from", "to"), services.methods.seconds
        )
        yield self._counter("offline_count", "Times the cloud was away", ("id",), services.offline.total)
        yield self._summary(
            "offline_duration_seconds", "How long the cloud was away", ("id",), services.offline.seconds
        )

    def _labels(self, name: str, labels: Labels, values: Labels) -> dict[str, str]:
        named = dict(zip((*_COMMON, *labels), (*self._common, *values), strict=True))
        return named if name in _PRIVATE else named | _TELEMETRY

    def _counter(self, name: str, text: str, labels: Labels, counts: Mapping[Labels, int]) -> Metric:
        full = f"edgehub_{name}"
        family = Metric(full, text, "counter")
        for values, count in counts.items():
            family.add_sample(f"{full}_total", self._labels(name, labels, values), count)
        return family

    def _summary(self, name: str, text: str, labels: Labels, summaries: Mapping[Labels, Summary]) -> Metric:
        full = f"edgehub_{name}"
        family = Metric(full, text, "summary")
        for values, summary in summaries.items():
            named = self._labels(name, labels, values)
            for quantile, value in summary.quantiles():
                family.add_sample(full, named | {"quantile": str(quantile)}, value)
            family.add_sample(f"{full}_count", named, summary.count)
            family.add_sample(f"{full}_sum", named, summary.total)
        return family
