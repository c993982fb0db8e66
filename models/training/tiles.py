"""The magnetic tiles: pictures, masks, splits; and rendered ones beside them. Split by tile: several show the same."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training import sources
from modules.camera import conveyor
from modules.inference.card import PicturePrepare
from modules.inference.pictures import decode, prepare_pixels

NAME: Final = "tile"
WIDTH, HEIGHT = 576, 384
CALIBRATION: Final = 80  # pictures: a quarter of a million pixels each
PREPARE: Final = PicturePrepare(
    kind="picture", colour="grey", width=WIDTH, height=HEIGHT, fit="letterbox", interpolation="quick"
)


@dataclass(frozen=True)
class Tiles:
    """All pictures at the size the network sees them, without the letterbox's border; masks likewise (255 = defect)."""

    files: list[str]
    pixels: list[NDArray[np.uint8]]
    masks: list[NDArray[np.uint8]]
    bad: NDArray[np.bool_]
    labels: NDArray[np.str_]
    groups: NDArray[np.int64]


def load(data: Path) -> Tiles:
    """Read the set."""
    folder = data / "magnetic_tile"
    rows = sources.manifest(folder)
    pixels = [_sized(decode((folder / "train" / row["file"]).read_bytes(), PREPARE)) for row in rows]
    masks = []
    for row, picture in zip(rows, pixels, strict=True):
        mask = np.zeros_like(picture)
        path = (folder / "masks" / row["file"]).with_suffix(".png")
        if row["ok"] == "0" and path.exists():
            whole = np.where(sources.picture(path) > 127, np.uint8(255), np.uint8(0))
            mask = np.asarray(cv2.resize(whole, picture.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        masks.append(mask)
    return Tiles(
        files=[row["file"] for row in rows],
        pixels=pixels,
        masks=masks,
        bad=np.array([row["ok"] == "0" for row in rows]),
        labels=np.array([row["label"] for row in rows]),
        groups=np.array([int(row["tile_group"]) for row in rows]),
    )


def _sized(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As large as in the letterbox."""
    factor = min(WIDTH / picture.shape[1], HEIGHT / picture.shape[0])
    width, height = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    how = PREPARE.model_copy(update={"width": width, "height": height, "fit": "stretch"})
    return np.asarray(prepare_pixels(picture, how, "uint8")[0], np.uint8)


def inputs(tiles: Tiles, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the network sees, as the engine prepares it."""
    return np.stack([prepared(tiles.pixels[row]) for row in rows])


def prepared(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As the engine hands it to the network: (1, HEIGHT, WIDTH), 0 to 1, black beside the picture."""
    return np.asarray(prepare_pixels(pixels, PREPARE), np.float32)


def strata(tiles: Tiles) -> NDArray[np.int64]:
    """What the folds are to hold equal shares of."""
    return np.asarray(np.unique(tiles.labels, return_inverse=True)[1])


def rendered(random: np.random.Generator, *, bad: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A tile of the rendered conveyor as the camera crops it, and its mask; never of the belt's seeds.

    The default line has no other camera; without these the network would be asked about pictures unlike all it knows.
    """
    what = conveyor.part(int(random.integers(1_000, 2**31)), int(random.integers(1_000_000)), float(bad))
    number = int(random.integers(1_000, 2**31))
    face, flawless = conveyor.tile(number, what), conveyor.tile(number, conveyor.Part(what.number, None))
    left, right, above, below = random.integers(0, 20, 4)
    border = (int(above), int(below), int(left), int(right))
    size = (conveyor.TILE_HEIGHT + above + below, conveyor.TILE_WIDTH + left + right)
    view = np.clip(random.normal(38, 3, size), 0, 255).astype(np.uint8)
    view[above : above + conveyor.TILE_HEIGHT, left : left + conveyor.TILE_WIDTH] = face
    marred = np.where(cv2.absdiff(face, flawless) > 3, np.uint8(255), np.uint8(0))
    mask = cv2.copyMakeBorder(marred, *border, cv2.BORDER_CONSTANT, value=(0,))
    return _sized(view), _sized(np.asarray(mask, np.uint8))
