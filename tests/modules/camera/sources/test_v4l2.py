"""A V4L2 device: one that is none, and a real one where the kernel has v4l2loopback (a test plays the camera)."""

import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from modules.camera.sources import SourceError
from modules.camera.sources.v4l2 import V4l2, V4l2Source

WIDTH, HEIGHT = 320, 240
# linux/videodev2.h: VIDIOC_S_FMT, V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_FIELD_NONE, V4L2_COLORSPACE_SRGB
SET_FORMAT, OUTPUT, PROGRESSIVE, SRGB = 0xC0D05605, 2, 1, 8
VIRTUAL = Path("/sys/devices/virtual/video4linux")


def source(device: Path, **more: object) -> V4l2Source:
    return V4l2.model_validate({"type": "v4l2", "device": str(device), **more}).source()


@pytest.mark.parametrize("device", [Path("/dev/null"), Path("/dev/video-that-is-not-there")])
def test_what_is_no_camera_is_named(device: Path) -> None:
    camera = source(device)
    with pytest.raises(SourceError, match=str(device)):
        camera.open()
    with pytest.raises(SourceError, match="not open"):
        camera.read()
    camera.close()


@pytest.fixture
def loopback() -> Path:
    devices = [Path("/dev") / each.name for each in sorted(VIRTUAL.glob("video*"))]
    usable = [device for device in devices if os.access(device, os.R_OK | os.W_OK)]
    if not usable:
        pytest.skip(
            "needs a v4l2loopback device to write to: modprobe v4l2loopback exclusive_caps=0 (root, its kernel)"
        )
    return usable[0]


@contextmanager
def playing(device: Path) -> Iterator[None]:
    """Write frames of even grey to the device, brighter by one level each, from a thread."""
    size = WIDTH * HEIGHT * 2
    output = os.open(device, os.O_RDWR)
    form = struct.pack(
        "<I4xIIIIIII", OUTPUT, WIDTH, HEIGHT, int.from_bytes(b"YUYV", "little"), PROGRESSIVE, WIDTH * 2, size, SRGB
    )
    fcntl.ioctl(output, SET_FORMAT, form.ljust(208, b"\0"))
    over = threading.Event()

    def play() -> None:
        level = 40
        while not over.wait(0.02):
            os.write(output, bytes([level, 128]) * (WIDTH * HEIGHT))
            level = level + 1 if level < 200 else 40

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        os.close(output)


def test_a_real_device_gives_its_pictures_and_comes_back_after_it_was_closed(loopback: Path) -> None:
    with playing(loopback):
        camera = source(loopback, width=WIDTH, height=HEIGHT, format="YUYV")
        for _ in range(2):
            camera.open()
            pictures = [camera.read().picture for _ in range(5)]
            camera.close()
            assert all(picture.shape == (HEIGHT, WIDTH, 3) and picture.std() < 3 for picture in pictures)
            assert len({int(np.median(picture)) for picture in pictures}) > 1
