"""A real RTSP server that is killed, restarted, changed, silenced and replaced by nonsense: the camera comes back."""

import logging
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from devices.line import free_port
from modules.camera.frame import Frame
from modules.camera.reader import Reader
from modules.camera.settings import Camera
from modules.camera.sources import Rtsp, SourceError
from modules.camera.sources.container import ContainerSource
from modules.camera.watch import Taken, Watch

SERVER = Path(__file__).resolve().parents[2] / "devices" / "rtsp_camera.py"
PYTHON = "/usr/bin/python3"  # Debian's own: gi is nowhere else
RATE = 20
BITS = 24


@pytest.fixture(scope="module", autouse=True)
def gstreamer() -> None:
    """Skip where GStreamer's RTSP server is not installed."""
    asked = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        done = subprocess.run([PYTHON, "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        pytest.skip(f"no {PYTHON}: {error}")
    if done.returncode:
        pytest.skip("Debian's gir1.2-gst-rtsp-server-1.0 and python3-gst-1.0 are not installed")


class Server:
    """The camera that is played, at one address for its whole life."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        command = [PYTHON, str(SERVER), str(self.port), "--rate", str(RATE), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listens\n"

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.kill()


def number(frame: Frame) -> int:
    """The number drawn in a frame."""
    row = frame.look[frame.look.shape[0] // 16]
    block = row.size // BITS
    return sum(int(row[bit * block + block // 2] > 126) << bit for bit in range(BITS))


def wait(condition: Callable[[], object], told: object) -> None:
    """Wait until something is true; `told` explains a failure."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, told
        time.sleep(0.01)


class Seen:
    """A reader at work and the frames it has given."""

    def __init__(self, **source: object) -> None:
        wanted = Camera.model_validate({"source": {"type": "rtsp", "timeout_s": 1.0, **source}, "retry_s": 1})
        self.numbers: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self.reader = Reader("one", wanted, self._use)

    def _use(self, frame: Frame) -> None:
        self.numbers.append(number(frame))
        self.shapes.append(frame.look.shape)

    def wait_frames(self, count: int) -> None:
        aim = len(self.numbers) + count
        wait(lambda: len(self.numbers) >= aim, self.reader.state)

    def wait_phase(self, phase: str) -> None:
        wait(lambda: self.reader.state.phase == phase, (phase, self.reader.state))

    def gaps(self) -> list[int]:
        """How many frames are missing between each two that came; below zero where one came twice."""
        return [after - before - 1 for before, after in zip(self.numbers, self.numbers[1:], strict=False)]


@contextmanager
def watching(**source: object) -> Iterator[Seen]:
    seen = Seen(**source)
    seen.reader.start()
    try:
        yield seen
    finally:
        seen.reader.stop()


def test_a_camera_that_is_killed_loses_no_more_than_the_outage(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.start()
    with watching(url=server.url) as seen:
        seen.wait_frames(RATE)
        killed = time.monotonic()
        server.kill()
        seen.wait_phase("dead")
        time.sleep(1)  # several tries
        server.start()
        seen.wait_phase("ok")
        away = time.monotonic() - killed
        seen.wait_frames(RATE)
    outage = max(seen.gaps())
    others = sum(seen.gaps()) - outage
    assert min(seen.gaps()) >= 0, "a frame came twice"
    # What the server sent while the stream was opened comes at once: of that only the newest counts.
    assert others <= seen.reader.skipped, "while connected, nothing is lost but what was counted as skipped"
    assert 0 < outage <= away * RATE + seen.reader.skipped
    assert seen.reader.state.outages == 1
    assert seen.reader.state.bad.total() <= 1  # the kill may cut a frame in two
    said = [record.getMessage() for record in caplog.records if "camera one" in record.getMessage()]
    assert len(said) == 2, said
    assert "stopped giving pictures" in said[0]
    assert "gives pictures again" in said[1]


def test_what_is_read_here_is_to_the_bit_what_ffmpeg_reads(server: Server) -> None:
    server.start()
    url = Rtsp(type="rtsp", url=server.url)
    ours, theirs = (
        url.source(),
        ContainerSource(server.url, url.address, form="rtsp", options={"rtsp_transport": "tcp"}),
    )
    came: list[dict[int, Frame]] = [{}, {}]

    until = time.monotonic() + 60

    def enough() -> bool:
        return len(came[0].keys() & came[1].keys()) >= RATE or time.monotonic() > until

    def read(source: ContainerSource, seen: dict[int, Frame]) -> None:
        while not enough():
            with suppress(SourceError):  # this server, when laden, may send nobody anything: again, as a camera is
                source.open()
                while not enough():
                    frame = source.read()
                    assert frame is not None
                    seen[number(frame)] = replace(frame, luma=frame.look.copy())
            source.close()

    threads = [Thread(target=read, args=each) for each in zip((ours, theirs), came, strict=True)]
    threads[0].start()
    wait(lambda: came[0], "no frame")  # two that come at once are too many for it
    threads[1].start()
    for thread in threads:
        thread.join(90)
    both = sorted(came[0].keys() & came[1].keys())
    assert len(both) >= RATE
    assert all(np.array_equal(came[0][each].look, came[1][each].look) for each in both)


def test_a_camera_that_changes_its_resolution_goes_on(server: Server) -> None:
    server.start()
    with watching(url=server.url) as seen:
        seen.wait_frames(5)
        server.kill()
        server.start("--size", "640x480")
        wait(lambda: seen.shapes[-1] == (480, 640), seen.reader.state)
        seen.wait_frames(5)
    assert {*seen.shapes} == {(240, 320), (480, 640)}
    assert seen.reader.state.bad.total() <= 1  # the kill may cut a frame in two


def test_a_mute_camera_is_dead_and_comes_back(server: Server) -> None:
    server.start()
    with watching(url=server.url) as seen:
        seen.wait_frames(5)
        server.signal(signal.SIGSTOP)
        seen.wait_phase("dead")
        assert "silent" in str(seen.reader.state.error)
        server.signal(signal.SIGCONT)
        seen.wait_frames(5)
    assert seen.reader.state.outages == 1


SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=rtpmap:96 H264/90000\r\na=control:track\r\n"
)


def answers_nonsense(connection: socket.socket, seed: int) -> None:
    """Nothing that is RTSP."""
    connection.recv(4096)
    connection.sendall(random.Random(seed).randbytes(20_000))


def answers_then_nonsense(connection: socket.socket, seed: int) -> None:
    """A camera that plays by the rules until it is told to play, and then sends noise as if it were video."""
    noise = random.Random(seed)
    while request := connection.recv(4096).decode("latin-1"):
        turn = next((line.split(":")[1].strip() for line in request.split("\r\n") if line.startswith("CSeq")), "1")
        head = f"RTSP/1.0 200 OK\r\nCSeq: {turn}\r\n"
        if request.startswith("DESCRIBE"):
            head += f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP.decode()}"
        elif request.startswith("SETUP"):
            head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n"
        elif request.startswith("PLAY"):
            connection.sendall((head + "Session: 1\r\n\r\n").encode())
            for turn_ in range(200):
                rtp = b"\x80\x60" + turn_.to_bytes(2, "big") + noise.randbytes(8) + noise.randbytes(400)
                connection.sendall(b"$\x00" + len(rtp).to_bytes(2, "big") + rtp)
            connection.sendall(noise.randbytes(5000))
            return
        else:
            head += "Public: DESCRIBE, SETUP, PLAY\r\n\r\n"
        connection.sendall(head.encode())


@pytest.mark.parametrize("answer", [answers_nonsense, answers_then_nonsense])
def test_after_a_server_that_speaks_nonsense_the_camera_is_found_again(
    server: Server, answer: Callable[[socket.socket, int], None]
) -> None:
    server.start()
    with watching(url=server.url) as seen:
        seen.wait_frames(5)
        server.kill()
        calls = 0
        with socket.create_server(("127.0.0.1", server.port)) as listener:
            listener.settimeout(0.1)
            until = time.monotonic() + 30
            while calls < 2:
                assert time.monotonic() < until, f"{calls} calls; state {seen.reader.state}"
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                calls += 1
                with connection:
                    connection.settimeout(5)
                    with suppress(OSError):  # it hangs up on us, as it should
                        answer(connection, calls)
        server.start()
        seen.wait_phase("ok")
        seen.wait_frames(RATE)
    assert seen.reader.state.outages >= 1


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_login_by_digest_is_taken_from_the_mounted_file(server: Server, tmp_path: Path, transport: str) -> None:
    login = tmp_path / "login"
    login.write_text("some body:wr0ng\n")
    server.start("--login", "some body:p@ss/w:rd?#")
    with watching(url=server.url, credentials_file=str(login), transport=transport) as seen:
        seen.wait_phase("dead")
        assert "user and password" in str(seen.reader.state.error)
        login.write_text("some body:p@ss/w:rd?#\n")
        seen.wait_frames(2)


def decoded_in_a_second(watch: Watch) -> float:
    first, begun = watch.state.frames, time.monotonic()
    time.sleep(1)
    return (watch.state.frames - first) / (time.monotonic() - begun)


def test_a_resting_camera_decodes_little_and_wakes_when_something_moves(server: Server, tmp_path: Path) -> None:
    moving = tmp_path / "moving"
    server.start("--moving", str(moving))
    number = [[0, 0], [1, 0], [1, 0.15], [0, 0.15]]  # a frame's number, as a clock in the picture, is no motion
    wanted = Camera.model_validate(
        {
            "source": {"type": "rtsp", "url": server.url},
            "rest": {"after_s": 1, "rate_hz": 1},
            "sent": {"crop": False},
            "gate": {"ignored": [number]},
        }
    )
    taken: list[Taken] = []
    watch = Watch("one", wanted, taken.extend, lambda _: None)
    watch.start()
    try:
        wait(lambda: watch.sleeping, watch.state)
        first, begun = watch.state.frames, time.monotonic()
        wait(lambda: watch.state.frames >= first + 3, watch.state)
        looked = 3 / (time.monotonic() - begun)
        assert looked < RATE / 4, f"{looked:.1f} frames/s are decoded at rest"
        assert not taken
        moving.touch()
        wait(lambda: taken and not watch.sleeping, watch.state)
        wait(lambda: decoded_in_a_second(watch) > RATE / 2, watch.state)
    finally:
        watch.stop()


def test_settings_refuse_a_login_in_the_address() -> None:
    with pytest.raises(ValueError, match="url"):
        Rtsp(type="rtsp", url="rtsp://admin:secret@192.0.2.1/1")
