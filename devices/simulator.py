"""``python -m devices.simulator FILE``: sensors, machines, a camera as a file has them (docs/guides/recipes.md).

Readings go in one message every `batch_s` seconds, waveforms block by block, both through the gateway as a leaf device
sends them. A scene is served as Motion JPEG over HTTP, where the file's `camera` or the variable it names says.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Annotated

import cv2
from pydantic import Field

from devices.leaf import Leaf, LeafError, stop_on_signals
from devices.pace import spans
from devices.plant import batch
from devices.rolling_bearing import Bearing, Defect, Machine
from devices.scene import Scene, View
from devices.signals import Fault, Part, Sensor, Signal
from modules.common.messages import Message, Waveform

log = logging.getLogger(__name__)

_BOUNDARY = "picture"


class Wave(Part):
    """An accelerometer on a rolling bearing. A fault's `add` is how hard the defect strikes, in m/s2."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:./_-]{0,99}$")]
    rate_hz: float = Field(12_000.0, gt=0)
    block: int = Field(4096, ge=256, le=65_536)
    rpm: float = Field(gt=0)
    noise: float = Field(0.6, ge=0)
    unbalance: float = Field(0.4, ge=0)
    defect: Defect = "outer"
    faults: tuple[Fault, ...] = ()


class Plan(Part):
    """The whole file."""

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:./_-]{0,99}$")]
    seed: int = Field(1, ge=0)
    batch_s: float = Field(0.2, gt=0, le=60)
    sensor: tuple[Sensor, ...] = ()
    wave: tuple[Wave, ...] = ()
    scene: Scene | None = None
    camera: str = "127.0.0.1:8090"


def load(path: Path) -> Plan:
    """Read a file; OSError, ValueError with the field that is wrong."""
    return Plan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


class Waves:
    """The blocks of one accelerometer."""

    def __init__(self, wave: Wave, seed: int, begin: float) -> None:
        self._wave, self._begin = wave, begin
        machine = Machine(rpm=wave.rpm, noise=wave.noise, unbalance=wave.unbalance)
        self._bearing = Bearing(machine, rate_hz=wave.rate_hz, defect=wave.defect, seed=seed)
        self._seq = 0

    def until(self, end: float, began: float) -> Iterator[Message]:
        """The blocks whose last sample is due before the moment ``end``; moment 0 was at ``began`` (Unix time)."""
        wave = self._wave
        length = wave.block / wave.rate_hz
        while (start := self._begin + self._seq * length) + length < end:
            strength = sum(fault.added(start) for fault in wave.faults)
            self._seq += 1
            yield Waveform(
                samples=self._bearing.block(wave.block, severity=strength).astype("<f4").tobytes(),
                rate_hz=wave.rate_hz,
                unit="m/s2",
                time=datetime.fromtimestamp(began + start, UTC),
                source=wave.name,
                seq=self._seq - 1,
                rpm=wave.rpm,
            ).message()


def play(leaf: Leaf, plan: Plan, begin: float, stopping: threading.Event) -> None:
    """Send what is due, when it is due, from the moment ``begin`` on until stopped."""
    signals = [Signal(sensor, plan.seed + number, begin) for number, sensor in enumerate(plan.sensor)]
    waves = [Waves(wave, plan.seed + 1000 + number, begin) for number, wave in enumerate(plan.wave)]
    for seq, (start, _, passed) in enumerate(spans(plan.batch_s, stopping)):
        began, end = start - begin, begin + passed
        readings = [reading for signal in signals for reading in signal.until(end, began)]
        if readings:
            readings.sort(key=lambda reading: reading.time)
            leaf.send(batch(readings, seq, datetime.fromtimestamp(readings[0].time, UTC), plan.source))
        for wave in waves:
            for message in wave.until(end, began):
                leaf.send(message)


def camera(
    scene: Scene, seed: int, begin: float, address: tuple[str, int], stopping: threading.Event
) -> ThreadingHTTPServer:
    """A network camera that looks at the scene: Motion JPEG at any path. OSError where the address is taken."""
    view, start = View(scene, seed), time.monotonic() - begin

    class Handler(BaseHTTPRequestHandler):
        """One viewer."""

        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """Send pictures until the viewer goes."""
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace;boundary={_BOUNDARY}")
            self.end_headers()
            try:
                while not stopping.wait(1 / scene.rate_hz):
                    number = round((time.monotonic() - start) * scene.rate_hz)
                    jpeg = cv2.imencode(".jpg", view.picture(number))[1].tobytes()
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return  # the viewer hung up

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class' name
            """Requests are not worth a line."""

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main(argv: list[str]) -> int:
    """Send until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devices.simulator", description=__doc__)
    parser.add_argument("file", type=Path, help="what to play, as docs/recipes/*/simulator.toml")
    parser.add_argument("--begin", type=float, default=0.0, metavar="S", help="leave out the first so many seconds")
    wanted = parser.parse_args(argv)
    if wanted.begin < 0:
        parser.error("--begin must not be below 0")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        plan = load(wanted.file)
        host, _, port = Template(plan.camera).substitute(os.environ).rpartition(":") if plan.scene else ("", "", "0")
        address = host, int(port)
    except KeyError as error:
        print(f"{wanted.file}: camera: the variable {error} is not set", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"{wanted.file}: {error}", file=sys.stderr)
        return 2
    stopping = stop_on_signals()
    try:
        server = camera(plan.scene, plan.seed, wanted.begin, address, stopping) if plan.scene else None
    except OSError as error:
        print(f"{host}:{port}: {error.strerror}; name another address", file=sys.stderr)
        return 2
    try:
        with Leaf.from_environment(stopping) as leaf:
            play(leaf, plan, wanted.begin, stopping)
    except LeafError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
