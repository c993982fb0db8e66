"""Magnetic tiles: OK or not, with a heat map; split by tile, because several pictures show the same one.

A network of ImageNet's textures is fitted from stride 4 on. What its fixed lower part makes of each picture is computed
once: as it is, and several times varied. That is what makes the fits affordable on a small machine.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.training import augment, lite, sources
from models.training.fitting import batches, seed
from models.training.nets import TileNet
from modules.camera import conveyor
from modules.inference import pictures
from modules.inference.card import PicturePrepare
from modules.inference.pictures import decode, prepare_pixels

NAME: Final = "tile"
SIDE: Final = 192
STRIDE: Final = 8  # of the heat map
PREPARE: Final = PicturePrepare(
    kind="picture", colour="grey", width=SIDE, height=SIDE, interpolation="quick", standardise=True
)
_PIXELS: Final = PREPARE.model_copy(update={"standardise": False})
_MASKS: Final = _PIXELS.model_copy(update={"interpolation": "area"})
VARIANTS: Final = 8  # of each picture, the first one is the picture itself
EPOCHS: Final = 9
BATCH: Final = 16
RATE: Final = 1e-3  # of the trunk
HEAD_RATE: Final = 2e-3
PASTE: Final = 0.3  # share of varied pictures that get another tile's defect
STEP: Final = 0.06  # share that get a step of grinding
RENDERED: Final = 0.08  # share that are rendered tiles of the default line's conveyor, half of them defective
MADE: Final = 60  # of them in each variant
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


@dataclass(frozen=True)
class Seen:
    """What is learnt from: axes are the variant, then the picture; behind the pictures stand the rendered tiles."""

    low: NDArray[np.float16]  # (variants, pictures, 24, h / 4, w / 4), what the trunk's fixed part makes of them
    masks: NDArray[np.uint8]  # (variants, pictures, h / 8, w / 8)
    bad: NDArray[np.bool_]


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
            masks[number] = prepare_pixels(whole, _MASKS, "uint8")[0]
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


def seen(tiles: Tiles, work: Path, *, quick: bool) -> Seen:
    """The variants and what the fixed part of the trunk makes of them; computed once, minutes. Mapped, not read."""
    code = b"".join(Path(str(part.__file__)).read_bytes() for part in (augment, lite, conveyor, pictures))
    code += repr((PREPARE, VARIANTS, PASTE, STEP, MADE)).encode()
    stem = f"tile-seen-{hashlib.sha256(code).hexdigest()[:12]}{'-quick' if quick else ''}"
    if not (work / f"{stem}.npz").exists():
        _write_seen(tiles, work, stem, 2 if quick else VARIANTS)
    with np.load(work / f"{stem}.npz", allow_pickle=False) as archive:
        return Seen(np.load(work / f"{stem}.npy", mmap_mode="r"), archive["masks"], archive["bad"])


def _write_seen(tiles: Tiles, work: Path, stem: str, variants: int) -> None:
    random = seed(1)
    fold = sources.folds(tiles.groups, strata(tiles))
    count, side = len(tiles.files) + MADE, SIDE // STRIDE
    trunk = lite.pretrained().to(memory_format=torch.channels_last)
    shape = (variants, count, 24, SIDE // 4, SIDE // 4)
    low = np.lib.format.open_memmap(work / f"{stem}.npy", "w+", np.float16, shape)
    masks, bad = np.zeros((variants, count, side, side), np.uint8), np.zeros((variants, count), bool)
    for variant in range(variants):
        rows = [_variant(tiles, fold, row, random, as_is=variant == 0) for row in range(count)]
        inputs = torch.from_numpy(np.stack([standardised(pixels) for pixels, _, _ in rows]))
        low[variant] = lite.through(trunk.low, inputs).half().numpy()
        whole = torch.from_numpy(np.stack([mask for _, mask, _ in rows])).float()[:, None]
        masks[variant] = functional.max_pool2d(whole, STRIDE)[:, 0].byte().numpy()
        bad[variant] = [found for _, _, found in rows]
    low.flush()
    np.savez_compressed(work / f"{stem}.npz", masks=masks, bad=bad)


def _variant(
    tiles: Tiles, fold: NDArray[np.int64], row: int, random: np.random.Generator, *, as_is: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], bool]:
    """Pixels, mask and whether it is defective, of a picture or, behind them, of a rendered tile.

    What is pasted comes from the same fold, so that nothing of a fold is ever in another one.
    """
    if row >= len(tiles.files):
        pixels, marred = rendered(random)
        return augment.vary(pixels, None, augment.Limits(), random)[0], np.zeros_like(pixels), marred
    pixels, mask = tiles.pixels[row], tiles.masks[row]
    unmasked = bool(tiles.bad[row]) and not mask.any()
    if not as_is:
        kin = fold == fold[row]
        chance = random.random()
        if chance < PASTE:
            donor = int(random.choice(np.flatnonzero(kin & np.isin(tiles.labels, _ALONE))))
            stay = str(tiles.labels[donor]) == "break"
            pixels, mask = augment.paste(pixels, mask, tiles.pixels[donor], tiles.masks[donor], random, stay=stay)
        elif chance < PASTE + STEP:
            clean = int(random.choice(np.flatnonzero(kin & ~tiles.bad)))
            pixels, part = augment.step_of_grinding(pixels, tiles.pixels[clean], random)
            mask = np.maximum(mask, part)
        pixels, mask = augment.vary(pixels, mask, augment.Limits(), random)
    return pixels, mask, bool(unmasked or (mask > 80).sum() >= 3)


def strata(tiles: Tiles) -> NDArray[np.int64]:
    """What the folds are to hold equal shares of."""
    return np.asarray(np.unique(tiles.labels, return_inverse=True)[1])


def fit(tiles: Tiles, rows: NDArray[np.int64], learnt: Seen, *, number: int = 0, epochs: int = EPOCHS) -> nn.Module:
    """Train on these rows: the trunk from stride 4 on, and the head."""
    random = seed(number)
    net = TileNet(lite.pretrained()).to(memory_format=torch.channels_last)
    trunk = [weight for group in net.trunk.groups[2:] for weight in group.parameters()]
    head = [weight for name, weight in net.named_parameters() if not name.startswith("trunk.")]
    parts = [{"params": trunk, "lr": RATE}, {"params": head, "lr": HEAD_RATE}]
    optimiser = torch.optim.AdamW(parts, weight_decay=0.03)
    steps = epochs * (len(_epoch(tiles, rows, random)) // BATCH + 3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [RATE, HEAD_RATE], total_steps=steps, pct_start=0.2)
    net.train()
    for _ in range(epochs):
        for batch in batches(_epoch(tiles, rows, random), BATCH):
            variant = random.integers(len(learnt.low), size=BATCH)
            low = torch.from_numpy(learnt.low[variant, batch]).float().contiguous(memory_format=torch.channels_last)
            scores, heat = net.answer(low)
            mask = torch.from_numpy(learnt.masks[variant, batch]).float() / 255
            loss = _loss(scores, heat, mask, torch.from_numpy(learnt.bad[variant, batch]))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*trunk, *head], 2.0)
            optimiser.step()
            schedule.step()
    return net.eval()


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


def _loss(scores: torch.Tensor, heat: torch.Tensor, mask: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
    """Is it defective, where (by cell, unless nobody marked it), and how well do the two areas meet (Dice)."""
    wanted = (mask > 0.3).float()
    marked = wanted.amax((1, 2)) > 0
    found = torch.sigmoid(heat)
    dice = 1 - (2 * (found * wanted).sum((1, 2)) + 1) / ((found + wanted).sum((1, 2)) + 1)
    known = (marked | ~bad).float()
    cells = functional.binary_cross_entropy_with_logits(heat, wanted, 1 + 4 * wanted, reduction="none").mean((1, 2))
    whole = functional.cross_entropy(scores, bad.long(), label_smoothing=0.04)
    return whole + (cells * known).sum() / known.sum() + 0.5 * (dice * marked).mean()
