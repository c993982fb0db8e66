"""The camera module on an edge that is played: what starts again, what is told, and what never is."""

import asyncio
import json
import logging
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from modules.camera.module import CameraModule
from modules.camera.reader import Reader
from modules.camera.settings import Camera, CameraSettings
from modules.common.edge import Edge
from modules.common.messages import rfc3339
from tests.modules.camera.sources.films import film, frame
from tests.modules.conftest import PlayedTransport

SECRET = "pr1vate/w@rd"
Play = Callable[[Edge[CameraSettings], Callable[[], Awaitable[None]]], None]
Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: PlayedTransport) -> Edge[CameraSettings]:
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
    monkeypatch.setenv("MILLWATCH_CAMERAS", "{}")
    return Edge("camera", CameraSettings, state_dir=tmp_path / "state", transport=transport, heartbeat_s=0.2)


def set_cameras(transport: PlayedTransport, **cameras: object) -> None:
    version = int(str(transport.desired["$version"])) + 1
    transport.desired = {"$version": version, "settings": {"cameras": cameras}}
    transport.patch({"$version": version, "settings": {"cameras": None}} if not cameras else transport.desired)


def conveyor(**more: object) -> dict[str, object]:
    return {"source": {"type": "conveyor", "rate_hz": 30, **more}}


async def view(transport: PlayedTransport, path: str) -> tuple[str, bytes]:
    """GET a view as status does."""
    where = transport.outputs("health")[-1].document()["view"]
    assert isinstance(where, dict)

    def ask() -> tuple[str, bytes]:
        request = urllib.request.Request(where["url"] + path, headers={"Authorization": f"Bearer {where['token']}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers["Content-Type"], answer.read()

    return await asyncio.to_thread(ask)


def told(transport: PlayedTransport) -> dict[str, Any]:
    facts = transport.outputs("health")[-1].document()["facts"]
    assert isinstance(facts, dict)
    cameras: dict[str, Any] = facts["cameras"]
    return cameras


def test_only_the_cameras_whose_settings_changed_start_again(
    edge: Edge[CameraSettings], play: Play, transport: PlayedTransport, until: Until
) -> None:
    module = CameraModule(edge)

    async def part() -> None:
        set_cameras(transport, one=conveyor(), two=conveyor(), three=conveyor())
        await until(lambda: len(module._watches) == 3)
        before = dict(module._watches)
        changed = {"one": conveyor(), "two": conveyor(seed=9), "three": None, "four": conveyor()}
        transport.patch({"$version": 3, "settings": {"cameras": changed}})
        await until(lambda: set(module._watches) == {"one", "two", "four"})
        assert module._watches["one"] is before["one"]
        assert module._watches["two"] is not before["two"]
        running = {thread.name for thread in threading.enumerate() if thread.name.startswith("camera ")}
        assert running == {f"camera {name} {does}" for name in ("one", "two", "four") for does in ("reads", "looks")}

    play(edge, part)


def test_the_views_show_state_and_newest_picture(
    edge: Edge[CameraSettings], play: Play, transport: PlayedTransport, until: Until
) -> None:
    CameraModule(edge)

    async def part() -> None:
        set_cameras(transport, belt=conveyor())
        await until(lambda: transport.outputs("health") and "belt" in told(transport))
        await until(lambda: told(transport)["belt"]["frames"] > 20)
        kind, body = await view(transport, "/view/cameras")
        assert kind == "application/json"
        belt = json.loads(body)["belt"]
        assert belt["state"] == "ok"
        assert belt["trouble"] is None
        assert belt["sleeping"] is False
        assert 0 <= belt["age_s"] < 5
        assert belt["fps"] > 1
        kind, body = await view(transport, "/view/picture?source=belt")
        assert kind == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (480, 640, 3)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await view(transport, "/view/picture?source=none")

    play(edge, part)


def test_a_black_camera_is_a_warning_with_its_reason_and_cleared(
    edge: Edge[CameraSettings], play: Play, transport: PlayedTransport, until: Until, tmp_path: Path
) -> None:
    CameraModule(edge)
    path = film(tmp_path / "night.mp4", 50)
    with_light = path.read_bytes()
    dark = tmp_path / "dark.mp4"
    film(dark, 50, scene=night)
    path.write_bytes(dark.read_bytes())

    async def part() -> None:
        source = {"type": "video", "path": str(path)}
        set_cameras(transport, hall={"source": source, "sight": {"black_s": 1}})
        await until(lambda: transport.outputs("health") and told(transport).get("hall", {}).get("state") == "black")
        health = transport.outputs("health")[-1].document()
        assert health["state"] == "warn"
        assert "hall: the picture is black" in str(health["text"])
        path.write_bytes(with_light)
        await until(lambda: told(transport)["hall"]["state"] == "ok")
        assert transport.outputs("health")[-1].document()["state"] == "ok"

    play(edge, part)


def night(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """The scene with next to no light."""
    return frame(number, width, height) // 30


@pytest.fixture
def refusing() -> Iterator[tuple[str, list[bytes]]]:
    """A camera that refuses everybody, in the words of both protocols; its address and what it was asked."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(2)
                for _ in range(3):
                    try:
                        request = connection.recv(4096)
                    except OSError:
                        break
                    if not request:
                        break
                    asked.append(request)
                    rtsp = b"RTSP" in request
                    turn = next((line for line in request.split(b"\r\n") if line.startswith(b"CSeq")), b"X: 1")
                    connection.sendall(
                        (b"RTSP/1.0" if rtsp else b"HTTP/1.1") + b" 401 Unauthorized\r\n" + turn + b"\r\n"
                        b'WWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0\r\n\r\n'
                    )

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", asked
    stop.set()
    thread.join()
    listener.close()


def test_a_password_is_in_no_log_twin_health_view_metric_nor_file(
    edge: Edge[CameraSettings],
    play: Play,
    transport: PlayedTransport,
    until: Until,
    refusing: tuple[str, list[bytes]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    CameraModule(edge)
    address, asked = refusing
    login = tmp_path / "login"
    login.write_text(f"ada:{SECRET}\n")
    said: list[bytes] = []

    async def part() -> None:
        cameras = {
            "rtsp": {"source": {"type": "rtsp", "url": f"rtsp://{address}/1", "credentials_file": str(login)}},
            "http": {"source": {"type": "mjpeg", "url": f"http://{address}/2", "credentials_file": str(login)}},
        }
        set_cameras(transport, **cameras)
        await until(lambda: transport.outputs("health") and len(told(transport)) == 2)
        await until(lambda: all("user and password" in str(each["trouble"]) for each in told(transport).values()))
        for path in ("/view/cameras", "/metrics"):
            said.append((await view(transport, path))[1])
        said.append(repr(await transport.call("getStatus")).encode())

    play(edge, part)
    sent_as = [b"YWRhOnByMXZhdGUvd0ByZA=="]  # ada:pr1vate/w@rd
    assert any(word in request for request in asked for word in sent_as), "the camera was never told the password"
    captured = capfd.readouterr()
    said += [record.getMessage().encode() + str(record.exc_text).encode() for record in caplog.records]
    said += [captured.out.encode(), captured.err.encode(), repr(transport.reported).encode()]
    said += [message.body + repr(message.facts()).encode() for _, message in transport.sent]
    said += [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    said.append(repr(edge.settings).encode() + edge.settings.model_dump_json().encode())
    for words in ("pr1vate", "w@rd", "w%40rd", "YWRhOn"):
        assert [each for each in said if words.encode() in each] == []


def test_a_failure_that_nobody_thought_of_is_told_without_its_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader("one", Camera.model_validate({"source": {"type": "conveyor"}}), lambda _: None)

    def fails() -> None:
        reader._stop.set()
        raise RuntimeError(f"rtsp://ada:{SECRET}@192.0.2.1/1")

    monkeypatch.setattr(reader._source, "open", fails)
    reader._reading(lambda _: None)
    assert reader.state.phase == "dead"
    assert "RuntimeError at" in str(reader.state.error)
    assert SECRET not in str(reader.state.error) + caplog.text


def test_the_time_of_the_last_event_is_told(
    edge: Edge[CameraSettings], play: Play, transport: PlayedTransport, until: Until
) -> None:
    CameraModule(edge)

    async def part() -> None:
        set_cameras(transport, belt={"source": {"type": "conveyor"}, "gate": {"mode": "every"}})
        await until(lambda: transport.outputs("frames"))
        await until(lambda: told(transport)["belt"]["last_event"])
        first = transport.outputs("frames")[0]
        assert told(transport)["belt"]["last_event"] >= rfc3339(first.time)

    play(edge, part)


def bright(_number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Nothing but light: whatever is not light has been painted."""
    return np.full((height, width, 3), 250, np.uint8)


def test_no_way_out_shows_what_is_private(
    edge: Edge[CameraSettings],
    play: Play,
    transport: PlayedTransport,
    until: Until,
    tmp_path: Path,
) -> None:
    CameraModule(edge)
    path = film(tmp_path / "bright.mp4", 25, scene=bright)
    pictures: list[bytes] = []

    async def part() -> None:
        private = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]
        hall = {"source": {"type": "video", "path": str(path)}, "private": private, "gate": {"mode": "every"}}
        settings = {"cameras": {"hall": hall}, "sample_share": 1}
        transport.patch({"$version": 2, "settings": settings})
        await until(
            lambda: transport.outputs("frames") and transport.outputs("samples") and transport.outputs("health")
        )
        pictures.append((await view(transport, "/view/picture?source=hall"))[1])
        pictures.append((await view(transport, "/view/last.jpg?camera=hall"))[1])
        pictures.extend(transport.outputs(name)[0].body for name in ("frames", "samples"))

    play(edge, part)
    assert len(pictures) == 4
    for picture in pictures:
        shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert shown is not None
        assert shown[:, 100:].min() > 200
        assert shown[:, :60].max() < 200
