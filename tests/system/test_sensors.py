"""From the field to an alert: real servers of every protocol, the sensors module, edgeHub, vibration."""

import json
import os
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from devices.line import free_port
from localhub.control.client import ControlError
from localhub.testing import Hub, running, write_manifest
from tests.modules.sensors.parts import Broker, CoapDevice, Opc, Process, Wire, cable

if shutil.which("mosquitto") is None:
    pytest.skip("needs mosquitto: apt-get install mosquitto", allow_module_level=True)

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-test"
NORMAL, CRITICAL = 1.0, 20.0  # mm/s; vibration's default rule calls 7.84 mm/s critical
WITHIN_S = 60.0


def point(protocol: str, address: str, **more: Any) -> dict[str, Any]:
    return {"name": f"{protocol}/velocity", "address": address, "scale": 0.001, "unit": "m/s"} | more


class Field:
    """A device of every protocol, each of which says one velocity, in mm/s or what its registers hold."""

    def __init__(self, folder: Path, ours: Path, theirs: Path) -> None:
        self.broker, self.opc, self.coap = Broker(folder), Opc(), CoapDevice()
        self.plc_port, self.http_port = free_port(), free_port()
        self.plc = Process.of("modbus", "tcp", "127.0.0.1", self.plc_port)
        self.slave = Process.of("modbus", "rtu", theirs)
        self.wire = Wire(folder / "line")
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.line = ours
        self.servers = {
            "mqtt": self.broker.process,
            "modbus": self.plc,
            "rtu": self.slave,
            "opcua": self.opc.process,
            "coap": self.coap.process,
        }

    def settings(self) -> dict[str, Any]:
        register = {"kind": "uint16", "scale": 1e-5}
        wave = {"name": "fan/bearing", "address": "fan", "format": "int16", "rate_hz": 2048, "unit": "m/s2"}
        quick = {"interval_s": 0.2, "timeout_s": 2.0, "retries": 0, "retry_s": 0.5}
        points = {
            "mqtt": [point("mqtt", "press/velocity"), wave],
            "modbus": [point("modbus", "holding/0", **register)],
            "rtu": [point("rtu", "holding/0", **register)],
            "opcua": [point("opcua", "nsu=urn:millwatch:test;s=Press.oil")],
            "serial": [point("serial", "v")],
            "coap": [point("coap", "/temp")],
            "http": [point("http", "v")],
        }
        sources = {
            "mqtt": self.broker.settings(retry_s=0.5),
            "modbus": {"type": "modbus-tcp", "host": "127.0.0.1", "port": self.plc_port} | quick,
            "rtu": {"type": "modbus-rtu", "path": str(self.line), "parity": "N"} | quick,
            "opcua": self.opc.settings(retry_s=0.5),
            "serial": {"type": "serial", "path": str(self.wire.path), "lines": {"form": "csv", "columns": ["v"]}},
            "coap": self.coap.settings(renew_s=1, timeout_s=2, retry_s=0.5),
            "http": {"type": "http", "port": self.http_port, "token_file": str(self.token)},
        }
        return {"sources": {name: each | {"points": points[name]} for name, each in sources.items()}}

    def say(self, protocol: str, velocity: float) -> None:
        match protocol:
            case "mqtt":
                self.broker.publish(("press/velocity", str(velocity)))
            case "modbus" | "rtu":
                self.servers[protocol].say(["holding", 0, [round(velocity * 100)]])
            case "opcua":
                self.opc.set("oil", velocity)
            case "serial":
                self.wire.write(f"\n{velocity}\n".encode())
            case "coap":
                self.coap.set("temp", str(velocity))
            case _:
                headers = {"Authorization": f"Bearer {TOKEN}"}
                url = f"http://127.0.0.1:{self.http_port}/readings"
                httpx.post(url, json={"v": velocity}, headers=headers).raise_for_status()

    def close(self) -> None:
        for server in self.servers.values():
            server.kill()
        self.wire.close()


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    folder = tmp_path_factory.mktemp("field")
    with cable(folder) as (ours, theirs):
        field = Field(folder, ours, theirs)
        yield field
        field.close()


@pytest.fixture(scope="module")
def hub(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("manifest")
    routes = {
        name: f'FROM /messages/modules/sensors/outputs/{name} INTO BrokeredEndpoint("/modules/vibration/inputs/{name}")'
        for name in ("readings", "waveforms")
    }
    names = ("sensors", "vibration")
    manifest = write_manifest(
        folder,
        modules={name: [sys.executable, "-m", f"modules.{name}"] for name in names},
        routes=routes,
        desired={"sensors": {"settings": field.settings()}},
    )
    tables = [
        f"[modules.{name}]\ncommand = {json.dumps([sys.executable, '-m', f'modules.{name}'])}\n"
        'env = { MILLWATCH_STATE = "${MODULE_STATE}", MILLWATCH_VIEW_PORT = "0" }\n'
        for name in names
    ]
    (folder / "localhub.toml").write_text("\n".join(tables))
    with running(manifest, environment={**os.environ, "PYTHONPATH": str(ROOT)}) as hub:
        hub.until(lambda: {each["state"] for each in sources(hub).values()} == {"ok"}, WITHIN_S, "all sources")
        yield hub


def sources(hub: Hub) -> dict[str, Any]:
    try:
        document = hub.call("sensors", "getStatus").payload
    except ControlError:
        return {}  # connected, and not yet ready for methods
    return dict(document["facts"].get("sources", {}))


def asked(hub: Hub) -> dict[str, Any]:
    """The same, as soon as it can be asked."""
    found: dict[str, Any] = {}
    hub.until(lambda: found.update(sources(hub)) or found, WITHIN_S, "the sources")
    return found


def flooded(hub: Hub) -> int:
    return int(asked(hub)["mqtt"]["dropped"].get("flood", 0))


def dead(hub: Hub) -> set[str]:
    return {name for name, each in sources(hub).items() if each["state"] == "dead"}


PROTOCOLS = ("mqtt", "modbus", "rtu", "opcua", "serial", "coap", "http")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_value_of_every_protocol_ends_in_an_alert(field: Field, hub: Hub, protocol: str) -> None:
    alerts = hub.watch("vibration/alerts")
    field.say(protocol, NORMAL)
    field.say(protocol, CRITICAL)
    hub.until(lambda: any(each.json["source"] == f"{protocol}/velocity" for each in alerts.all), WITHIN_S, "the alert")
    alert = next(each.json for each in alerts.all if each.json["source"] == f"{protocol}/velocity")
    assert (alert["severity"], alert["state"], alert["unit"]) == ("critical", "raised", "m/s")
    assert alert["value"] == pytest.approx(0.02)


def test_samples_reach_vibration_as_a_waveform(field: Field, hub: Hub) -> None:
    field.broker.publish(("fan", struct.pack("<2048h", *(n % 100 for n in range(2048)))))

    def seen() -> bool:
        return bool(hub.call("vibration", "getStatus").payload["facts"]["waveform_sensors"] == 1)

    hub.until(seen, WITHIN_S, "the waveform")


# Of every protocol both are proved in tests/modules/sensors; here, that nothing else along the line minds.
@pytest.mark.parametrize(
    ("protocol", "how"), [("mqtt", "kill"), ("modbus", "kill"), ("opcua", "hang"), ("coap", "hang")]
)
def test_a_server_that_dies_or_hangs_is_told_and_the_others_go_on(
    field: Field, hub: Hub, protocol: str, how: str
) -> None:
    server = field.servers[protocol]
    server.kill() if how == "kill" else server.hang()
    try:
        # The others too, for a moment, where the machine stood still for longer than they may be silent.
        hub.until(lambda: dead(hub) == {protocol}, WITHIN_S, "the report of this one alone")
        assert asked(hub)[protocol]["why"]
        readings = hub.watch("sensors/readings", "source = 'sensors/http'")
        field.say("http", NORMAL)
        readings.one(WITHIN_S)
    finally:
        server.start() if how == "kill" else server.go_on()
    hub.until(lambda: asked(hub)[protocol]["state"] == "ok", WITHIN_S, "the recovery")
    again = hub.watch("sensors/readings", f"source = 'sensors/{protocol}'")
    field.say(protocol, NORMAL)
    again.one(WITHIN_S)


def test_a_server_that_lies_is_told_and_nothing_of_it_is_sent(field: Field, hub: Hub) -> None:
    captured = hub.watch("sensors/readings", "source = 'sensors/mqtt'")
    before = dict(asked(hub)["mqtt"]["dropped"])
    field.broker.publish(*(("press/velocity", text) for text in ("nan", "fast", "inf", "") for _ in range(5)))

    def counted() -> bool:
        found = asked(hub)["mqtt"]["dropped"]
        return all(found.get(reason, 0) >= before.get(reason, 0) + 10 for reason in ("nan", "wrong_type"))

    hub.until(counted, WITHIN_S, "the count")
    assert captured.all == []
    field.say("mqtt", NORMAL)
    assert captured.one(WITHIN_S).json[0]["v"] == pytest.approx(0.001)


def test_a_flood_is_bounded_and_the_newest_value_arrives(field: Field, hub: Hub) -> None:
    captured = hub.watch("sensors/readings", "source = 'sensors/mqtt'")
    before = flooded(hub)
    for _ in range(5):
        field.broker.publish(*(("press/velocity", str(n / 100)) for n in range(100)))
    hub.until(lambda: flooded(hub) > before + 300, WITHIN_S, "the count")

    def values() -> list[float]:
        return [each["v"] for message in captured.all for each in message.json]

    hub.until(lambda: values()[-1:] == [pytest.approx(0.99e-3)], WITHIN_S, "the newest")
    assert len(values()) < 200


def test_edgehub_restarts_and_the_readings_go_on(hub: Hub) -> None:
    hub.restart("hub")
    hub.wait_connected()
    captured = hub.watch("sensors/readings", "source = 'sensors/modbus'")
    captured.one(WITHIN_S)


def test_a_source_is_read_when_somebody_asks(field: Field, hub: Hub) -> None:
    field.say("modbus", 3.0)
    answer = hub.call("sensors", "readNow", {"source": "modbus"})
    assert answer.status == 200
    (reading,) = answer.payload["readings"]
    assert (reading["name"], reading["unit"]) == ("modbus/velocity", "m/s")
    assert reading["value"] == pytest.approx(0.003)
    assert abs(reading["time"] - time.time()) < WITHIN_S


def test_no_secret_is_told_anywhere(hub: Hub) -> None:
    said = "\n".join(hub.logs("sensors", 10_000)) + json.dumps(hub.reported("sensors")) + json.dumps(sources(hub))
    assert TOKEN not in said
    assert "guess" not in said
