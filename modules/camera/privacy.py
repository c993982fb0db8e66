"""Private areas are painted over where a frame comes in: nothing behind here has ever seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modules.camera.frame import Frame, Lazy
from modules.camera.shapes import Point, paint


def private(frame: Frame, areas: Sequence[Sequence[Point]]) -> Frame:
    """The frame with the areas painted over, its grey part too; the source's own JPEG shows them and is dropped."""
    if not areas:
        return frame
    pixels = frame.pixels
    painted = Lazy(lambda: paint(frame.picture, areas)) if isinstance(pixels, Lazy) else paint(pixels, areas)
    luma = None if frame.luma is None else paint(frame.luma, areas)
    return replace(frame, pixels=painted, luma=luma, encoded=None)
