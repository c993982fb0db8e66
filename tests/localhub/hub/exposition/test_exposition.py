"""edgeHub's metrics, by name and label."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from localhub.hub.exposition import Exposition
from localhub.hub.message import QueuedMessage
from localhub.hub.metrics import Metrics
from localhub.hub.queues import Queue


def test_names_and_labels_are_those_of_edgehub() -> None:
    metrics = Metrics("hub.example", "gw1", lambda: 1002.5)
    queue = Queue(1, "gw1/b/in", 7, lambda *_, **__: [], depth=3)
    up = Queue(2, "iothub", 0, lambda *_, **__: [])
    metrics.queues = lambda: [queue, up]
    metrics.clients = lambda: 2
    system = {"connectionDeviceId": "gw1", "connectionModuleId": "a", "outputName": "x"}
    message = QueuedMessage(1, b"12345", {}, system, 1000.0, "gw1/a")
    metrics.received(message, 50)
    metrics.received(message, 150)
    metrics.sent(message, 50, "gw1/b", queue, 0.25)
    metrics.sent(message, 50, "iothub", up, 0.5)
    metrics.dropped("no_route", message)
    metrics.connects[("gw1/a",)] += 1
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(Exposition(metrics).text().decode())
        for sample in family.samples
    }
    common = {"iothub": "hub.example", "edge_device": "gw1", "instance_number": metrics.common[2]}

    def value(name: str, **labels: str) -> float:
        found = samples[f"edgehub_{name}", tuple(sorted({**common, **labels}.items()))]
        assert isinstance(found, float)
        return found

    flow = {"from": "gw1/a", "to": "gw1/b", "from_route_output": "x", "to_route_input": "in"}
    assert value("messages_received_total", id="gw1/a", route_output="x") == 2
    assert value("messages_sent_total", **flow, priority="7") == 1
    upstream = flow | {"to": "iothub", "to_route_input": "", "priority": "0"}
    assert value("messages_sent_total", **upstream) == 1
    assert value("messages_dropped_total", reason="no_route", from_route_output="x", **{"from": "gw1/a"}) == 1
    assert value("queue_length", endpoint="gw1/b/in", priority="7") == 3
    assert value("connected_clients") == 2
    assert value("client_connect_success_total", id="gw1/a") == 1
    assert value("message_size_bytes_count", id="gw1/a") == 2
    assert value("message_size_bytes_sum", id="gw1/a") == 200
    assert value("message_size_bytes", id="gw1/a", quantile="0.99") == 150
    assert value("message_send_duration_seconds", **flow, quantile="0.5") == 0.25
    process = {"from": "gw1/a", "to": "gw1/b", "priority": "7"}
    assert value("message_process_duration_seconds_sum", **process) == 2.5


def test_rates_are_those_since_the_last_tick() -> None:
    metrics = Metrics("hub.example", "gw1", lambda: 0.0)
    message = QueuedMessage(1, b"", {}, {"connectionDeviceId": "gw1"}, 0.0, "gw1")
    for _ in range(10):
        metrics.received(message, 100)
    metrics.tick(2.0)
    assert metrics.rates["gw1"] == (5.0, 0.0, 500.0, 0.0)
    metrics.tick(1.0)
    assert metrics.rates["gw1"] == (0.0, 0.0, 0.0, 0.0)
