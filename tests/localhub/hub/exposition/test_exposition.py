"""edgeHub's metrics, by name and label."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from localhub.hub.exposition import Exposition
from localhub.hub.message import QueuedMessage
from localhub.hub.metrics import Metrics
from localhub.hub.queues import Queue
from localhub.hub.servicemetrics import ServiceMetrics


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
    services = ServiceMetrics("gw1/$edgeHub", iter(range(100)).__next__)
    with services.twin_reads.timed("edge_hub", "gw1/a"):
        pass
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(Exposition(metrics, services).text().decode())
        for sample in family.samples
    }
    common = {"iothub": "hub.example", "edge_device": "gw1", "instance_number": metrics.common[2]}

    sizes = "message_size_bytes"
    plain = {"client_connect_success_total", "connected_clients", sizes, f"{sizes}_count", f"{sizes}_sum"}
    plain |= {"message_send_duration_seconds", "gettwin_duration_seconds_sum"}

    def value(name: str, **labels: str) -> float:
        telemetry = {} if name in plain else {"ms_telemetry": "True"}
        found = samples[f"edgehub_{name}", tuple(sorted({**common, **labels, **telemetry}.items()))]
        assert isinstance(found, float)
        return found

    flow = {"from": "gw1/a", "to": "gw1/b", "from_route_output": "x", "to_route_input": "in"}
    assert value("messages_received_total", id="gw1/a", route_output="x") == 2
    assert value("messages_sent_total", **flow, priority="7") == 1
    upstream = flow | {"to": "upstream", "to_route_input": "", "priority": "0"}
    assert value("messages_sent_total", **upstream) == 1
    assert value("messages_dropped_total", reason="no_route", from_route_output="x", **{"from": "gw1/a"}) == 1
    assert value("queue_length", endpoint="gw1/b/in", priority="7") == 3
    assert value("connected_clients") == 2
    assert value("client_connect_success_total", id="gw1/a") == 1
    assert value("message_size_bytes_count", id="gw1/a") == 2
    assert value("message_size_bytes_sum", id="gw1/a") == 200
    assert value("message_size_bytes", id="gw1/a", quantile="0.99") == 150
    assert value("message_send_duration_seconds", **flow, quantile="0.5") == 0.25
    assert value("gettwin_total", source="edge_hub", id="gw1/a") == 1
    assert value("gettwin_duration_seconds_sum", source="edge_hub", id="gw1/a") == 1
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


# edgehub-contract 6.6, and MsTelemetry (+) where edgeHub's own source has it.
FLOW = "from to from_route_output to_route_input"
EDGE_HUB = {
    "gettwin_total": "source id +",
    "messages_received_total": "route_output id +",
    "messages_sent_total": f"{FLOW} priority +",
    "reported_properties_total": "target id +",
    "message_size_bytes": "id quantile",
    "gettwin_duration_seconds": "source id quantile",
    "reported_properties_update_duration_seconds": "target id quantile",
    "message_send_duration_seconds": f"{FLOW} quantile",
    "message_process_duration_seconds": "from to priority quantile +",
    "direct_methods_total": "from to +",
    "direct_method_duration_seconds": "from to quantile",
    "queue_length": "endpoint priority +",
    "messages_dropped_total": "reason from from_route_output +",
    "messages_unack_total": "reason from from_route_output +",
    "offline_count_total": "id +",
    "offline_duration_seconds": "id quantile +",
    "operation_retry_total": "id operation +",
    "client_connect_failed_total": "id reason +",
    "connected_clients": "",
    "client_connect_success_total": "id",
    "client_disconnect_total": "id",
}


def test_every_figure_of_edgehub_is_there_with_its_labels() -> None:
    metrics = Metrics("hub.example", "gw1", lambda: 0.0)
    services = ServiceMetrics("gw1/$edgeHub", lambda: 0.0)
    queue = Queue(1, "gw1/b/in", 7, lambda *_, **__: [], depth=3)
    metrics.queues = lambda: [queue]
    message = QueuedMessage(1, b"", {}, {"connectionDeviceId": "gw1"}, 0.0, "gw1")
    metrics.received(message, 1)
    metrics.sent(message, 1, "gw1/b", queue, 0.0)
    metrics.dropped("no_route", message)
    metrics.retried("gw1/b", "SendMessageToModule")
    metrics.unack_total["storage_failure", "gw1", ""] += 1
    for counts in (metrics.connects, metrics.disconnects):
        counts[("gw1/a",)] += 1
    metrics.refused["gw1/a", "not_authenticated"] += 1
    for calls in (services.twin_reads, services.reports, services.methods):
        with calls.timed("a", "b"):
            pass
    services.link_is(up=True)
    services.link_is(up=False)
    found = {
        sample.name.removeprefix("edgehub_"): set(sample.labels)
        for family in text_string_to_metric_families(Exposition(metrics, services).text().decode())
        for sample in family.samples
        if not sample.name.endswith(("_sum", "_count"))
    }
    common = {"iothub", "edge_device", "instance_number"}
    assert found == {
        name: common | set(labels.replace("+", "ms_telemetry").split()) for name, labels in EDGE_HUB.items()
    }
    assert metrics.retries == {("gw1/b", " SendMessageToModule"): 1}


def test_the_time_away_is_counted_once_over_several_words() -> None:
    services = ServiceMetrics("gw1/$edgeHub", iter([90.0, 92.0, 100.0, 107.5]).__next__)
    for up in (False, True, True):
        services.link_is(up=up)
    assert services.offline.total == {}, "a hub that has not connected yet was never away"
    for up in (False, False, True, True):
        services.link_is(up=up)
    assert services.offline.total == {("gw1/$edgeHub",): 1}
    seconds = services.offline.seconds[("gw1/$edgeHub",)]
    assert (seconds.count, seconds.total) == (2, 2.0 + 7.5)
