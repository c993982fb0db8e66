"""From the field to the field: a PLC's register, the sensors module, vibration, an alert, alarms, the PLC's coil."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from devices.line import free_port
from localhub.control.client import ControlError
from localhub.testing import Hub, running, write_manifest
from tests.modules.alarms.parts import Hook, Mails
from tests.modules.sensors.parts import Broker, Process

if shutil.which("mosquitto") is None:
    pytest.skip("needs mosquitto: apt-get install mosquitto", allow_module_level=True)

ROOT = Path(__file__).parents[2]
NORMAL, CRITICAL = 100, 2000  # hundredths of mm/s; vibration's default rule calls 7.84 mm/s critical
COIL, LATCHED, BEATS = 3, 4, 40
WITHIN_S = 60.0
SECRET = "a secret of this test alone"


class Field:
    """A PLC, a webhook, a mail server and a broker."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.plc = Process.of("modbus", "tcp", "127.0.0.1", self.port)
        self.hook, self.mails, self.broker = Hook(folder), Mails(folder), Broker(folder)
        self.secret = folder / "sesame"
        self.secret.write_text(SECRET)

    def outputs(self) -> dict[str, Any]:
        plc = {"type": "modbus-tcp", "host": "127.0.0.1", "port": self.port, "retries": 0, "look_s": 0.5}
        quick = {"patience_s": 2, "retry_s": 0.5}
        return {
            "coil": plc | {"address": f"coil/{COIL}"},
            "latched": plc | {"address": f"coil/{LATCHED}"},
            "beats": plc | {"address": f"holding/{BEATS}"},
            "hook": self.hook.settings(secret_file=str(self.secret), **quick),
            "mail": self.mails.settings(**quick),
            "topic": self.broker.settings() | {"type": "mqtt", "topic": "hall/alarm"} | quick,
        }

    def settings(self) -> dict[str, Any]:
        return {
            "rules": {
                "all": {"severity": "critical", "latch": False, "outputs": ["coil", "hook", "mail", "topic"]},
                "kept": {"severity": "critical", "outputs": ["latched"]},
            },
            "outputs": self.outputs(),
            "watchdogs": {"beats": {"mode": "count", "every_s": 0.2}},
        }

    def point(self) -> dict[str, Any]:
        points = [{"name": "press/velocity", "address": "holding/0", "kind": "uint16", "scale": 1e-5, "unit": "m/s"}]
        line = {"type": "modbus-tcp", "host": "127.0.0.1", "port": self.port, "interval_s": 0.1, "retry_s": 0.5}
        return {"sources": {"plc": line | {"points": points}}, "batch_s": 0.01}

    def say(self, velocity: int) -> None:
        self.plc.say(["holding", 0, [velocity]])

    def coil(self, number: int = COIL) -> bool:
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return bool(client.read_coils(number, count=1, device_id=1).bits[0])

    def beats(self) -> int:
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return int(client.read_holding_registers(BEATS, count=1, device_id=1).registers[0])

    def close(self) -> None:
        for each in (self.plc, self.hook.process, self.mails.process, self.broker.process):
            each.kill()


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("field"))
    yield field
    field.close()


@pytest.fixture(scope="module")
def hub(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("manifest")
    names = ("sensors", "vibration", "alarms")
    into = 'INTO BrokeredEndpoint("/modules/{}/inputs/{}")'
    manifest = write_manifest(
        folder,
        modules={name: [sys.executable, "-m", f"modules.{name}"] for name in names},
        routes={
            "readings": f"FROM /messages/modules/sensors/outputs/readings {into.format('vibration', 'readings')}",
            "alerts": f"FROM /messages/modules/vibration/outputs/alerts {into.format('alarms', 'alerts')}",
        },
        desired={"sensors": {"settings": field.point()}, "alarms": {"settings": field.settings()}},
    )
    tables = [
        f"[modules.{name}]\ncommand = {json.dumps([sys.executable, '-m', f'modules.{name}'])}\n"
        'env = { MILLWATCH_STATE = "${MODULE_STATE}", MILLWATCH_VIEW_PORT = "0" }\n'
        for name in names
    ]
    (folder / "localhub.toml").write_text("\n".join(tables))
    with running(manifest, environment={**os.environ, "PYTHONPATH": str(ROOT)}) as hub:
        hub.until(lambda: facts(hub).get("coil", {}).get("state") == "ok", WITHIN_S, "the coil")
        yield hub


def facts(hub: Hub) -> dict[str, Any]:
    """The outputs as the module tells them; nothing while it cannot be asked."""
    try:
        return dict(hub.call("alarms", "getStatus", timeout_s=5).payload["facts"].get("outputs", {}))
    except ControlError:
        return {}


def asked(hub: Hub) -> dict[str, Any]:
    """The same, as soon as it can be asked."""
    found: dict[str, Any] = {}
    hub.until(lambda: found.update(facts(hub)) or found, WITHIN_S, "the outputs")
    return found


def rest(field: Field, hub: Hub) -> None:
    """Nothing stands, and nobody is owed anything."""
    field.say(NORMAL)
    hub.until(lambda: not field.coil(), WITHIN_S, "rest")
    hub.call("alarms", "acknowledge", {"source": "*", "who": "test"})
    hub.until(lambda: not field.coil(LATCHED), WITHIN_S, "the acknowledgement")
    hub.until(lambda: not any(each["pending"] for each in asked(hub).values()), WITHIN_S, "the notices")


def failing(hub: Hub) -> set[str]:
    return {name for name, each in facts(hub).items() if each["state"] == "failing"}


def sent(field: Field) -> set[str]:
    """The ids of the mails: one that was not confirmed in time comes again, with its own."""
    return {str(message_from_string(each["text"])["Message-ID"]) for each in field.mails.taken}


def told(field: Field) -> list[dict[str, Any]]:
    return [json.loads(each["body"]) for each in field.hook.posted]


def test_a_register_moves_a_coil_with_the_cloud_away(field: Field, hub: Hub) -> None:
    hub.link("down")
    try:
        mails = sent(field)
        field.say(NORMAL)
        field.say(CRITICAL)
        hub.until(field.coil, WITHIN_S, "the coil")
        hub.until(lambda: field.coil(LATCHED), WITHIN_S, "the latched coil")
        hub.until(lambda: told(field)[-1:] and told(field)[-1]["event"] == "begun", WITHIN_S, "the webhook")
        hub.until(lambda: len(sent(field) - mails) == 1, WITHIN_S, "the mail")
        field.say(NORMAL)
        hub.until(lambda: not field.coil(), WITHIN_S, "the coil")
        hub.until(lambda: told(field)[-1]["event"] == "ended", WITHIN_S, "the webhook")
        assert field.coil(LATCHED)
    finally:
        hub.link("up")
    body = [each for each in told(field) if each["event"] == "begun"][-1]
    assert (body["source"], body["module"], body["severity"]) == ("press/velocity", "vibration", "critical")
    rest(field, hub)


@pytest.mark.parametrize(("who", "how"), [("mail", "hang"), ("hook", "kill"), ("topic", "hang")])
def test_a_far_end_that_hangs_or_dies_holds_up_no_other(field: Field, hub: Hub, who: str, how: str) -> None:
    servers = {"mail": field.mails.process, "hook": field.hook.process, "topic": field.broker.process}
    server = servers[who]
    server.hang() if how == "hang" else server.kill()
    try:
        field.say(CRITICAL)
        hub.until(field.coil, WITHIN_S, "the coil")
        hub.until(lambda: facts(hub).get(who, {}).get("state") == "failing", WITHIN_S, "the report")
        assert asked(hub)[who]["last_error"]
        # Another one too, for a moment, where the machine stood still for longer than its far end may take.
        hub.until(lambda: failing(hub) == {who}, WITHIN_S, "all others well")
    finally:
        server.go_on() if how == "hang" else server.start()
    hub.until(lambda: facts(hub).get(who, {}).get("state") == "ok", WITHIN_S, "the recovery")
    rest(field, hub)


def test_what_was_acknowledged_is_sounded_after_a_kill_and_once(field: Field, hub: Hub) -> None:
    before = len(told(field))
    field.hook.process.hang()
    try:
        field.say(CRITICAL)
        hub.until(lambda: facts(hub).get("hook", {}).get("pending"), WITHIN_S, "the notice")
        os.kill(int(hub.module("alarms")["pid"]), signal.SIGKILL)
    finally:
        field.hook.process.go_on()
    hub.until(lambda: facts(hub).get("coil", {}).get("shown") == 1, WITHIN_S, "the module again")
    assert field.coil()
    hub.until(lambda: len(told(field)) > before, WITHIN_S, "the webhook")
    rest(field, hub)
    begun = [each["id"] for each in told(field)[before:] if each["event"] == "begun"]
    # The far end hung while it was handed over, so it may have it twice: with one id.
    assert len(set(begun)) == 1


def test_the_coil_of_a_plc_that_died_is_set_when_it_is_back(field: Field, hub: Hub) -> None:
    field.say(CRITICAL)
    hub.until(lambda: field.coil() and field.coil(LATCHED), WITHIN_S, "the coils")
    field.plc.kill()
    try:
        hub.until(lambda: facts(hub).get("latched", {}).get("state") == "failing", WITHIN_S, "the report")
    finally:
        field.plc.start()
    hub.until(lambda: field.coil(LATCHED), WITHIN_S, "the coil")
    rest(field, hub)


def stands_still(field: Field) -> bool:
    before = field.beats()
    time.sleep(0.5)
    return field.beats() == before


def test_the_heartbeat_stands_still_when_the_module_is_dead(field: Field, hub: Hub) -> None:
    first = field.beats()
    hub.until(lambda: field.beats() != first, WITHIN_S, "the heartbeat")
    os.kill(int(hub.module("alarms")["pid"]), signal.SIGSTOP)
    pid = int(hub.module("alarms")["pid"])
    try:
        hub.until(lambda: stands_still(field), WITHIN_S, "the last that was on its way")
        still = field.beats()
        time.sleep(1.0)
        assert field.beats() == still
    finally:
        os.kill(pid, signal.SIGCONT)
    hub.until(lambda: field.beats() != still, WITHIN_S, "the heartbeat")


def test_the_button_tries_every_output(field: Field, hub: Hub) -> None:
    answer = hub.call("alarms", "testAlarm", {"who": "Ada"})
    assert answer.status == 200
    assert answer.payload == {name: {"ok": True, "why": ""} for name in answer.payload}
    assert answer.payload.keys() == {"coil", "latched", "hook", "mail", "topic"}
    assert told(field)[-1]["event"] == "test"
    assert "asked for by Ada" in field.mails.taken[-1]["text"]


def test_no_secret_is_told_anywhere(field: Field, hub: Hub) -> None:
    said = "\n".join(hub.logs("alarms", 10_000)) + json.dumps(hub.reported("alarms")) + json.dumps(facts(hub))
    assert SECRET not in said
    assert "guess" not in said
    assert field.hook.posted[-1]["headers"].keys() >= {"X-Millwatch-Signature"}
