"""The tile network's second part: it looks at the whole tile, made small, and says whether it is defective.

An edge that broke off, or a surface that was ground in two steps, is seen from further away. A network of ImageNet's
textures is fitted from stride 4 on. What its fixed lower part makes of each picture is computed once: as it is, and
several times varied. That is what makes the fits affordable on a small machine.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.training import augment, lite, sources, stretch
from models.training.fitting import batches, descend, seed, upper_optimiser
from models.training.nets import WholeNet, standardised
from models.training.stretch import Stretch
from models.training.tiles import HEIGHT, PREPARE, WIDTH, Tiles, prepared, rendered, strata
from modules.camera import conveyor
from modules.inference import pictures

SIDE: Final = 192
STRIDE: Final = 8  # of the heat it learns by, in its own pixels
BLOCKS: Final = 2  # of the trunk's last group: there are two networks, and both are to fit into a megabyte
VARIANTS: Final = 8  # of each picture, the first one is the picture itself
EPOCHS: Final = 24
BATCH: Final = 16
RATE: Final = 1e-3  # of the trunk
HEAD_RATE: Final = 2e-3
PASTE: Final = 0.3  # share of varied pictures that get another tile's defect
STEP: Final = 0.06  # share that get a step of grinding
RENDERED: Final = 0.08  # share that are rendered tiles of the default line's conveyor, half of them defective
MADE: Final = 60  # of them in each variant
_ALONE: Final = ("blowhole", "crack", "break")  # defects that can be cut out

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """What is learnt from: axes are the variant, then the picture; behind the pictures stand the rendered tiles."""

    low: NDArray[np.float16]  # (variants, pictures, 24, h / 4, w / 4), what the trunk's fixed part makes of them
    masks: Pixels  # (variants, pictures, h / 8, w / 8)
    bad: NDArray[np.bool_]
    tiles: Tiles


def network(trunk: Callable[[int], lite.Trunk]) -> WholeNet:
    """Not yet fitted; `trunk` makes one with so many blocks in its last group."""
    return WholeNet(trunk(BLOCKS), Stretch(HEIGHT, WIDTH, SIDE))


def seen(tiles: Tiles, work: Path, *, quick: bool) -> Seen:
    """The variants and what the fixed part of the trunk makes of them; computed once, minutes. Mapped, not read."""
    code = b"".join(Path(str(part.__file__)).read_bytes() for part in (augment, lite, stretch, conveyor, pictures))
    code += repr((PREPARE, SIDE, VARIANTS, PASTE, STEP, MADE)).encode()
    stem = f"tile-whole-{hashlib.sha256(code).hexdigest()[:12]}{'-quick' if quick else ''}"
    if not (work / f"{stem}.npz").exists():
        _write_seen(tiles, work, stem, 2 if quick else VARIANTS)
    with np.load(work / f"{stem}.npz", allow_pickle=False) as archive:
        return Seen(np.load(work / f"{stem}.npy", mmap_mode="r"), archive["masks"], archive["bad"], tiles)


def _write_seen(tiles: Tiles, work: Path, stem: str, variants: int) -> None:
    random = seed(1)
    fold = sources.folds(tiles.groups, strata(tiles))
    squares = list(_squares(tiles.pixels, tiles.masks))
    count = len(squares) + MADE
    trunk = lite.pretrained().to(memory_format=torch.channels_last)
    shape = (variants, count, 24, SIDE // 4, SIDE // 4)
    low = np.lib.format.open_memmap(work / f"{stem}.npy", "w+", np.float16, shape)
    masks = np.zeros((variants, count, SIDE // STRIDE, SIDE // STRIDE), np.uint8)
    bad = np.zeros((variants, count), bool)
    for variant in range(variants):
        rows = [_variant(tiles, squares, fold, row, random, as_is=variant == 0) for row in range(count)]
        inputs = torch.from_numpy(np.stack([pixels for pixels, _, _ in rows]).astype(np.float32) / 255)[:, None]
        low[variant] = lite.through(trunk.low, standardised(inputs)).half().numpy()
        whole = torch.from_numpy(np.stack([mask for _, mask, _ in rows])).float()[:, None]
        masks[variant] = functional.max_pool2d(whole, STRIDE)[:, 0].byte().numpy()
        bad[variant] = [found for _, _, found in rows]
    low.flush()
    np.savez_compressed(work / f"{stem}.npz", masks=masks, bad=bad)


def _squares(pictures_: list[Pixels], masks: list[Pixels]) -> Iterator[tuple[Pixels, Pixels]]:
    """Pictures as the network's own layer stretches them, and their masks."""
    layer = Stretch(HEIGHT, WIDTH, SIDE)
    for pixels, mask in zip(pictures_, masks, strict=True):
        square = layer(torch.from_numpy(prepared(pixels)[None]))[0, 0].numpy()
        marked = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        yield np.asarray(np.round(255 * square), np.uint8), np.asarray(marked, np.uint8)


def _variant(
    tiles: Tiles,
    squares: list[tuple[Pixels, Pixels]],
    fold: NDArray[np.int64],
    row: int,
    random: np.random.Generator,
    *,
    as_is: bool,
) -> tuple[Pixels, Pixels, bool]:
    """Pixels, mask and whether it is defective, of a picture or, behind them, of a rendered tile.

    What is pasted comes from the same fold, so that nothing of a fold is ever in another one.
    """
    if row >= len(squares):
        made, marred = rendered(random, bad=bool(random.random() < 0.5))
        ((pixels, mask),) = _squares([made], [marred])
        return *augment.vary(pixels, mask, augment.Limits(), random), bool(marred.any())
    pixels, mask = squares[row]
    unmasked = bool(tiles.bad[row]) and not mask.any()
    if not as_is:
        kin = fold == fold[row]
        chance = random.random()
        if chance < PASTE:
            donor = int(random.choice(np.flatnonzero(kin & np.isin(tiles.labels, _ALONE))))
            stay = str(tiles.labels[donor]) == "break"
            pixels, mask = augment.paste(pixels, mask, *squares[donor], random, stay=stay)
        elif chance < PASTE + STEP:
            clean = int(random.choice(np.flatnonzero(kin & ~tiles.bad)))
            pixels, part = augment.step_of_grinding(pixels, squares[clean][0], random)
            mask = np.maximum(mask, part)
        pixels, mask = augment.vary(pixels, mask, augment.Limits(), random)
    return pixels, mask, bool(unmasked or (mask > 80).sum() >= 3)


def fit(rows: NDArray[np.int64], learnt: Seen, *, number: int, effort: float = 1.0) -> WholeNet:
    """Train on these rows: the trunk from stride 4 on, and the head. `effort` is a share of the epochs.

    Each `number` learns in another order.
    """
    random, tiles, epochs = seed(number), learnt.tiles, max(2, round(EPOCHS * effort))
    net = network(lite.pretrained)
    net.to(memory_format=torch.channels_last)
    optimiser = upper_optimiser(net, RATE, HEAD_RATE)
    steps = epochs * (len(_epoch(tiles, rows, random)) // BATCH + 3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [RATE, HEAD_RATE], total_steps=steps, pct_start=0.2)
    net.train()
    for _ in range(epochs):
        for batch in batches(_epoch(tiles, rows, random), BATCH):
            variant = random.integers(len(learnt.low), size=BATCH)
            low = torch.from_numpy(learnt.low[variant, batch]).float().contiguous(memory_format=torch.channels_last)
            defect, heat = net.answer(low)
            mask = torch.from_numpy(learnt.masks[variant, batch]).float() / 255
            loss = _loss(defect, heat, mask, torch.from_numpy(learnt.bad[variant, batch]))
            descend(loss, optimiser, schedule)
    net.eval()
    return net


def _epoch(tiles: Tiles, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """An order of pictures: a few exposures of each tile, the defective ones as often as the others, nearly."""
    good: list[int] = []
    bad: list[int] = []
    for group in np.unique(tiles.groups[rows]):
        members = rows[tiles.groups[rows] == group]
        for wanted, chosen in ((False, good), (True, bad)):
            of_kind = members[tiles.bad[members] == wanted]
            chosen.extend(random.choice(of_kind, min(len(of_kind), 3), replace=False))
    more = max(0, int(0.8 * len(good)) - len(bad))
    real = [*good, *bad, *random.choice(bad, more)]
    made = len(tiles.files) + random.integers(MADE, size=round(RENDERED * len(real)))
    order = np.array([*real, *made], np.int64)
    random.shuffle(order)
    return order


def _loss(defect: torch.Tensor, heat: torch.Tensor, mask: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
    """Is it defective, where (by cell, unless nobody marked it), and how well do the two areas meet (Dice)."""
    wanted = (mask > 0.3).float()
    marked = wanted.amax((1, 2)) > 0
    found = torch.sigmoid(heat)
    dice = 1 - (2 * (found * wanted).sum((1, 2)) + 1) / ((found + wanted).sum((1, 2)) + 1)
    known = (marked | ~bad).float()
    cells = functional.binary_cross_entropy_with_logits(heat, wanted, 1 + 4 * wanted, reduction="none").mean((1, 2))
    whole = functional.binary_cross_entropy_with_logits(defect, 0.02 + 0.96 * bad.float())
    return whole + (cells * known).sum() / known.sum() + 0.5 * (dice * marked).mean()
