"""Hot-rolled steel: six surface types; split by blocks of numbers, because neighbours are crops of one strip.

The trunk stays as ImageNet left it. Fitted is a linear answer on the mean and deviation of its channels, which is what
a texture is.
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
from models.training.nets import STATISTICS, SteelNet
from modules.inference import pictures
from modules.inference.card import PicturePrepare
from modules.inference.pictures import decode, prepare_pixels

NAME: Final = "steel"
SIDE: Final = 96
CALIBRATION: Final = 300  # pictures
PREPARE: Final = PicturePrepare(
    kind="picture", colour="grey", width=SIDE, height=SIDE, interpolation="quick", standardise=True
)
_PIXELS: Final = PREPARE.model_copy(update={"standardise": False})
VARIANTS: Final = 6  # of each picture, the first one is the picture itself
EPOCHS: Final = 60
BATCH: Final = 64
RATE: Final = 4e-3
LIMITS: Final = augment.Limits(
    zoom=(0.95, 1.35), shift=0.1, shear=0.06, still=0.6, contrast=(0.7, 1.3), light=0.05, noise=0.03
)


@dataclass(frozen=True)
class Steel:
    """All pictures, resized."""

    files: list[str]
    pixels: NDArray[np.uint8]
    labels: tuple[str, ...]
    truth: NDArray[np.int64]  # position in labels
    groups: NDArray[np.int64]  # one number for each block of each class


def load(data: Path) -> Steel:
    """Read the set."""
    folder = data / "neu_det"
    rows = sources.manifest(folder)
    labels = tuple(sorted({row["label"] for row in rows}))
    truth = np.array([labels.index(row["label"]) for row in rows])
    bodies = ((folder / "train" / row["file"]).read_bytes() for row in rows)
    return Steel(
        files=[row["file"] for row in rows],
        pixels=np.stack([prepare_pixels(decode(body, _PIXELS), _PIXELS, "uint8")[0] for body in bodies]),
        labels=labels,
        truth=truth,
        groups=truth * 1000 + np.array([int(row["block"]) for row in rows]),
    )


def inputs(steel: Steel, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the network sees, as the engine prepares it."""
    return np.stack([standardised(pixels) for pixels in steel.pixels[rows]])


def standardised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels of the right size as the engine hands them to the network."""
    return np.asarray(prepare_pixels(pixels, PREPARE), np.float32)


def strata(steel: Steel) -> NDArray[np.int64]:
    """What the folds are to hold equal shares of."""
    return steel.truth


def seen(steel: Steel, work: Path, *, quick: bool) -> NDArray[np.float32]:
    """Statistics (variants, pictures, f) of each picture as it is and varied; computed once."""
    code = b"".join(Path(str(part.__file__)).read_bytes() for part in (augment, lite, pictures))
    code += repr((PREPARE, VARIANTS, LIMITS)).encode()
    path = work / f"steel-seen-{hashlib.sha256(code).hexdigest()[:12]}{'-quick' if quick else ''}.npy"
    if not path.exists():
        random = seed(1)
        net = SteelNet(lite.pretrained(), len(steel.labels)).to(memory_format=torch.channels_last)
        table = []
        for variant in range(2 if quick else VARIANTS):
            varied = steel.pixels if variant == 0 else [_varied(pixels, random) for pixels in steel.pixels]
            batch = torch.from_numpy(np.stack([standardised(pixels) for pixels in varied]))
            table.append(lite.through(net.statistics, batch).float().numpy())
        np.save(path, np.stack(table))
    return np.asarray(np.load(path), np.float32)


def fit(steel: Steel, rows: NDArray[np.int64], learnt: NDArray[np.float32], *, effort: float = 1.0) -> nn.Module:
    """Train on these rows. `effort` is a share of the epochs."""
    random = seed(0)
    epochs = max(2, round(EPOCHS * effort))
    mean = learnt[:, rows].mean(axis=(0, 1))
    deviation = learnt[:, rows].std(axis=(0, 1)) + 0.02
    table = torch.from_numpy((learnt - mean) / deviation)
    last = nn.Linear(STATISTICS, len(steel.labels))
    optimiser = torch.optim.AdamW(last.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * (len(rows) // BATCH) + 1)
    for _ in range(epochs):
        for batch in batches(random.permutation(rows), BATCH):
            clear = table[random.integers(len(learnt), size=BATCH), batch]
            scores = last(functional.dropout(clear + 0.15 * torch.randn_like(clear), 0.3))
            loss = functional.cross_entropy(scores, torch.from_numpy(steel.truth[batch]), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    net = SteelNet(lite.pretrained(), len(steel.labels))
    with torch.no_grad():  # the standardising goes into the linear answer
        net.last.weight.copy_(last.weight / torch.from_numpy(deviation))
        net.last.bias.copy_(last.bias - net.last.weight @ torch.from_numpy(mean))
    return net.eval()


def _varied(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A half turn now and then; a quarter would turn rolling marks into scratches."""
    turned = np.ascontiguousarray(np.rot90(pixels, 2)) if random.random() < 0.25 else pixels
    return augment.vary(turned, None, LIMITS, random)[0]
