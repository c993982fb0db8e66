"""A real clip: OpenCV's vtest.avi, walkers on a square, 10 frames/s (Debian's package opencv-doc).

Labelled by eye. The square itself is never empty; the lawn in the lower left corner is, but for frames 512 to 712.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from modules.camera.motion import GateRules, Region

LAWN = ((0.0, 0.62), (0.30, 0.62), (0.60, 0.86), (0.70, 1.0), (0.0, 1.0))
ON_LAWN = range(512, 713)
START = datetime(2026, 1, 2, tzinfo=UTC)
# Where walkers are, by eye, to some 15 pixels.
WALKERS = {
    192: [(278, 236), (583, 293), (683, 281), (541, 181)],
    416: [(308, 242), (574, 172)],
    448: [(317, 245), (501, 214), (589, 287)],
    640: [(359, 438), (519, 287), (661, 251)],
}


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    path = Path(os.environ.get("MILLWATCH_CLIPS", "nowhere")) / "vtest.avi"
    if not path.is_file():
        pytest.skip(f"needs vtest.avi of Debian's opencv-doc: set MILLWATCH_CLIPS to its folder ({path} is missing)")
    capture = cv2.VideoCapture(str(path))
    frames: list[np.ndarray] = []
    while True:
        got, picture = capture.read()
        if not got:
            return frames
        frames.append(picture)


def test_the_lawn_is_quiet_while_it_is_empty_and_its_walkers_are_found(clip: list[np.ndarray]) -> None:
    gate, event, sent = Gate(regions=[LAWN]), Event(), []
    for index, picture in enumerate(clip):
        frame = Frame(np.asarray(picture, np.uint8), START + timedelta(seconds=index / 10), item=str(index))
        sent += [int(shot.frame.item or -1) for shot in event.follow(frame, gate.watch(frame.picture))]
    assert [index for index in sent if index not in ON_LAWN] == []
    assert any(index < 600 for index in sent), sent  # two come in, and stand there for a while
    assert any(index > 600 for index in sent), sent  # one goes on alone


def test_the_walkers_on_the_square_are_seen_where_they_are(clip: list[np.ndarray]) -> None:
    gate, missed = Gate(GateRules(min_area=0.002)), []
    for index, picture in enumerate(clip[: max(WALKERS) + 1]):
        things = gate.watch(np.asarray(picture, np.uint8)).things
        walkers = WALKERS.get(index, [])
        missed += [(index, each) for each in walkers if not any(_shows(thing.region, each) for thing in things)]
    assert len(missed) <= 1, missed


def _shows(region: Region, point: tuple[int, int]) -> bool:
    x, y = point
    return region.x - 15 <= x <= region.x + region.width + 15 and region.y - 15 <= y <= region.y + region.height + 15
