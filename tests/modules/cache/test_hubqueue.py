import asyncio
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from modules.cache.flight import Reading
from modules.cache.hubqueue import HubQueue, HubSilentError, parse

# As docs/BuiltInMetrics.md of edgeHub has it, and with what else stands there.
TEXT = b"""\
# HELP edgehub_queue_length Number of messages pending to be processed for the endpoint
# TYPE edgehub_queue_length gauge
edgehub_queue_length{iothub="h",instance_number="7f3a",endpoint="iothub",priority="0",ms_telemetry="True"} 3
edgehub_queue_length{iothub="h",instance_number="7f3a",endpoint="iothub",priority="2",ms_telemetry="True"} -4
edgehub_queue_length{iothub="h",instance_number="7f3a",endpoint="gw1/vibration/readings",priority="1"} 99
edgehub_messages_received_total{instance_number="7f3a",route_output="a \\"b\\" {c}",id="gw1/cache"} 10
edgehub_messages_received_total{instance_number="7f3a",route_output="b",id="gw1/vibration"} 5.0
edgehub_message_size_bytes{id="gw1/cache",quantile="0.5"} NaN
"""


def test_reads_the_cloud_s_queues_by_priority() -> None:
    lengths = parse(TEXT)
    assert lengths.reading(0) == Reading(3, "7f3a/")
    assert lengths.reading(1).length == 0, "a queue that is not mentioned is empty"
    assert lengths.reading(2).length == 0, "edgeHub's gauge is below nothing after a restart"
    assert lengths.received == 15


def test_another_start_is_another_instance() -> None:
    assert parse(TEXT + b"process_start_time_seconds 17.5\n").instance == "7f3a/17.5"


@pytest.mark.parametrize(
    ("said", "away"),
    [
        ("", None),
        ("offline_duration_seconds_count 1", False),  # connected for the first time
        ("offline_duration_seconds_count 1\nedgehub_offline_count_total 1", True),
        ("offline_duration_seconds_count 3\nedgehub_offline_count_total 2", False),
        ("offline_duration_seconds 0.5", None),
    ],
)
def test_edgehub_knows_whether_it_reaches_the_cloud(said: str, away: bool | None) -> None:
    lines = [f"edgehub_{line}" for line in said.replace("edgehub_", "").splitlines()]
    labelled = "".join(line.replace(" ", '{id="gw1/$edgeHub",ms_telemetry="True"} ') + "\n" for line in lines)
    assert parse(TEXT + labelled.encode()).away is away


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = TEXT
    connections = 0

    def setup(self) -> None:
        type(self).connections += 1
        super().setup()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Page.body, Page.connections = TEXT, 0
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_connection_serves_many_looks(url: str) -> None:
    async def play() -> None:
        hub = HubQueue(url)
        for _ in range(3):
            assert (await hub.read()).reading(0).length == 3
        hub.close()

    asyncio.run(play())
    assert Page.connections == 1


def test_a_counter_that_falls_is_another_instance(url: str) -> None:
    async def play() -> tuple[str, str, str]:
        hub = HubQueue(url)
        first = (await hub.read()).instance
        same = (await hub.read()).instance
        Page.body = TEXT.replace(b" 10\n", b" 1\n")
        other = (await hub.read()).instance
        hub.close()
        return first, same, other

    first, same, other = asyncio.run(play())
    assert first == same != other


def test_nobody_there_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hub = HubQueue(f"http://127.0.0.1:{taken.getsockname()[1]}/metrics")
        with pytest.raises(HubSilentError):
            asyncio.run(hub.read())
