"""The simulator's files, its machines and its camera."""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

from devices.scene import HEIGHT, WIDTH, Scene, View, Visit
from devices.signals import Fault
from devices.simulator import Wave, Waves, camera, load, main

ROOT = Path(__file__).resolve().parents[2]
SCENE = Scene(visits=(Visit(at_s=5, lasts_s=4, every_s=10),))


def test_an_animal_is_there_in_its_time_and_the_place_is_dark_without() -> None:
    view = View(SCENE, 1)
    empty, near, gone = view.picture(40), view.picture(70), view.picture(95)
    assert empty.shape == (HEIGHT, WIDTH) and empty.dtype == np.uint8
    assert abs(gone.astype(int) - empty).mean() < 5
    moved = np.abs(near.astype(int) - empty) > 40
    assert 0.02 < moved.mean() < 0.3
    assert (View(SCENE, 1).picture(70) == near).all()
    assert (View(SCENE, 2).picture(70) != near).any()


def test_blocks_follow_each_other_and_a_defect_strikes_from_its_time_on() -> None:
    wave = Wave(name="press1/bearing", rpm=1772, faults=(Fault(at_s=2, over_s=1, add=20),))
    messages = [message for end in (1.0, 2.5, 6.0) for message in Waves(wave, 1, 0.0).until(end, 1_767_323_045.0)]
    whole = list(Waves(wave, 1, 0.0).until(6.0, 1_767_323_045.0))
    assert [message.body for message in messages[-len(whole) :]] == [message.body for message in whole]
    assert [message.seq for message in whole] == list(range(17))
    crests = [np.abs(np.frombuffer(each.body, "<f4")).max() for each in whole]
    assert max(crests[:5]) < 5
    assert min(crests[10:]) > 10


def test_the_camera_sends_pictures() -> None:
    ended = threading.Event()
    server = camera(SCENE, 1, 6.5, ("127.0.0.1", 0), ended)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/video.mjpg", timeout=10) as stream:
            assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            assert stream.readline() == b"--picture\r\n"
            assert stream.readline() == b"Content-Type: image/jpeg\r\n"
            size = int(stream.readline().split(b":")[1])
            stream.readline()
            picture = cv2.imdecode(np.frombuffer(stream.read(size), np.uint8), cv2.IMREAD_GRAYSCALE)
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
    assert picture is not None and picture.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "docs" / "recipes").iterdir()))
def test_each_recipe_can_be_read(folder: str) -> None:
    plan = load(ROOT / "docs" / "recipes" / folder / "simulator.toml")
    assert plan.sensor
    names = [sensor.name for sensor in plan.sensor] + [wave.name for wave in plan.wave]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source = 1", "source"),
        ("source", "Expected"),
        ('source = "a"\ncamera = "${NOT_SET_ANYWHERE}"\n[scene]', "NOT_SET_ANYWHERE' is not set"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    (tmp_path / "plan.toml").write_text(text)
    assert main([str(tmp_path / "plan.toml")]) == 2
    said = capsys.readouterr().err
    assert "plan.toml" in said and says in said
