"""Hot-rolled steel: six surface types; split by blocks of numbers, because neighbours are crops of one strip."""

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
from models.training.nets import PictureNet
from models.training.tile import fast
from modules.inference.card import PicturePrepare
from modules.inference.pictures import decode, prepare_pixels

NAME: Final = "steel"
SIDE: Final = 96
PREPARE: Final = PicturePrepare(kind="picture", colour="grey", width=SIDE, height=SIDE, standardise=True)
_PIXELS: Final = PREPARE.model_copy(update={"standardise": False})
EPOCHS: Final = 30
BATCH: Final = 32
RATE: Final = 4e-3
LIMITS: Final = augment.Limits(
    zoom=(0.95, 1.35), shift=0.1, shear=0.06, still=0.4, contrast=(0.7, 1.3), light=0.05, noise=0.03
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
    return np.stack([np.asarray(prepare_pixels(pixels, PREPARE), np.float32) for pixels in steel.pixels[rows]])


def fit(steel: Steel, rows: NDArray[np.int64], *, number: int = 0, epochs: int = EPOCHS) -> nn.Module:
    """Train on these rows."""
    random = seed(number)
    net = PictureNet(len(steel.labels))
    average = Average(net, keep=0.98)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * (len(rows) // BATCH) + 1)
    net.train()
    for _ in range(epochs):
        for batch in batches(random.permutation(rows), BATCH):
            varied = [augment.vary(_turned(steel.pixels[row], random), None, LIMITS, random)[0] for row in batch]
            picture = np.stack([np.asarray(prepare_pixels(pixels, PREPARE), np.float32) for pixels in varied])
            with fast():
                scores = net(torch.from_numpy(picture))
            loss = functional.cross_entropy(scores.float(), torch.from_numpy(steel.truth[batch]), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            average.update()
    return average.model.eval()


def _turned(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A half turn now and then; a quarter would turn rolling marks into scratches."""
    return np.ascontiguousarray(np.rot90(pixels, 2)) if random.random() < 0.25 else pixels
