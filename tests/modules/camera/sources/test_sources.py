import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from modules.camera.choice import Gate
from modules.camera.settings import Camera
from modules.camera.sources import AnySource, Folder, Mjpeg, Rtsp, SourceError, Video
from modules.camera.sources.login import with_login
from modules.camera.sources.source import Pace
from modules.camera.watch import Taken, Watch


def picture(level: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), level, np.uint8))[1].tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, level in (("b/2.jpg", 90), ("a/1.jpg", 30), ("a/3.jpg", 200)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture(level))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def watched(
    wanted: Camera, until: Callable[[Watch, list[Taken]], bool], seconds: float = 10
) -> tuple[Watch, list[Taken]]:
    taken: list[Taken] = []
    watch = Watch("one", wanted, taken.extend, lambda _taken: None)
    watch.start()
    end = time.monotonic() + seconds
    while not until(watch, taken) and time.monotonic() < end:
        time.sleep(0.01)
    watch.stop()
    return watch, taken


def camera(source: AnySource, **gate: object) -> Camera:
    return Camera(source=source, gate=Gate.model_validate({"mode": "every", **gate}))


def test_a_folder_is_played_once_in_order_and_untouched(folder: Path) -> None:
    wanted = camera(Folder(type="folder", path=folder, rate_hz=200, repeat=False))
    watch, taken = watched(wanted, lambda watch, _: watch.state.phase == "finished")
    assert [each.item for each in taken] == ["a/1.jpg", "a/3.jpg", "b/2.jpg"]
    assert [each.jpeg for each in taken] == [picture(30), picture(200), picture(90)]
    assert watch.state.source_bytes == sum(len(each.jpeg) for each in taken)


def test_only_the_listed_files(folder: Path) -> None:
    wanted = Folder(type="folder", path=folder, rate_hz=200, repeat=False, files=("b/2.jpg",))
    _, taken = watched(camera(wanted), lambda watch, _: watch.state.phase == "finished")
    assert [each.item for each in taken] == ["b/2.jpg"]


def test_a_corrupt_picture_is_counted_and_the_next_one_comes(folder: Path) -> None:
    (folder / "a" / "2.jpg").write_bytes(b"rubbish")
    (folder / "a" / "4.jpg").write_bytes(b"")
    wanted = camera(Folder(type="folder", path=folder, rate_hz=200, repeat=False))
    watch, taken = watched(wanted, lambda watch, _: watch.state.phase == "finished")
    assert len(taken) == 3
    assert watch.state.bad == {"corrupt": 2}


def test_a_folder_that_appears_later_is_found(tmp_path: Path) -> None:
    wanted = camera(Folder(type="folder", path=tmp_path / "later", rate_hz=200))
    taken: list[Taken] = []
    watch = Watch("one", wanted, taken.extend, lambda _: None)
    watch.start()
    while watch.state.phase != "dead":
        time.sleep(0.01)
    assert "is not a folder" in str(watch.state.error)
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "1.jpg").write_bytes(picture(9))
    end = time.monotonic() + 5
    while not taken and time.monotonic() < end:
        time.sleep(0.01)
    watch.stop()
    assert taken and watch.state.phase == "ok" and watch.state.outages == 1


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        Folder(type="folder", path=tmp_path).source().open()


def test_a_video_plays_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100, (64, 48))
    for level in range(0, 200, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    wanted = camera(Video(type="video", path=path, repeat=False))
    watch, taken = watched(wanted, lambda watch, _: watch.state.phase == "finished")
    assert watch.state.frames == len(taken) == 20
    assert watch.state.source_bytes > 0


def test_what_is_no_video_is_dead_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "clip.avi").write_bytes(b"no video at all")
    source = Video(type="video", path=tmp_path / "clip.avi").source()
    with pytest.raises(SourceError, match="does not open"):
        source.open()


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
        self.end_headers()
        for level in range(12):
            jpeg = picture(level * 20)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            try:
                self.wfile.write(head + jpeg + b"\r\n")
            except ConnectionError:
                return
            time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        pass


def test_a_stream_that_breaks_is_opened_again() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wanted = Mjpeg(type="mjpeg", url=f"http://127.0.0.1:{server.server_port}/cam", timeout_s=1)
    watch, taken = watched(camera(wanted), lambda watch, taken: watch.state.outages >= 2 and len(taken) > 12)
    server.shutdown()
    server.server_close()
    assert watch.state.outages >= 2
    assert len(taken) > 12


def test_credentials_come_from_the_file_and_never_from_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Rtsp(type="rtsp", url="rtsp://admin:secret@192.0.2.1/1")
    secret = tmp_path / "login"
    secret.write_text("admin:p@ss/word\n")
    wanted = Rtsp(type="rtsp", url="rtsp://192.0.2.1:554/1", credentials_file=secret)
    assert with_login(wanted.url, wanted.credentials_file) == "rtsp://admin:p%40ss%2Fword@192.0.2.1:554/1"
    assert "p@ss" not in wanted.model_dump_json()


def test_after_a_rest_the_own_rate_holds_from_the_frame_that_woke_it() -> None:
    pace = Pace(1000)
    pace.wait()
    pace.rest(0.001)
    assert pace.wait() == 1000  # seconds to the next, as far as is known by now
    waker = threading.Timer(0.05, pace.rest, (None,))
    waker.start()
    assert pace.wait() == 0.001
    assert pace.due(0.001) - time.monotonic() < 1
    waker.join()


def test_pace_does_not_catch_up() -> None:
    pace = Pace(1000)
    pace.wait()
    time.sleep(0.05)
    start = time.monotonic()
    for _ in range(10):
        pace.wait()
    assert time.monotonic() - start >= 0.005
