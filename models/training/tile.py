"""Magnetic tiles: OK or not, with a heat map; split by tile, because several pictures show the same one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.training import augment, sources
from models.training.fitting import Average, batches, seed
from models.training.lite import fast
from models.training.nets import HeatNet
from modules.camera import conveyor
from modules.inference.card import PicturePrepare
from modules.inference.pictures import decode, prepare_pixels

NAME: Final = "tile"
SIDE: Final = 192
STRIDE: Final = 8  # of the heat map
PREPARE: Final = PicturePrepare(kind="picture", colour="grey", width=SIDE, height=SIDE, standardise=True)
_PIXELS: Final = PREPARE.model_copy(update={"standardise": False})
EPOCHS: Final = 60
BATCH: Final = 16
RATE: Final = 3e-3
PASTE: Final = 0.3  # share of pictures that get another tile's defect
STEP: Final = 0.06  # share that get a step of grinding
RENDERED: Final = 0.08  # share that are rendered tiles of the default line's conveyor, half of them defective
_ALONE: Final = ("blowhole", "crack", "break")  # defects that can be cut out


@dataclass(frozen=True)
class Tiles:
    """All pictures, resized; masks likewise (255 = defect)."""

    files: list[str]
    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    bad: NDArray[np.bool_]
    labels: NDArray[np.str_]
    groups: NDArray[np.int64]


def load(data: Path) -> Tiles:
    """Read the set."""
    folder = data / "magnetic_tile"
    rows = sources.manifest(folder)
    pixels = np.zeros((len(rows), SIDE, SIDE), np.uint8)
    masks = np.zeros_like(pixels)
    for number, row in enumerate(rows):
        body = (folder / "train" / row["file"]).read_bytes()
        pixels[number] = prepare_pixels(decode(body, _PIXELS), _PIXELS, "uint8")[0]
        mask = (folder / "masks" / row["file"]).with_suffix(".png")
        if row["ok"] == "0" and mask.exists():
            whole = np.where(sources.picture(mask) > 127, np.uint8(255), np.uint8(0))
            masks[number] = prepare_pixels(whole, _PIXELS, "uint8")[0]
    return Tiles(
        files=[row["file"] for row in rows],
        pixels=pixels,
        masks=masks,
        bad=np.array([row["ok"] == "0" for row in rows]),
        labels=np.array([row["label"] for row in rows]),
        groups=np.array([int(row["tile_group"]) for row in rows]),
    )


def inputs(tiles: Tiles, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the network sees, as the engine prepares it."""
    return np.stack([standardised(pixels) for pixels in tiles.pixels[rows]])


def standardised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels of the right size as the engine hands them to the network."""
    return np.asarray(prepare_pixels(pixels, PREPARE), np.float32)


def strata(tiles: Tiles) -> NDArray[np.int64]:
    """What the folds are to hold equal shares of."""
    return np.asarray(np.unique(tiles.labels, return_inverse=True)[1])


def fit(tiles: Tiles, rows: NDArray[np.int64], *, number: int = 0, epochs: int = EPOCHS) -> nn.Module:
    """Train on these rows."""
    random = seed(number)
    net = HeatNet()
    average = Average(net)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=2e-2)
    per_epoch = len(_epoch(tiles, rows, random)) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=int(epochs * per_epoch * 1.1) + 10, pct_start=0.15
    )
    net.train()
    for _ in range(epochs):
        for batch in batches(_epoch(tiles, rows, random), BATCH):
            picture, mask, bad = _batch(tiles, rows, batch, random)
            with fast():
                scores, heat = net(picture)
            loss = _loss(scores.float(), heat.float(), mask, bad)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            average.update()
    return average.model.eval()


def _epoch(tiles: Tiles, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """An order of pictures: a few exposures of each tile, the defective ones as often as the others, nearly."""
    good: list[int] = []
    bad: list[int] = []
    for group in np.unique(tiles.groups[rows]):
        members = rows[tiles.groups[rows] == group]
        for wanted, chosen, most in ((False, good, 3), (True, bad, 4)):
            of_kind = members[tiles.bad[members] == wanted]
            chosen.extend(random.choice(of_kind, min(len(of_kind), most), replace=False))
    more = max(0, int(0.8 * len(good)) - len(bad))
    order = np.array([*good, *bad, *random.choice(bad, more)], np.int64)
    random.shuffle(order)
    return order


def rendered(random: np.random.Generator) -> tuple[NDArray[np.uint8], bool]:
    """A tile of the rendered conveyor as the camera crops it, and whether it is defective; never of the belt's seeds.

    The default line has no other camera; without these the network would be asked about pictures unlike all it knows.
    """
    what = conveyor.part(int(random.integers(1_000, 2**31)), int(random.integers(1_000_000)), 0.5)
    left, right, top, bottom = random.integers(0, 20, 4)
    size = (conveyor.TILE_HEIGHT + top + bottom, conveyor.TILE_WIDTH + left + right)
    view = np.clip(random.normal(38, 3, size), 0, 255).astype(np.uint8)
    face = conveyor.tile(int(random.integers(1_000, 2**31)), what)
    view[top : top + conveyor.TILE_HEIGHT, left : left + conveyor.TILE_WIDTH] = face
    return np.asarray(prepare_pixels(view, _PIXELS, "uint8")[0], np.uint8), what.defect is not None


def _batch(
    tiles: Tiles, rows: NDArray[np.int64], batch: NDArray[np.int64], random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    donors = rows[np.isin(tiles.labels[rows], _ALONE)]
    clean = rows[~tiles.bad[rows]]
    pictures, masks, bad = [], [], []
    for row in batch:
        pixels, mask = tiles.pixels[row], tiles.masks[row]
        unmasked = bool(tiles.bad[row]) and not tiles.masks[row].any()
        chance = random.random()
        if chance < PASTE:
            donor = int(random.choice(donors))
            stay = str(tiles.labels[donor]) == "break"
            pixels, mask = augment.paste(pixels, mask, tiles.pixels[donor], tiles.masks[donor], random, stay=stay)
        elif chance < PASTE + STEP:
            pixels, part = augment.step_of_grinding(pixels, tiles.pixels[int(random.choice(clean))], random)
            mask = np.maximum(mask, part)
        elif chance < PASTE + STEP + RENDERED:
            pixels, unmasked = rendered(random)
            mask = np.zeros_like(pixels)
        pixels, mask = augment.vary(pixels, mask, augment.Limits(), random)
        pictures.append(standardised(pixels))
        masks.append(mask)
        bad.append(bool(unmasked or (mask > 80).sum() >= 3))
    whole = torch.from_numpy(np.stack(masks)).float()[:, None] / 255
    return torch.from_numpy(np.stack(pictures)), functional.max_pool2d(whole, STRIDE)[:, 0], torch.tensor(bad)


def _loss(scores: torch.Tensor, heat: torch.Tensor, mask: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
    """Is it defective, where (by cell), and how well do the two areas meet (Dice)."""
    wanted = (mask > 0.3).float()
    found = torch.sigmoid(heat)
    dice = 1 - (2 * (found * wanted).sum((1, 2)) + 1) / ((found + wanted).sum((1, 2)) + 1)
    cells = functional.binary_cross_entropy_with_logits(heat, wanted, 1 + 4 * wanted)
    whole = functional.cross_entropy(scores, bad.long(), label_smoothing=0.04)
    return whole + cells + 0.5 * (dice * (wanted.sum((1, 2)) > 0)).mean()
