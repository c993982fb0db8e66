"""A picture with its heat map over it: where the model sees what it reports. For a person to look at."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.inference.card import Card, PicturePrepare
from modules.inference.errors import BadInputError
from modules.inference.pictures import decode

_QUALITY: Final = 85
_LEAST: Final = 0.25  # heat below this leaves the picture as it is
_MOST: Final = 0.55  # of colour over the picture, where the heat is 1
_SIDE: Final = 640  # pixels; a larger picture is shown smaller


def shown(body: bytes, heat: NDArray[np.float32], card: Card) -> bytes:
    """The encoded picture `body` under `heat`, shape (h, w), as JPEG: warm colours where the defect is.

    Heat is a probability, or a score before the logistic function when it leaves 0 to 1. Raises BadInputError.
    """
    prepare = card.prepare
    if not isinstance(prepare, PicturePrepare):
        raise BadInputError("no_heat", "heat maps are of pictures")
    pixels = decode(body, prepare.model_copy(update={"colour": "bgr", "interpolation": "area"}))
    height, width = pixels.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    where = _placed(probable(heat), (size[1], size[0]), prepare)
    colour = cv2.applyColorMap(np.round(255 * where).astype(np.uint8), cv2.COLORMAP_JET)
    share = (_MOST * np.clip((where - _LEAST) / (1 - _LEAST), 0, 1))[:, :, None]
    mixed = picture * (1 - share) + colour * share
    edges = cv2.findContours((where >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    drawn = cv2.drawContours(np.ascontiguousarray(mixed.astype(np.uint8)), edges, -1, (255, 255, 255), 1)
    return bytes(cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def probable(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heat as probabilities."""
    values = np.asarray(heat, np.float32)
    if values.min() >= 0 and values.max() <= 1:
        return values
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))), np.float32)


def _placed(heat: NDArray[np.float32], size: tuple[int, int], prepare: PicturePrepare) -> NDArray[np.float32]:
    """The heat where it belongs in a picture of `size` (h, w): borders of a letterbox cut off, a crop put in place."""
    height, width = size
    left, top, across, down = prepare.crop or (0.0, 0.0, 1.0, 1.0)
    area = (max(1, round(down * height)), max(1, round(across * width)))
    if prepare.fit != "stretch":
        heat = _without_borders(heat, area, prepare)
    scaled = cv2.resize(heat, (area[1], area[0]), interpolation=cv2.INTER_LINEAR)
    whole = np.zeros(size, np.float32)
    y, x = min(int(top * height), height - 1), min(int(left * width), width - 1)
    part = scaled[: height - y, : width - x]
    whole[y : y + part.shape[0], x : x + part.shape[1]] = part
    return whole


def _without_borders(heat: NDArray[np.float32], area: tuple[int, int], prepare: PicturePrepare) -> NDArray[np.float32]:
    """The part of the heat map that the picture filled."""
    factor = min(prepare.width / area[1], prepare.height / area[0])
    shares = (area[0] * factor / prepare.height, area[1] * factor / prepare.width)
    inner = [max(1, round(share * side)) for share, side in zip(shares, heat.shape, strict=True)]
    begin = [(side - kept) // 2 for side, kept in zip(heat.shape, inner, strict=True)]
    return heat[begin[0] : begin[0] + inner[0], begin[1] : begin[1] + inner[1]]
