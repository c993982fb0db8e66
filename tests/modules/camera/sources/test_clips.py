"""Real clips (`tests/clips` fetches them, MILLWATCH_CLIPS names their folder): every frame, in colour and grey."""

import os
from pathlib import Path

import pytest

from modules.camera.sources import Video

CLIPS = {
    "bikes.mp4": (250, 640, 272),
    "bigbuckbunny.mp4": (132, 1280, 720),
    "carphone_pristine.mp4": (120, 176, 144),
    "carphone_distorted.mp4": (120, 176, 144),
    "vtest.avi": (795, 768, 576),
}


@pytest.mark.parametrize("name", CLIPS)
def test_a_real_clip_is_read_whole(name: str) -> None:
    folder = os.environ.get("MILLWATCH_CLIPS")
    if folder is None or not (Path(folder) / name).is_file():
        pytest.skip(f"no {name}: run MILLWATCH_CLIPS=$(tests/clips)")
    count, width, height = CLIPS[name]
    source = Video(type="video", path=Path(folder) / name, pace="fastest", repeat=False).source()
    source.open()
    came = 0
    while (frame := source.read()) is not None:
        came += 1
        assert frame.look.shape == (height, width)
        if came % 50 == 1:
            assert frame.picture.shape == (height, width, 3)
            assert frame.picture.std() > 5
    assert came == count
