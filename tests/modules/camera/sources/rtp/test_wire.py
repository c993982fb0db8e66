import base64
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

import pytest

from modules.camera.sources.rtp import wire as module
from modules.camera.sources.rtp.conversation import Refused
from modules.camera.sources.rtp.interleaved import NotRtsp
from modules.camera.sources.rtp.sdp import START, NotOurs
from modules.camera.sources.rtp.units import Unit
from modules.camera.sources.rtp.wire import BURST_BYTES, Wire
from tests.modules.camera.sources.rtp.packets import rtp, stream
from tests.modules.camera.sources.rtp.server import SDP, Camera, framed

KEY, OTHER = b"\x65\x88", b"\x41\x9a"
FRAMES = [[KEY + bytes(3000)], *([OTHER + bytes([index]) * 700] for index in range(1, 9))]
WHOLE = [b"".join(START + nal for nal in each) for each in FRAMES]
VIDEO = framed(stream("h264", FRAMES, 1), 2)
PATIENCE_S = 20.0


def sends(*parts: bytes) -> Callable[[socket.socket], None]:
    def play(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return play


def units(wire: Wire, count: int) -> list[Unit]:
    return list(islice(wire.units(), count))


def test_the_video_plays_and_the_conversation_is_as_it_should_be() -> None:
    receipts = framed([b"\x81\xc9\0\1"], 3) + framed([b"audio"], 0)
    with Camera(sends(receipts, VIDEO[:1000], VIDEO[1000:])) as camera:
        wire = Wire(camera.url.replace("//", "//user:word@"), PATIENCE_S)
        assert [unit.data for unit in units(wire, len(WHOLE))] == WHOLE
        wire.close()
    methods = [request.split()[0] for request in camera.requests]
    assert methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert [request.split()[1] for request in camera.requests][2:] == [
        f"{camera.url}/track1",
        f"{camera.url}/",
        f"{camera.url}/",
    ]
    assert all("Session: 7" in request for request in camera.requests[3:])
    assert [request.split("CSeq: ")[1].split("\r\n")[0] for request in camera.requests] == ["1", "2", "3", "4", "5"]
    assert "word" not in "".join(camera.requests)


def test_what_overtakes_the_reply_to_play_is_not_lost() -> None:
    def answers(request: str) -> None:
        connection.append(request)

    connection: list[str] = []

    def play(peer: socket.socket) -> None:
        peer.sendall(VIDEO + Camera.reply(connection[-1], "200 OK"))

    with Camera(play, answers={"PLAY": answers}) as camera:
        wire = Wire(camera.url, PATIENCE_S)
        assert [unit.data for unit in units(wire, len(WHOLE))] == WHOLE
        wire.close()


@pytest.mark.parametrize("asks", ["Basic", "Digest"])
def test_a_login_is_answered_and_a_wrong_one_is_refused(asks: str) -> None:
    right = base64.b64encode(b"some body:p@ss").decode()

    def answers(request: str) -> str:
        if f"Basic {right}" in request or 'nonce="n", uri=' in request:
            return f"200 OK\r\n\r\n{SDP}"
        return f'401 No\r\nWWW-Authenticate: {asks} realm="r", nonce="n"'

    with Camera(sends(VIDEO), answers={"DESCRIBE": answers}) as camera:
        for login in ("", *(["some body:wrong@"] if asks == "Basic" else [])):
            with pytest.raises(Refused, match="user and password"):
                Wire(camera.url.replace("//", f"//{login}"), PATIENCE_S)
        wire = Wire(camera.url.replace("//", "//some%20body:p%40ss@"), PATIENCE_S)
        assert len(units(wire, 2)) == 2
        wire.close()


@pytest.mark.parametrize(
    ("method", "answer", "error"),
    [
        ("DESCRIBE", "404 Not Found", Refused),
        ("DESCRIBE", "301 Moved\r\nLocation: rtsp://192.0.2.1/", NotOurs),
        ("DESCRIBE", f"200 OK\r\n\r\n{SDP.replace('H264', 'JPEG')}", NotOurs),
        ("SETUP", "461 Unsupported Transport", NotOurs),
        ("SETUP", "200 OK\r\nSession: 1\r\nTransport: RTP/AVP/UDP;server_port=1-2", NotOurs),
        ("SETUP", "200 OK\r\nTransport: RTP/AVP/TCP;interleaved=0-1", NotOurs),
        ("PLAY", None, TimeoutError),
        ("OPTIONS", None, TimeoutError),
    ],
)
def test_what_does_not_play_is_told_apart(method: str, answer: str | None, error: type[Exception]) -> None:
    with Camera(answers={method: lambda _: answer}) as camera, pytest.raises(error):
        Wire(camera.url, 0.3 if answer is None else PATIENCE_S)


def test_nobody_there() -> None:
    with Camera() as camera:
        pass
    with pytest.raises(ConnectionRefusedError):
        Wire(camera.url, PATIENCE_S)


@pytest.mark.parametrize("bursts", [False, True])
@pytest.mark.parametrize(
    ("after", "error"), [(b"", TimeoutError), (framed([b"\x81\xc9\0\1"], 3), TimeoutError), (b"\xff\xfe", NotRtsp)]
)
def test_silence_and_nonsense_end_it(after: bytes, error: type[Exception], bursts: bool) -> None:
    stop = threading.Event()

    def play(connection: socket.socket) -> None:
        connection.sendall(VIDEO)
        while not stop.wait(0.02):  # a camera whose encoder hangs tells of its clock all the same
            connection.sendall(after)

    with Camera(play) as camera:
        wire = Wire(camera.url, 0.5)
        wire.gather(bursts=bursts)
        try:
            with pytest.raises(error):
                units(wire, 1000)
        finally:
            stop.set()
            wire.close()


@pytest.mark.parametrize("bursts", [False, True])
def test_a_server_that_hangs_up_is_noticed_at_once(bursts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BURST_S", 1000.0)

    def play(connection: socket.socket) -> None:
        connection.sendall(VIDEO)
        connection.shutdown(socket.SHUT_RDWR)

    with Camera(play) as camera:
        wire = Wire(camera.url, 1000.0)
        wire.gather(bursts=bursts)
        assert [unit.data for unit in units(wire, 1000)] == WHOLE
        wire.close()


def test_the_session_is_kept_alive_also_when_the_login_grows_old() -> None:
    enough = threading.Event()

    def answers(_request: str) -> str:
        count = len([each for each in camera.requests if each.startswith("GET_PARAMETER")])
        if count >= 3:
            enough.set()
        return '401 No\r\nWWW-Authenticate: Digest realm="r", nonce="new"' if count == 1 else "200 OK"

    def play(connection: socket.socket) -> None:
        threading.Thread(target=on_and_on, args=(connection,), daemon=True).start()

    def on_and_on(connection: socket.socket) -> None:
        with suppress(OSError):  # until it hangs up
            for packet in stream("h264", FRAMES * 300, 1):
                connection.sendall(framed([packet], 2))
                time.sleep(0.002)

    setup = "200 OK\r\nSession: 7;timeout=2\r\nTransport: RTP/AVP/TCP;interleaved=2-3"
    with Camera(play, answers={"GET_PARAMETER": answers, "SETUP": lambda _: setup}) as camera:
        wire = Wire(camera.url.replace("//", "//a:b@"), PATIENCE_S)
        for _unit in wire.units():
            if enough.is_set():
                break
        wire.close()
    asked = [each for each in camera.requests if each.startswith("GET_PARAMETER")]
    assert "Authorization" not in asked[0]
    assert all('nonce="new"' in each and "Session: 7" in each for each in asked[1:])


def large(count: int) -> list[bytes]:
    """Key frames of one packet each, as large as packets are."""
    return [rtp(KEY + bytes([number]) * 60_000, number, 90 * number, last=True) for number in range(count)]


@pytest.mark.parametrize("count", [6, 200])
def test_a_burst_is_read_as_soon_as_enough_has_come_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The time of a burst is set so long that it cannot be what ends one."""
    monkeypatch.setattr(module, "BURST_S", 1000.0)
    some, woken, read = large(count), [], threading.Event()

    def play(connection: socket.socket) -> None:
        connection.sendall(framed(some, 2))
        woken.append(read.wait(PATIENCE_S))
        connection.shutdown(socket.SHUT_RDWR)

    found: list[Unit] = []
    with Camera(play) as camera:
        wire = Wire(camera.url, 1000.0)
        wire.gather(bursts=True)
        for unit in wire.units():
            found.append(unit)
            read.set()
        wire.close()
    assert woken == [True]
    assert [unit.data for unit in found] == [START + each[12:] for each in some]


def test_the_end_of_the_rest_ends_the_wait_for_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BURST_S", 1000.0)
    set_to: list[int] = []
    known = Wire._wake_at

    def noted(wire: Wire, size: int) -> None:
        known(wire, size)
        set_to.append(size)

    monkeypatch.setattr(Wire, "_wake_at", noted)
    some, go_on = large(2), threading.Event()

    def play(connection: socket.socket) -> None:
        connection.sendall(framed(some[:1], 2))
        go_on.wait(PATIENCE_S)
        connection.sendall(framed(some[1:], 2))

    found: list[Unit] = []
    with Camera(play) as camera:
        wire = Wire(camera.url, 1000.0)
        units(wire, 1)
        wire.gather(bursts=True)
        reader = threading.Thread(target=lambda: found.extend(units(wire, 1)), daemon=True)
        reader.start()
        until = time.monotonic() + PATIENCE_S
        while set_to != [BURST_BYTES] and time.monotonic() < until:
            time.sleep(0.01)
        go_on.set()
        time.sleep(0.1)  # it waits by now; were it not so, this would be no failure
        assert not found
        wire.gather(bursts=False)
        reader.join(PATIENCE_S)
        assert len(found) == 1
        wire.close()
