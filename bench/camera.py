"""What the camera module costs on 1080p at 30 frames/s, at work and at rest, and how fast a picture is on its way.

The whole module runs as a process under localhub, with another one that takes its pictures. The films are H.264 of the
rendered belt, with a sensor's noise: one with parts passing, one of the empty belt. What is counted is the processor
time of the module's process, all its threads: reading, decoding, gate, JPEG, MQTT over TLS, heartbeats. On a busy
machine a few frames are missing from 30 a second: the figure is then raised to 30. At rest a network camera is measured
beside the file: the same film over RTSP on one TCP connection, by GStreamer's server where Debian's packages of it are
installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from bench._manifest import least_manifest, line_in
from bench.claim import Claim
from devices.line import free_port
from modules.camera.conveyor import Belt
from modules.camera.frame import Picture

SIZE, RATE = (1920, 1080), 30
SECONDS_OF_FILM = 8
SETTLE_S = 4
REST_HZ = 1
PYTHON = "/usr/bin/python3"  # Debian's own: GStreamer's bindings are nowhere else
CAMERA = Path(__file__).resolve().parents[1] / "devices" / "rtsp_camera.py"


def _belt(*, moving: bool) -> Iterator[Picture]:
    """Frames of the belt as a 1080p camera would give them; where nothing moves, only the noise differs."""
    belt, rng = Belt(seed=3, defect_share=0.25), np.random.default_rng(3)
    noise = [rng.integers(-6, 7, (SIZE[1], SIZE[0], 3), np.int16) for _ in range(7)]

    def picture(index: int) -> Picture:
        large = cv2.resize(belt.frame(index if moving else 0)[0], SIZE, interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip(large.astype(np.int16) + noise[index % 7], 0, 255), np.uint8)

    if moving:
        yield from map(picture, range(SECONDS_OF_FILM * RATE))
    else:
        yield from islice(cycle([picture(index) for index in range(7)]), SECONDS_OF_FILM * RATE)


def _film(path: Path, frames: Iterator[Picture]) -> None:
    """H.264 as cameras encode it: a key frame a second, no frame that refers to a later one."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "20", "bf": "0"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = RATE
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))


def _repeated(film: Path, path: Path, seconds: float) -> None:
    """The film again and again, as one film of at least so many seconds: GStreamer's server plays one but once."""
    with av.open(path, "w") as output:
        stream = None
        begin = 0
        for _ in range(int(seconds / SECONDS_OF_FILM) + 1):
            with av.open(film) as container:
                video = container.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                length = 0
                for packet in container.demux(video):
                    if packet.dts is not None and packet.pts is not None:
                        length = max(length, packet.pts + (packet.duration or 1))
                        packet.pts, packet.dts, packet.stream = packet.pts + begin, packet.dts + begin, stream
                        output.mux(packet)
                begin += length


@contextmanager
def _camera(film: Path) -> Iterator[str | None]:
    """A network camera that plays the film to each who asks; its address, or None where GStreamer's server is not."""
    port = free_port()
    command = [PYTHON, str(CAMERA), str(port), "--film", str(film)]
    if not Path(PYTHON).exists():
        yield None
        return
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"rtsp://127.0.0.1:{port}/cam" if server.stdout.readline() == "listens\n" else None
        finally:
            server.kill()


def _measured(source: dict[str, str], *, seconds: float, address: str, rest: dict[str, float]) -> dict[str, Any]:
    """What the module wrote down after `seconds` of this source."""
    camera = {"source": source, "rest": rest}
    with tempfile.TemporaryDirectory(prefix="camera-") as text:
        folder = Path(text)
        result = folder / "result.json"
        variables = {"BENCH_RESULT": str(result), "BENCH_SECONDS": str(seconds), "BENCH_SETTLE": str(SETTLE_S)}
        (folder / "localhub.toml").write_text(_config(variables), encoding="utf-8")
        manifest = least_manifest(("camera", "sink"), {"camera": {"cameras": {"hd": camera}, "sample_share": 0}})
        (folder / "deployment.json").write_text(json.dumps(manifest), encoding="utf-8")
        with line_in(folder, address) as line:
            line.wait("the camera's figures", result.exists, timeout_s=90 + seconds)
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def _config(variables: dict[str, str]) -> str:
    root = Path(__file__).resolve().parents[1]
    more = "".join(f', {name} = "{value}"' for name, value in variables.items())
    return "".join(
        f'[modules.{name}]\ncommand = ["{sys.executable}", "-m", "bench._camera", "{name}"]\nfolder = "{root}"\n'
        f'env = {{ MILLWATCH_STATE = "${{MODULE_STATE}}", MILLWATCH_VIEW_PORT = "0"{more} }}\n'
        for name in ("camera", "sink")
    )


def _looked_per_s(result: dict[str, Any]) -> float:
    frames = result["cameras"]["hd"]["frames"] - result["before"]["hd"]["frames"]
    return float(frames / result["wall_s"])


def _video(film: Path) -> dict[str, str]:
    """A film as a source, over and over at its own pace."""
    return {"type": "video", "path": str(film)}


def _at_rest(source: dict[str, str], *, seconds: float, address: str) -> dict[str, Any]:
    """As `_measured`, of a still camera that was seen to rest."""
    idle = _measured(source, seconds=seconds, address=address, rest={"after_s": 1, "rate_hz": REST_HZ})
    resting = _looked_per_s(idle)
    if not idle["cameras"]["hd"]["sleeping"] or not 0.5 * REST_HZ <= resting <= 1.5 * REST_HZ:
        raise RuntimeError(f"the still camera is not at rest: {resting:.2f} frames/s are looked at")
    return idle


def _network_at_rest(film: Path, *, seconds: float) -> dict[str, Any] | None:
    """As `_at_rest`, of a network camera that sends the film; None where there is no server to play it."""
    long = film.with_name("long.mp4")
    _repeated(film, long, seconds + 60)  # the module starts meanwhile
    with _camera(long) as url:
        if url is None:
            return None
        return _at_rest({"type": "rtsp", "url": url}, seconds=seconds, address="127.32.7.3")


def run(*, quick: bool) -> dict[str, Claim]:
    """At work, then at rest."""
    with tempfile.TemporaryDirectory(prefix="films-") as text:
        moving, still = Path(text) / "moving.mp4", Path(text) / "still.mp4"
        _film(moving, _belt(moving=True))
        _film(still, _belt(moving=False))
        size = moving.stat().st_size * 8e-6 / SECONDS_OF_FILM
        still_size = still.stat().st_size * 8e-6 / SECONDS_OF_FILM
        work = _measured(_video(moving), seconds=25 if quick else 120, address="127.32.7.1", rest={"after_s": 0})
        seconds = 20 if quick else 60
        idle = _at_rest(_video(still), seconds=seconds, address="127.32.7.2")
        network = _network_at_rest(still, seconds=seconds)
    rate = _looked_per_s(work)
    if rate < 0.8 * RATE:
        raise RuntimeError(f"only {rate:.1f} frames/s were looked at: this machine is too busy to measure on")
    if len(work["took_ms"]) < (15 if quick else 80):
        raise RuntimeError(f"only {len(work['took_ms'])} pictures were sent: too few for a percentile")
    peer = f"none; H.264 of {size:.1f} Mbit/s, {rate:.1f} frames/s looked at, {len(work['took_ms'])} pictures sent"
    rests = f"none; 1080p30 that rests at {_looked_per_s(idle):.2f} frames/s, all of the module's process"
    claims = {
        "cpu_1080p30": Claim(100 * work["cpu"] * RATE / rate, "% of a core", 35, 20, peer, lower_is_better=True),
        "idle_cpu": Claim(100 * idle["cpu"], "% of a core", 3, 1.5, rests, lower_is_better=True),
        "frame_to_puback_p99_ms": Claim(
            float(np.percentile(work["took_ms"], 99)), "ms", 40, 20, peer, lower_is_better=True
        ),
    }
    if network is None:
        print("camera:idle_rtsp_cpu is left out: GStreamer's RTSP server is not installed", file=sys.stderr)
    else:
        beside = f"the same film from a file; over RTSP (tcp) at {still_size:.1f} Mbit/s"
        claims["idle_rtsp_cpu"] = Claim(100 * network["cpu"], "% of a core", 3, 1.5, beside, lower_is_better=True)
    return claims
