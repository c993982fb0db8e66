"""Prometheus metrics of one module, with the labels that edgeHub and edgeAgent put on theirs."""

import os
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The module's registry and what every module counts. Names end in _total, _seconds or _bytes."""

    def __init__(self, module: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._labelled = _Labelled(self.registry, edge_labels(module))
        self.received = self.counter("millwatch_messages_received_total", "Messages delivered by edgeHub", "input")
        self.received_bytes = self.counter("millwatch_received_bytes_total", "Payload and properties in", "input")
        self.sent = self.counter("millwatch_messages_sent_total", "Messages acknowledged by edgeHub", "output")
        self.sent_bytes = self.counter("millwatch_sent_bytes_total", "Payload and properties out", "output")
        self.rejected = self.counter("millwatch_rejected_total", "Inputs that can never be handled", "input", "reason")
        self.dead = self.counter("millwatch_dead_letters_total", "Inputs set aside after repeated failures", "input")
        self.retried = self.counter("millwatch_handler_retries_total", "Failed attempts at an input", "input")
        self.redelivered = self.counter(
            "millwatch_acks_discarded_total", "Acks of a lost connection, never sent", "input"
        )
        self.dropped = self.counter("millwatch_outbox_dropped_total", "Offered messages dropped", "output", "kind")
        self.refused = self.counter("millwatch_reports_refused_total", "Reported properties that no twin takes")
        self.handling = Histogram(
            "millwatch_handling_seconds",
            "Time to handle one input message",
            ["input"],
            registry=self.registry,
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
        )
        self.connected = self.gauge("millwatch_connected", "1 while connected to edgeHub")
        self.waiting = self.gauge("millwatch_outbox_length", "Offered messages that wait")

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter of this module's registry."""
        return Counter(name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge of this module's registry."""
        return Gauge(name, text, labels, registry=self.registry)

    def histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
        """A histogram of this module's registry."""
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

    def render(self) -> bytes:
        """Prometheus' text form of everything."""
        return generate_latest(self._labelled)

    def total(self, counter: Counter) -> float:
        """A counter summed over its labels."""
        return sum(
            sample.value for metric in counter.collect() for sample in metric.samples if sample.name.endswith("_total")
        )


def edge_labels(module: str) -> dict[str, str]:
    """The labels on every series: iothub, edge_device and module_name, as the metrics-collector module expects."""
    return {
        "iothub": os.environ.get("IOTEDGE_IOTHUBHOSTNAME", ""),
        "edge_device": os.environ.get("IOTEDGE_DEVICEID", ""),
        "module_name": module,
    }


class _Labelled(CollectorRegistry):
    """The same series with fixed labels added, so that no caller has to repeat them."""

    def __init__(self, inner: CollectorRegistry, labels: Mapping[str, str]) -> None:
        super().__init__()
        self._inner = inner
        self._labels = dict(labels)

    def collect(self) -> Iterable[Metric]:
        for metric in self._inner.collect():
            labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            labelled.samples = [
                Sample(sample.name, self._labels | sample.labels, sample.value, sample.timestamp, sample.exemplar)
                for sample in metric.samples
            ]
            yield labelled
