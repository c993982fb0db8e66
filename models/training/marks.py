"""The tile network's first part: it marks defects in pictures that are about as large as they came.

A network of ImageNet's textures is fitted from stride 8 on, in pieces of pictures: a crack is two pixels wide
(docs/decisions/tile-limits.md).
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.training import contrast, crops, lite
from models.training.contrast import LocalContrast
from models.training.crops import Crops, Piece, Sheet
from models.training.fitting import descend, seed, upper_optimiser
from models.training.nets import STRIDE, MarkNet, top
from models.training.tiles import HEIGHT, PREPARE, WIDTH, Tiles, prepared, rendered
from modules.camera import conveyor
from modules.inference import pictures

STEPS: Final = 1100
BATCH: Final = 12
RATE: Final = 8e-4  # of the trunk
HEAD_RATE: Final = 2e-3
RISE: Final = 0.1  # share of the steps until rates stand at their highest
HEARD: Final = 12  # of a piece's cells, for how defective it is: more learn by it than speak for the whole picture
MADE: Final = 160  # rendered tiles to learn from, half of them defective
RENDERED_GROUP: Final = -1


@dataclass(frozen=True)
class Seen:
    """What is learnt from: local contrast."""

    sheets: list[Sheet]  # of the pictures, in their order
    rendered: list[Sheet]


def seen(tiles: Tiles, work: Path, *, quick: bool) -> Seen:
    """Contrast of all pictures and of some rendered tiles; computed once, and mapped, not read."""
    random = seed(1)
    made = [rendered(random, bad=number % 2 == 1) for number in range(20 if quick else MADE)]
    pixels = [*tiles.pixels, *(picture for picture, _ in made)]
    code = b"".join(Path(str(part.__file__)).read_bytes() for part in (contrast, conveyor, pictures))
    name = f"tile-seen-{hashlib.sha256(code + repr((PREPARE, len(pixels))).encode()).hexdigest()[:12]}.npy"
    if not (work / name).exists():
        np.save(work / name, np.concatenate([each.ravel() for each in _contrast(pixels)]))
    ends = np.cumsum([each.size for each in pixels])[:-1]
    flat = np.split(np.load(work / name, mmap_mode="r"), ends)
    sheets = [each.reshape(picture.shape) for each, picture in zip(flat, pixels, strict=True)]
    count = len(tiles.files)
    return Seen(
        [
            Sheet(sheets[row], tiles.masks[row], bool(tiles.bad[row]), str(tiles.labels[row]), int(tiles.groups[row]))
            for row in range(count)
        ],
        [
            Sheet(sheet, mask, bool(mask.any()), "rendered", RENDERED_GROUP)
            for sheet, (_, mask) in zip(sheets[count:], made, strict=True)
        ],
    )


def _contrast(pixels: list[NDArray[np.uint8]]) -> Iterator[NDArray[np.float16]]:
    """Of each picture, by the very layer that the network begins with."""
    layer = LocalContrast()
    for each in pixels:
        top_, left = (HEIGHT - each.shape[0]) // 2, (WIDTH - each.shape[1]) // 2
        whole = layer(torch.from_numpy(prepared(each)[None]))[0][0, 0]
        yield whole[top_ : top_ + each.shape[0], left : left + each.shape[1]].numpy().astype(np.float16)


def network(trunk: Callable[[], lite.Trunk]) -> MarkNet:
    """Not yet fitted."""
    return MarkNet(trunk())


def fit(rows: NDArray[np.int64], learnt: Seen, *, number: int, effort: float = 1.0) -> MarkNet:
    """Train on these rows: the trunk from stride 8 on, and the head. `effort` is a share of the steps.

    Each `number` learns in another order.
    """
    random = seed(number)
    net = network(lite.pretrained)
    net.to(memory_format=torch.channels_last)
    optimiser = upper_optimiser(net, RATE, HEAD_RATE)
    fixed = lite.Fixed(net.fixed, [torch.zeros(1, 1, crops.SIDE // by, crops.SIDE // by) for by in (1, STRIDE)])
    steps = max(4, round(STEPS * effort))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / steps))
    crops_ = Crops([learnt.sheets[row] for row in rows], learnt.rendered, random)
    net.train()
    for _ in range(steps):
        pieces = [crops_.draw() for _ in range(BATCH)]
        inside = functional.avg_pool2d(_stacked([each.inside for each in pieces]), STRIDE)
        fourth, eighth = fixed(_stacked([each.contrast for each in pieces]), inside)
        heat = net.answer(fourth, eighth, inside)
        loss = _loss(heat, *_wanted(pieces, inside))
        descend(loss, optimiser, schedule)
    net.eval()
    return net


def _rate(done: float) -> float:
    """Rising straight, then falling as a cosine does."""
    return min(1.0, done / RISE) * (0.5 + 0.5 * float(np.cos(np.pi * max(0.0, (done - RISE) / (1 - RISE))))) + 1e-3


def _stacked(planes: list[crops.Plane]) -> torch.Tensor:
    return torch.from_numpy(np.stack(planes).astype(np.float32))[:, None]


def _wanted(pieces: list[Piece], inside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which cells are a defect's, and how much each counts: its rim, where nobody can say, hardly."""
    share = functional.max_pool2d(_stacked([each.mask for each in pieces]), STRIDE)
    rim = functional.max_pool2d(share, 5, 1, 2) > 0.1
    wanted = (share > 0.4).float()
    known = torch.tensor([each.known for each in pieces]).float()[:, None, None, None]
    weight = (inside > 0.5).float() * known * (1 - 0.8 * rim.float() * (1 - wanted))
    return wanted[:, 0], weight[:, 0]


def _loss(heat: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cell by cell, as an area (Dice), and the piece as a whole by its highest cells."""
    area = (wanted * weight).sum((1, 2))
    # The cells of every defective piece weigh as much together, whatever their area.
    emphasis = torch.clamp(60 / (area + 1), 0.3, 6.0)[:, None, None]
    each = functional.binary_cross_entropy_with_logits(heat, wanted, reduction="none")
    cells = (each * weight * torch.where(wanted > 0, emphasis, 1.0)).sum((1, 2)) / (weight.sum((1, 2)) + 1)
    found = torch.sigmoid(heat) * weight
    dice = 1 - (2 * (found * wanted).sum((1, 2)) + 1) / ((found + wanted * weight).sum((1, 2)) + 1)
    marred = (area > 0).float()
    whole = functional.binary_cross_entropy_with_logits(top(heat, HEARD), marred, reduction="none")
    return 4 * cells.mean() + 0.5 * (dice * marred).mean() + 0.5 * (whole * (weight.sum((1, 2)) > 100)).mean()
