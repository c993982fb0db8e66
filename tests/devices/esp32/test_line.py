"""The whole program on MicroPython, over TLS to localhub: what the hub has is what was measured, each reading once."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from localhub import certs
from localhub.testing import Hub, running, write_manifest
from localhub.wire import bag, writer
from localhub.wire.packets import Connect, Publish
from localhub.wire.parser import Parser
from modules.common.messages import senml
from tests.devices.esp32.conftest import BOARD, ROOT

# The unix port's words are 64 bits wide, so its objects are twice as large as on an ESP32: this is 64 KB there, of
# more than 100 that MicroPython has to itself on the smallest of them.
HEAP = "128k"
LEAVES = ("press4", "press5", "press6", "press7")
FROM_LEAF = "FROM /messages/* WHERE NOT is_defined($connectionModuleId) AND kind = 'readings' INTO "

pytestmark = pytest.mark.system


class Leaf:
    """One ESP32 of the tests: its settings, and its RTC memory, in a folder."""

    def __init__(
        self, micropython: str, environment: dict[str, str], folder: Path, ca: bytes, **settings: object
    ) -> None:
        self._start, self._environment, self.folder = [micropython, "-X", f"heapsize={HEAP}"], environment, folder
        der = x509.load_pem_x509_certificate(ca).public_bytes(Encoding.DER)
        (folder / "ca.der").write_bytes(der)
        document = {"source": "press4/motor", "every_s": 1, "samples": 200, "batch": 2, "ca": str(folder / "ca.der")}
        self._file = folder / "leaf.json"
        self._file.write_text(json.dumps(document | settings))

    def begin(self, cycles: int, **options: object) -> subprocess.Popen[str]:
        """Start it; each cycle writes a line."""
        words = [str(self._file), str(self.folder), str(cycles), *(f"{key}={value}" for key, value in options.items())]
        return subprocess.Popen(
            [*self._start, str(BOARD / "wake.py"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=self._environment,
        )

    def run(self, cycles: int, **options: object) -> tuple[list[dict[str, Any]], str]:
        """The facts after each cycle, and what it said besides."""
        with self.begin(cycles, **options) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        lines = said.splitlines()
        facts = [json.loads(line) for line in lines if line.startswith("{")]
        return facts, "\n".join(line for line in lines if not line.startswith("{"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, micropython: str) -> Iterator[Hub]:
    """vibration behind the leaf route of the deployment, and a copy of what came, in the cloud."""
    assert micropython
    folder = tmp_path_factory.mktemp("manifest")
    vibration = FROM_LEAF + 'BrokeredEndpoint("/modules/vibration/inputs/readings")'
    manifest = write_manifest(
        folder,
        modules={"vibration": ["${PYTHON}", "-m", "modules.vibration"]},
        routes={"leafReadings": vibration, "up": FROM_LEAF + "$upstream"},
    )
    config = folder / "localhub.toml"
    tables = [
        '[modules.vibration]\ncommand = ["${PYTHON}", "-m", "modules.vibration"]',
        f'folder = "{ROOT}"',
        'env = { MILLWATCH_STATE = "${MODULE_STATE}", MILLWATCH_VIEW_PORT = "0" }',
    ]
    tables += [f'[devices.{name}]\ncommand = ["true"]\nstart = "manual"\n' for name in LEAVES]
    config.write_text("\n".join(tables))
    with running(manifest) as hub:
        yield hub


@pytest.fixture(scope="module")
def ntp() -> Iterator[int]:
    """The port of a server that tells the time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    _tell_time(server, ["time"])

        serving = threading.Thread(target=serve)
        serving.start()
        yield server.getsockname()[1]
        ended.set()
        serving.join()


@pytest.fixture
def make(
    hub: Hub, micropython: str, board_environment: dict[str, str], tmp_path: Path, ntp: int
) -> Iterator[Callable[..., Leaf]]:
    """Makes a leaf that the hub knows: `make("press4", batch=1)`."""
    settings = {"ntp": "127.0.0.1", "ntp_port": ntp}
    yield lambda name, **more: _leaf(hub, micropython, board_environment, tmp_path, name, settings | more)
    hub.recover()


def _leaf(
    hub: Hub, micropython: str, environment: dict[str, str], folder: Path, name: str, settings: dict[str, Any]
) -> Leaf:
    told = hub.environment(name)
    ca = settings.pop("ca", None) or Path(told["LEAF_CA_FILE"]).read_bytes()
    connection = settings.pop("connection", told["LEAF_CONNECTION_STRING"])
    return Leaf(micropython, environment, folder, ca, connection=connection, **settings)


def arrived(hub: Hub, device: str) -> list[Any]:
    """What the cloud has of a device, repeats too."""
    return [each for each in hub.arrivals() if each.source == device]


def test_readings_reach_vibration_through_the_leaf_route(hub: Hub, make: Callable[..., Leaf]) -> None:
    leaf = make("press4", batch=3)
    facts, said = leaf.run(9)
    assert said == ""
    assert facts[-1] == {"seq": 3, "dropped": 0, "failures": 0, "wait_ms": 0}
    hub.until(lambda: len(arrived(hub, "press4")) == 3)
    for number, message in enumerate(arrived(hub, "press4")):
        assert message.properties["seq"] == str(number)
        assert message.system["contentType"] == "application/senml+json"
        found = senml.decode(message.body)
        assert found.names[:3] == ["press4/motor/velocity", "press4/motor/acceleration", "press4/motor/peak"]
        assert len(found) == 9 and not found.rejected
        assert abs(found.times[0] - time.time()) < 60
        # A sine of 3 m/s2 at 50 Hz, through an integrator that forgets below 10 Hz.
        assert found.values[0] == pytest.approx(3 / 2**0.5 / (2 * 3.14159 * (50**2 + 10**2) ** 0.5), rel=0.05)

    def judged() -> bool:
        facts = hub.call("vibration", "getStatus").payload["facts"]
        return bool(facts["sensors"] == 3 and facts["messages_lost"] == 0 and facts["sensor_clocks_wrong"] == 0)

    hub.until(judged, what="vibration has the leaf's three sensors")


def test_nothing_is_lost_or_new_when_the_hub_is_killed_in_the_middle_of_a_batch(
    hub: Hub, make: Callable[..., Leaf]
) -> None:
    leaf = make("press5", batch=2, timeout_s=2)
    hub.delay_pubacks(0.4)  # each batch is on its way for a while, so the kill finds one there
    came = hub.watch("*/*", where="$connectionDeviceId = 'press5'")
    with leaf.begin(60, faster=10) as process:
        came.wait(2, within_s=60)
        hub.restart("hub", kill=True)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "tried again in" in said  # the leaf saw it
    for _ in range(10):  # until the hub is back and the leaf has waited long enough
        facts, _ = leaf.run(20)
        if not facts[-1]["failures"]:
            break
    count = facts[-1]["seq"]
    assert facts[-1] == {"seq": count, "dropped": 0, "failures": 0, "wait_ms": 0}
    hub.until(lambda: len({each.system["messageId"] for each in arrived(hub, "press5")}) == count, within_s=60)
    messages = arrived(hub, "press5")
    once = {each.system["messageId"]: each for each in messages}
    assert sorted(int(each.properties["seq"]) for each in once.values()) == list(range(count))
    assert len(messages) > len(once)  # the one in the middle came twice, with one id
    # Three values of each reading bear its time, and no reading is in two batches.
    assert len({moment for each in once.values() for moment in senml.decode(each.body).times}) == 2 * count
    assert hub.call("vibration", "getStatus").payload["facts"]["messages_lost"] == 0


def test_it_goes_on_where_it_was_after_each_deep_sleep(hub: Hub, make: Callable[..., Leaf]) -> None:
    leaf = make("press6", batch=3)
    for wake in range(1, 8):
        facts, said = leaf.run(1)  # a process a wake: only the RTC memory stays
        assert said == ""
        assert facts[0]["seq"] == wake // 3
    hub.until(lambda: len(arrived(hub, "press6")) == 2)
    assert [each.properties["seq"] for each in arrived(hub, "press6")] == ["0", "1"]


def test_a_batch_that_was_not_acknowledged_is_sent_again_with_its_id_after_a_sleep(
    hub: Hub, make: Callable[..., Leaf]
) -> None:
    leaf = make("press7", batch=1, timeout_s=1)
    hub.delay_pubacks(3)
    facts, said = leaf.run(1)
    assert facts[0]["failures"] == 1 and "ETIMEDOUT" in said
    hub.delay_pubacks(0)
    facts, _ = leaf.run(12)
    assert facts[-1]["failures"] == 0
    hub.until(lambda: len({each.system["messageId"] for each in arrived(hub, "press7")}) == 13)
    ids = [each.system["messageId"] for each in arrived(hub, "press7")]
    assert ids.count(ids[0]) == 2


def test_a_wrong_key_is_refused_and_said(make: Callable[..., Leaf], hub: Hub) -> None:
    right = hub.environment("press4")["LEAF_CONNECTION_STRING"]
    key = right.split("SharedAccessKey=")[1].split(";")[0]
    leaf = make("press4", batch=1, connection=right.replace(key, "AAAA" + key[4:]))
    facts, said = leaf.run(2)
    assert "refused the connection (code 5): not authorised: is the key this device's" in said
    assert facts[-1]["failures"] == 1 and facts[-1]["seq"] == 2 and facts[-1]["wait_ms"] > 0


def test_a_gateway_that_another_ca_signed_for_is_refused(make: Callable[..., Leaf]) -> None:
    leaf = make("press4", batch=1, ca=certs.Authority.create(datetime.now(UTC)).pem())
    facts, said = leaf.run(1)
    assert "certificate is not to be trusted" in said
    assert facts[0]["failures"] == 1


def test_a_gateway_of_another_name_is_refused(make: Callable[..., Leaf], hub: Hub) -> None:
    right = hub.environment("press4")["LEAF_CONNECTION_STRING"]
    address = right.split("GatewayHostName=")[1].split(";")[0]
    first, rest = address.rsplit(".", 1)
    other = f"{first}.{int(rest) + 1}"
    leaf = make("press4", batch=1, connection=right.replace(address, other))
    with socket.create_server((other, 0)) as listener:
        forwarding = threading.Thread(target=_forward, args=(listener, (address, 8883)), daemon=True)
        forwarding.start()
        document = json.loads((leaf.folder / "leaf.json").read_text())
        (leaf.folder / "leaf.json").write_text(json.dumps(document | {"port": listener.getsockname()[1]}))
        facts, said = leaf.run(1)
        forwarding.join()
    assert "certificate is not to be trusted" in said
    assert facts[0]["failures"] == 1


def _forward(listener: socket.socket, target: tuple[str, int]) -> None:
    """One connection, byte by byte to another."""
    near, _ = listener.accept()
    with near, socket.create_connection(target) as far:

        def copy(source: socket.socket, sink: socket.socket) -> None:
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                return  # one of the two hung up, which ends it

        back = threading.Thread(target=copy, args=(far, near))
        back.start()
        copy(near, far)
        back.join()


def test_a_clock_that_was_never_set_asks_ntp_first_and_sends_nothing_before(
    make: Callable[..., Leaf], hub: Hub
) -> None:
    before = len(arrived(hub, "press4"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        leaf = make("press4", batch=1, ntp="127.0.0.1", ntp_port=server.getsockname()[1])
        answering = threading.Thread(target=_tell_time, args=(server, [b"", None, "time"]), daemon=True)
        answering.start()
        facts, said = leaf.run(3, unset=1, faster=1000)
        answering.join()
    assert said.count("no time, tried again in") == 2
    assert [each["seq"] for each in facts] == [0, 0, 1]
    hub.until(lambda: len(arrived(hub, "press4")) == before + 1)
    assert abs(senml.decode(arrived(hub, "press4")[-1].body).times[0] - time.time()) < 60


def _tell_time(server: socket.socket, answers: list[Any]) -> None:
    """Answer questions: with bytes as they are, with one that was not asked for (None), or with a time."""
    for each in answers:
        asked, address = server.recvfrom(100)
        if isinstance(each, bytes):
            server.sendto(each, address)
            continue
        moment = struct.pack(">II", int(time.time()) + 2_208_988_800, 0)
        repeats = b"12345678" if each is None else asked[40:48]
        server.sendto(b"\x24\x02\x00\x00" + bytes(20) + repeats + bytes(8) + moment, address)


def test_a_sensor_that_fails_costs_its_reading_and_is_said(make: Callable[..., Leaf]) -> None:
    leaf = make("press4", batch=1)
    facts, said = leaf.run(2, fault="missing")
    assert said.count("no reading:") == 2
    assert facts[-1]["seq"] == 0


GARBAGE = [
    b"",
    b"\x15\x03\x01",
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    b"\x20\xff\xff\xff\x7f" + bytes(2000),  # a packet of 256 MB
    b"\x20\xff\xff\xff\xff\xff",
    b"\x20\x02\x00\x00" + b"\x40\x02\x00\x63" * 20,  # accepted, then acknowledgements of what was not sent
    b"\x20\x02\x00\x00" + b"\x40\x02\x00",  # half an acknowledgement
    b"\x20\x02\x00\x00" + b"\x30\x0a\x00\x01xGARBAGE",  # a message that nobody asked for
    random.Random(7).randbytes(3000),
]


@pytest.fixture
def broker(make: Callable[..., Leaf], hub: Hub, tmp_path: Path) -> Iterator[Callable[..., tuple[Leaf, list[Publish]]]]:
    """A leaf, and a broker of its own that talks garbage first; what it got is there when the leaf has ended."""
    authority = certs.Authority.create(datetime.now(UTC))
    chain, key = authority.server(("127.0.0.1",), datetime.now(UTC))
    (tmp_path / "chain.pem").write_bytes(chain + key)
    right = hub.environment("press4")["LEAF_CONNECTION_STRING"]
    gateway = right.split("GatewayHostName=")[1].split(";")[0]
    connection = right.replace(f"GatewayHostName={gateway}", "GatewayHostName=127.0.0.1")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(30)  # a leaf that does not come ends the test

        def begin(garbage: list[bytes], **settings: object) -> tuple[Leaf, list[Publish]]:
            got: list[Publish] = []
            talking = threading.Thread(target=_talk, args=(listener, tmp_path / "chain.pem", garbage, got))
            talking.start()
            stack.callback(talking.join)
            port = listener.getsockname()[1]
            return make("press4", batch=1, ca=authority.pem(), connection=connection, port=port, **settings), got

        yield begin


def test_a_broker_that_talks_garbage_costs_nothing(broker: Callable[..., tuple[Leaf, list[Publish]]]) -> None:
    leaf, got = broker(GARBAGE, timeout_s=1, every_s=600)
    facts, said = leaf.run(30, faster=1_000_000)
    lines = said.splitlines()
    assert len(lines) == len(GARBAGE), said
    assert all("not sent, tried again in" in line for line in lines)
    assert facts[-1] == {"seq": 30, "dropped": 0, "failures": 0, "wait_ms": 0}
    assert [int(properties(packet)["seq"]) for packet in got] == list(range(30))
    assert [packet.dup for packet in got[:3]] == [True, False, False]


def test_the_heap_stays_as_it_was_over_a_thousand_batches(broker: Callable[..., tuple[Leaf, list[Publish]]]) -> None:
    leaf, got = broker([])
    facts, said = leaf.run(1000, report=100, faster=1_000_000)
    assert said == ""
    free = [each["free"] for each in facts]
    assert min(free[1:]) >= free[0] - 256, free
    assert free[0] > 32_000, free
    assert [int(properties(packet)["seq"]) for packet in got] == list(range(1000))


def properties(packet: Publish) -> dict[str, str]:
    """What stands in the topic."""
    return bag.decode(packet.topic.rpartition("/")[2]).properties


def _talk(listener: socket.socket, chain: Path, garbage: list[bytes], got: list[Publish]) -> None:
    """A connection for each garbage, then one as a hub would."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    for each in garbage:
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True) as link, contextlib.suppress(OSError):
            link.recv(4096)
            link.sendall(each)
            link.recv(4096)
    raw, _ = listener.accept()
    parser = Parser()
    with context.wrap_socket(raw, server_side=True) as link:
        while data := link.recv(65536):
            parser.feed(data)
            while (packet := parser.next()) is not None:
                if isinstance(packet, Connect):
                    link.sendall(writer.connack(0))
                elif isinstance(packet, Publish):
                    got.append(packet)
                    link.sendall(writer.puback(packet.packet_id))
