"""A file as fast as it decodes through all that a camera has: reader, gate, event, ring, JPEG. Nothing may pile up."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from modules.camera.settings import Camera
from modules.camera.watch import Taken, Watch
from tests.modules.camera.sources.films import film
from tests.modules.camera.weight import weighed, weight

SIZE = (320, 180)
FILM, PITCH = 500, 50  # frames, and frames from one part to the next
GRAIN = np.random.default_rng(5).integers(-4, 5, (7, SIZE[1], SIZE[0], 1), np.int16)
PART = np.random.default_rng(6).integers(140, 230, (80, 80, 1), np.uint8)


def belt(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """A grey belt with a part at every so many frames, (height, width, 3)."""
    picture = np.full((height, width, 3), 90, np.int16)
    left = index % PITCH * 12 - 150
    if 0 <= left <= width - 80:
        picture[50:130, left : left + 80] = PART
    return np.asarray(np.clip(picture + GRAIN[index % 7], 0, 255), np.uint8)


@weighed
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [1_000, pytest.param(108_000, marks=pytest.mark.soak)])
def test_memory_and_handles_stay_flat_over_frames_as_fast_as_they_decode(
    tmp_path: Path, show: Callable[[str], None], count: int
) -> None:
    path = film(tmp_path / "belt.mp4", FILM, size=SIZE, scene=belt)
    source = {"type": "video", "path": path, "pace": "fastest", "repeat": True}
    weights: dict[int, tuple[float, int]] = {}
    pictures, over = [0], threading.Event()

    def deliver(taken: list[Taken]) -> None:
        pictures[0] += len(taken)
        for at in (count // 10, count):
            if watch.state.frames >= at and at not in weights:
                weights[at] = weight()
        if count in weights:
            over.set()

    wanted = Camera.model_validate({"source": source, "event": {"before_s": 0.1, "cool_down_s": 0}})
    watch = Watch("belt", wanted, deliver, lambda _taken: None)
    begun = time.monotonic()
    watch.start()
    try:
        assert over.wait(3500)
    finally:
        watch.stop(30)
    frames = watch.state.frames
    (memory, handles), (memory_after, handles_after) = weights[count // 10], weights[count]
    show(
        f"{frames:,} frames at {frames / (time.monotonic() - begun):.0f}/s, {pictures[0]:,} pictures: "
        f"{memory:.1f} MB and {handles} handles after a tenth, {memory_after:.1f} MB and {handles_after} at the end"
    )
    assert pictures[0] > 0.9 * frames / PITCH
    assert memory_after - memory < 8
    assert handles_after == handles
