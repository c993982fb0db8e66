"""An encoded picture turned into a model's input, as its card says.

OpenCV's INTER_AREA costs more than decoding and many a network. Interpolation `quick` halves a side by averaging while
it is at least twice too large, then goes the rest bilinearly; of a JPEG both sides are halved by its decoder, which
leaves out the work. Training prepares its pictures here, too.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.inference.card import PicturePrepare
from modules.inference.errors import BadInputError

_END_OF_JPEG: Final = b"\xff\xd9"
_START_OF_JPEG: Final = b"\xff\xd8"
_MARKER: Final = 0xFF
_TRAILER: Final = 512  # some cameras append a few bytes after the end marker
_MAX_PIXELS: Final = 50_000_000
_INTERPOLATION: Final = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "quick": cv2.INTER_LINEAR}
_GREY: Final = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_COLOUR: Final = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of ITU-T T.81, table B.1


def decode(body: bytes, prepare: PicturePrepare) -> NDArray[np.uint8]:
    """The picture's pixels, shape (h, w) for grey, else (h, w, 3) in BGR order; a JPEG perhaps reduced (see above).

    Raises BadInputError('corrupt_picture') for what is no whole picture: OpenCV fills a JPEG that ends early with
    grey and says nothing, and a grey half can be a defect or hide one.
    """
    if body.startswith(_START_OF_JPEG) and _END_OF_JPEG not in body[-_TRAILER:]:
        raise BadInputError("corrupt_picture", "the JPEG ends early")
    reduction = _reduction(body, prepare) if prepare.interpolation == "quick" else 1
    flag = (_GREY if prepare.colour == "grey" else _COLOUR)[reduction]
    try:
        pixels = cv2.imdecode(np.frombuffer(body, np.uint8), flag) if body else None
    except cv2.error as error:
        raise BadInputError("corrupt_picture", str(error)[:200]) from error
    if pixels is None:
        raise BadInputError("corrupt_picture", "no decoder takes it")
    if pixels.size > 3 * _MAX_PIXELS:
        raise BadInputError("oversize", f"{pixels.shape[1]} x {pixels.shape[0]} pixels")
    return np.asarray(pixels, np.uint8)


def prepare_pixels(pixels: NDArray[np.uint8], prepare: PicturePrepare, dtype: str = "float32") -> NDArray[np.generic]:
    """Decoded pixels as the model's input without the batch axis: (c, h, w) or (h, w, c), float32 or uint8."""
    if prepare.crop is not None:
        pixels = _crop(pixels, prepare.crop)
    sized = _resize(pixels, prepare)
    if prepare.colour == "rgb":
        sized = sized[:, :, ::-1]
    if sized.ndim == 2:
        sized = sized[:, :, None]
    if dtype == "uint8":
        return np.ascontiguousarray(sized.transpose(2, 0, 1) if prepare.layout == "chw" else sized)
    if prepare.layout == "chw":
        values = sized.transpose(2, 0, 1).astype(np.float32, order="C")
        channels = list(values)
    else:
        values = sized.astype(np.float32, order="C")
        channels = [values[:, :, number] for number in range(values.shape[2])]
    for channel, (gain, offset) in zip(channels, _scaling(sized, prepare), strict=True):
        np.multiply(channel, np.float32(gain), out=channel)
        np.add(channel, np.float32(offset), out=channel)
    return values


def _scaling(sized: NDArray[np.uint8], prepare: PicturePrepare) -> list[tuple[float, float]]:
    """What each channel of (h, w, c) is multiplied by, and what is added then: all that the card asks, in one step."""
    count = sized.shape[2]
    means, stds = (each * count if len(each) == 1 else each for each in (prepare.mean, prepare.std))
    steps = [(prepare.scale / std, -mean / std) for mean, std in zip(means, stds, strict=True)]
    if not prepare.standardise:
        return steps
    measured = [cv2.meanStdDev(sized[:, :, number]) for number in range(count)]
    averages = [g * float(m[0, 0]) + o for (g, o), (m, _) in zip(steps, measured, strict=True)]
    average = sum(averages) / count
    spreads = [(g * float(d[0, 0])) ** 2 for (g, _), (_, d) in zip(steps, measured, strict=True)]
    spread = sum(s + (a - average) ** 2 for s, a in zip(spreads, averages, strict=True)) / count
    deviation = math.sqrt(spread) + 8 / 255  # an even picture is not divided by nothing
    return [(g / deviation, (o - average) / deviation) for g, o in steps]


def prepare_picture(body: bytes, prepare: PicturePrepare, dtype: str = "float32") -> NDArray[np.generic]:
    """`decode`, then `prepare_pixels`."""
    return prepare_pixels(decode(body, prepare), prepare, dtype)


def _crop(pixels: NDArray[np.uint8], crop: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    left, top = int(crop[0] * width), int(crop[1] * height)
    right = max(left + 1, min(width, round((crop[0] + crop[2]) * width)))
    bottom = max(top + 1, min(height, round((crop[1] + crop[3]) * height)))
    return pixels[top:bottom, left:right]


def _resize(pixels: NDArray[np.uint8], prepare: PicturePrepare) -> NDArray[np.uint8]:
    size = (prepare.width, prepare.height)
    if prepare.fit == "stretch":
        return _scaled(pixels, size, prepare)
    height, width = pixels.shape[:2]
    factor = min(prepare.width / width, prepare.height / height)
    inner = (max(1, round(width * factor)), max(1, round(height * factor)))
    scaled = _scaled(pixels, inner, prepare)
    left, top = (prepare.width - inner[0]) // 2, (prepare.height - inner[1]) // 2
    border = (top, prepare.height - inner[1] - top, left, prepare.width - inner[0] - left)
    return np.asarray(cv2.copyMakeBorder(scaled, *border, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)


def _scaled(pixels: NDArray[np.uint8], size: tuple[int, int], prepare: PicturePrepare) -> NDArray[np.uint8]:
    if prepare.interpolation == "quick":
        height, width = pixels.shape[:2]
        half = (width // _halvings(width, size[0]), height // _halvings(height, size[1]))
        while half != (width, height):
            width, height = max(half[0], width // 2), max(half[1], height // 2)
            pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.resize(pixels, size, interpolation=_INTERPOLATION[prepare.interpolation]), np.uint8)


def _halvings(has: int, wanted: int) -> int:
    """The power of two that still leaves at least what is wanted."""
    return 1 << max(0, (has // wanted).bit_length() - 1)


def _reduction(body: bytes, prepare: PicturePrepare) -> int:
    """By how much the decoder of JPEGs may shrink this one so that no side has to be enlarged again."""
    size = _jpeg_size(body)
    if size is None:
        return 1
    wide, high = (1.0, 1.0) if prepare.crop is None else prepare.crop[2:]
    spare = (size[0] * wide / prepare.width, size[1] * high / prepare.height)
    factor = min(spare) if prepare.fit == "stretch" else max(spare)
    return next(each for each in (8, 4, 2, 1) if factor >= each or each == 1)


def _jpeg_size(body: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG's frame header names; None for what is no JPEG, or none that is understood."""
    place = 2
    while body.startswith(_START_OF_JPEG) and place + 9 <= len(body) and body[place] == _MARKER:
        kind = body[place + 1]
        if kind in _FRAME_HEADERS:
            return int.from_bytes(body[place + 7 : place + 9]), int.from_bytes(body[place + 5 : place + 7])
        place += 1 if kind == _MARKER else 2 + int.from_bytes(body[place + 2 : place + 4])
    return None
