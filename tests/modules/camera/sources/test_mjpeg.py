"""A Motion JPEG camera over HTTP that dies, changes, falls silent or speaks nonsense: it is found again."""

import base64
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from devices.line import free_port
from modules.camera.frame import Frame
from modules.camera.reader import Reader
from modules.camera.settings import Camera


def jpeg(number: int, width: int) -> bytes:
    picture = np.random.default_rng(number).integers(0, 256, (48, width, 3), np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


class HttpCamera:
    """Serves numbered pictures at one address; `answer` may be changed while it runs."""

    def __init__(self) -> None:
        self.port = free_port()
        self.width, self.login, self.mute, self.nonsense = 64, "", False, False
        self.sent: list[bytes] = []
        self._server: ThreadingHTTPServer | None = None
        self._running = threading.Event()

    def start(self) -> None:
        camera = self
        running = self._running = threading.Event()
        running.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = self.headers.get("Authorization", "")
                if camera.login and given != "Basic " + base64.b64encode(camera.login.encode()).decode():
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
                self.end_headers()
                with suppress(OSError):
                    while running.is_set():
                        if not camera.mute:
                            self._part()
                        time.sleep(0.02)

            def _part(self) -> None:
                if camera.nonsense:
                    self.wfile.write(random.Random(len(camera.sent)).randbytes(3000))
                    return
                body = jpeg(len(camera.sent), camera.width)
                camera.sent.append(body)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write(head.encode() + body + b"\r\n")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._running.clear()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    made = HttpCamera()
    made.start()
    yield made
    made.stop()


class Seen:
    def __init__(self, camera: HttpCamera, **more: object) -> None:
        source = {"type": "mjpeg", "url": f"http://127.0.0.1:{camera.port}/video", "timeout_s": 0.5, **more}
        self.frames: list[Frame] = []
        self.reader = Reader(
            "one", Camera.model_validate({"source": source, "retry_s": 1, "most_hz": 240}), self.frames.append
        )

    def wait(self, condition: Callable[[], object]) -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until, self.reader.state
            time.sleep(0.005)

    def wait_frames(self, count: int) -> None:
        aim = len(self.frames) + count
        self.wait(lambda: len(self.frames) >= aim)

    def wait_dead(self) -> None:
        self.wait(lambda: self.reader.state.phase == "dead")


@pytest.fixture
def seen(camera: HttpCamera) -> Iterator[Seen]:
    made = Seen(camera)
    made.reader.start()
    yield made
    made.reader.stop()


def test_every_picture_comes_bit_for_bit_and_none_is_lost_but_in_the_outage(camera: HttpCamera, seen: Seen) -> None:
    seen.wait_frames(10)
    camera.stop()
    seen.wait_dead()
    assert seen.reader.state.outages == 1
    camera.start()
    seen.wait_frames(10)
    numbers = [camera.sent.index(frame.encoded) for frame in seen.frames if frame.encoded is not None]
    assert len(numbers) == len(seen.frames)
    gaps = [after - before - 1 for before, after in pairwise(numbers)]
    assert min(gaps) >= 0, "a picture came twice"
    assert sum(gaps) - max(gaps) <= seen.reader.skipped
    last = seen.frames[-1]
    assert last.picture.shape == (48, 64, 3)
    assert last.look.shape == (48, 64)
    assert last.source_bytes == len(camera.sent[numbers[-1]])


def test_it_changes_its_size_and_goes_on(camera: HttpCamera, seen: Seen) -> None:
    seen.wait_frames(3)
    camera.width = 96
    seen.wait(lambda: seen.frames[-1].look.shape == (48, 96))
    assert seen.reader.state.outages == 0


def test_silence_is_told_and_ends(camera: HttpCamera, seen: Seen) -> None:
    seen.wait_frames(3)
    camera.mute = True
    seen.wait_dead()
    assert "silent" in str(seen.reader.state.error)
    camera.mute = False
    seen.wait_frames(3)
    assert seen.reader.state.phase == "ok"


def test_nonsense_is_survived(camera: HttpCamera, seen: Seen) -> None:
    seen.wait_frames(3)
    camera.nonsense = True
    seen.wait(lambda: seen.reader.state.outages or seen.reader.state.bad)
    camera.nonsense = False
    seen.wait_frames(3)


def test_a_login_is_read_from_its_file_at_each_try(camera: HttpCamera, tmp_path: Path) -> None:
    camera.login = "user:se:cret/@"
    login = tmp_path / "login"
    seen = Seen(camera, credentials_file=str(login))
    seen.reader.start()
    try:
        seen.wait_dead()
        assert "mount the credentials file" in str(seen.reader.state.error)
        login.write_text("nonsense\n")
        seen.wait(lambda: "one line, user:password" in str(seen.reader.state.error))
        login.write_text("user:wrong\n")
        seen.wait(lambda: "user and password" in str(seen.reader.state.error))
        login.write_text(camera.login + "\n")
        seen.wait_frames(2)
    finally:
        seen.reader.stop()
