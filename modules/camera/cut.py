"""From a chosen frame to the JPEG of its message: cut, scaled, compressed to what a message holds."""

from __future__ import annotations

import cv2
import numpy as np

from modules.camera.choice import Sent
from modules.camera.event import Shot
from modules.camera.frame import MESSAGE_BYTES, Picture, encode
from modules.camera.motion import Region


def jpeg(shot: Shot, wanted: Sent, *, limit: int = MESSAGE_BYTES) -> tuple[bytes, int, int]:
    """The shot's picture as JPEG of at most `limit` bytes, its width and its height.

    A whole picture whose source had it as JPEG goes on bit for bit where it fits.
    """
    frame, picture = shot.frame, shot.frame.picture
    if wanted.crop and shot.thing is not None:
        picture = crop(picture, shot.thing.region, wanted.margin)
    if wanted.cover is not None:
        picture = covering(picture, *wanted.cover)
    if picture is frame.picture and frame.encoded is not None and len(frame.encoded) <= limit:
        encoded = frame.encoded
    else:
        encoded, picture = encode(picture, quality=wanted.quality, limit=limit)
    height, width = picture.shape[:2]
    return encoded, width, height


def crop(picture: Picture, region: Region, margin: float) -> Picture:
    """The region of the picture with ``margin`` (a share of the picture's longer side) round it, cut at the border."""
    height, width = picture.shape[:2]
    extra = round(margin * max(height, width))
    top, left = max(0, region.y - extra), max(0, region.x - extra)
    part = picture[top : region.y + region.height + extra, left : region.x + region.width + extra]
    return np.ascontiguousarray(part)


def covering(picture: Picture, width: int, height: int) -> Picture:
    """Scaled down, in its own shape, until one side is what is asked for; never enlarged."""
    factor = max(width / picture.shape[1], height / picture.shape[0])
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
