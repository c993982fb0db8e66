"""Small films of numbered frames, made by real encoders."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS = 16


def frame(number: int, width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """A grey scene with its number as blocks along the top, (height, width, 3)."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[height // 2 :, width // 4 : width // 2] = 150
    for bit in range(BITS):
        left = bit * width // BITS
        picture[: height // 4, left : left + width // BITS] = 200 if number >> bit & 1 else 40
    return picture


def number(grey: NDArray[np.uint8]) -> int:
    """The number in a frame of any size."""
    height, width = grey.shape[:2]
    row = grey[height // 8]
    return sum(int(row[bit * width // BITS + width // BITS // 2] > 120) << bit for bit in range(BITS))


def film(
    path: Path,
    count: int,
    *,
    codec: str = "libx264",
    rate: int = 25,
    size: tuple[int, int] = (128, 96),
    pixels: str = "yuv420p",
    key_every: int = 25,
    frames_between: int = 0,
    scene: Callable[[int, int, int], NDArray[np.uint8]] = frame,
) -> Path:
    """Write ``count`` frames; ``frames_between`` is how many may refer to a later one."""
    options = {"bf": str(frames_between), "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = key_every
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(index, *size), format="bgr24")))
        container.mux(stream.encode(None))
    return path
