"""Answers calls, one JSON document a line: {"call": "sas.hmac_sha256", "with": [...]}; bytes are {"hex": "..."}."""

import binascii
import json
import sys
import time
from array import array

import unixboard
from leaf import adxl345, backlog, batch, clock, link, measure, mqtt, quoting, sas, settings


def packed(function: object, *arguments: object) -> bytes:
    """What a function writes into a buffer."""
    out = quoting.Buffer(bytearray(32768))
    function(out, *arguments)
    return bytes(memoryview(out.memory)[: out.end])


def publish(body: bytes, again: bool) -> bytes:
    memory = bytearray(mqtt.HEADER) + body
    return bytes(memory[mqtt.publish(memory, len(memory), again=again) :])


def play(steps: list) -> list:
    """Runs a backlog through steps; what it holds after each."""
    log, said = backlog.Backlog(b""), []
    for step, *arguments in steps:
        if step == "add":
            log.add(*arguments)
        elif step == "sleep":
            log = backlog.Backlog(bytes(log.packed()))
        elif step == "damage":
            memory = bytearray(log.packed())
            memory[arguments[0]] ^= 1 << arguments[1]
            log = backlog.Backlog(bytes(memory))
        elif log.oldest() is not None:
            log.trying() if step == "try" else log.forget()
        found = log.oldest()
        kept = None if found is None else [found.id, found.seq, found.again, found.packet_id, found.readings]
        said.append([log.seq, log.dropped, kept])
    return said


class Told:
    """A time module that says what a test wants."""

    def __init__(self, year: int, ns: int) -> None:
        self._year, self._ns = year, ns

    def gmtime(self, _seconds: int) -> tuple:
        return (self._year, 1, 1)

    def time_ns(self) -> int:
        return self._ns


def now(year: int, ns: int) -> list:
    told = clock.Clock(Told(year, ns), None)
    return [told.now_ms(), told.known()]


def read(data: bytes, step: str) -> None:
    """What the MQTT client makes of what a broker says."""

    class Stream:
        def __init__(self) -> None:
            self.at = 0

        def write(self, packet: bytes) -> int:
            return len(packet)

        def readinto(self, into: object) -> int:
            got = data[self.at : self.at + len(into)]
            into[: len(got)] = got
            self.at += len(got)
            return len(got)

    client = mqtt.Client(Stream())
    if step == "publish":
        client.publish(b"x", 7)
    else:
        getattr(client, step)(*((b"x",) if step == "connect" else ()))


def burst(count: int, fault: str, steps: int) -> list:
    samples = array("h", bytes(2 * 3 * count))
    adxl345.Adxl345(unixboard.FakeI2C(fault=fault, steps=steps), time).burst(samples)
    return list(samples)


CALLS = {
    "quote": quoting.quote,
    "hmac": sas.hmac_sha256,
    "token": sas.token,
    "uuid7": lambda ms, random: batch.uuid_text(batch.uuid7(ms, random)),
    "rfc3339": batch.rfc3339,
    "topic": lambda *arguments: packed(batch.topic, *arguments),
    "senml": lambda *arguments: packed(batch.senml, *arguments),
    "connect": lambda *arguments: packed(mqtt.connect, *arguments),
    "publish": publish,
    "read": read,
    "measure": lambda samples, rate, scale: measure.measure(array("h", samples), rate, scale),
    "play": play,
    "now": now,
    "ntp": clock.unix_ms,
    "burst": burst,
    "backoff": link.backoff_ms,
    "settings": lambda document: settings.Settings(document).__dict__,
}


def taken(value: object) -> object:
    if isinstance(value, dict) and "hex" in value:
        return binascii.unhexlify(value["hex"])
    if isinstance(value, list):
        return [taken(each) for each in value]
    return value


def given(value: object) -> object:
    if isinstance(value, (bytes, bytearray)):
        return {"hex": binascii.hexlify(value).decode()}
    if isinstance(value, (list, tuple)):
        return [given(each) for each in value]
    return value


while line := sys.stdin.readline():
    asked = json.loads(line)
    try:
        said = {"is": given(CALLS[asked["call"]](*taken(asked["with"])))}
    except Exception as error:  # noqa: BLE001  whatever it is, the test compares it
        said = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(said))
