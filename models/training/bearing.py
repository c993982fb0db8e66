"""Bearings: normal, inner race, ball or outer race, from a window at a known shaft speed.

The honest split leaves one fault size out, because each size of each fault is one physical bearing. What a window
teaches is limited on purpose:

- A window buried in noise teaches that there is a fault, not which one.
- One bearing's type may be left untaught, which inner folds decide (doubt.py); it is judged like all others.
- Made-up machines teach mostly what healthy ones look like, and so do simulated ones (devices/rolling_bearing.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.training import sources, waves
from models.training.fitting import batches, seed
from models.training.nets import OrderNet
from modules.inference.card import WavePrepare
from modules.inference.orders import assemble_lines
from modules.inference.prepare import order_recipe, prepare_window

NAME: Final = "bearing"
LABELS: Final = ("normal", "inner_race", "ball", "outer_race")
_FAULTS: Final = {"normal": "normal", "IR": "inner_race", "B": "ball", "OR": "outer_race"}
RATE_HZ: Final = 12_000.0
G: Final = 9.80665  # m/s2; recordings are in g, messages in m/s2
WINDOW: Final = 16_384
EPOCHS: Final = 40
HIDDEN: Final = 24
BATCH: Final = 256
MADE_UP, SIMULATED = -1, -2  # sizes of what is no recording
_SHARE: Final = {  # of a label's weight that such windows have together
    "normal": {MADE_UP: 0.35, SIMULATED: 0.4},
    "fault": {MADE_UP: 0.3},
}
AS_IS, VARIED, CHECKS = "as is", "varied", ("noise 0 dB", "noise -5 dB", "down and up", "9 kHz and back")


def _line(**factors: float) -> dict[str, float]:
    return dict(factors)


_LINES, _FAMILIES = assemble_lines(
    [_line(bpfi=k) for k in (1, 2, 3)],
    [_line(bpfi=1, shaft=s) for s in (-1, 1, -2, 2)] + [_line(bpfi=2, shaft=s) for s in (-1, 1, -2)],
    [_line(bpfo=k) for k in (1, 2, 3, 4)],
    [_line(bpfo=k, shaft=s) for k in (1, 2) for s in (-1, 1)],
    [_line(bsf2=k) for k in (1, 2, 0.5)],
    [_line(bsf2=1, ftf=c) for c in (-1, 1, -2, 2)] + [_line(bsf2=2, ftf=c) for c in (-1, 1)],
    [_line(ftf=k) for k in (1, 2, 3)] + [_line(shaft=s, ftf=c) for s in (1, 2) for c in (-1, 1)],
    [_line(shaft=k) for k in (1, 2, 3, 4)],
)
PREPARE: Final = WavePrepare(
    kind="orders",
    seconds=WINDOW / RATE_HZ,
    hop=0.5,
    rate_hz=(9_100.0, 100_000.0),
    bands=((600, 1800), (1500, 2700), (2400, 3600), (3300, 4500), (600, 4500)),
    orders=dict(waves.ORDERS),
    lines=tuple(_LINES),
    families=_FAMILIES,
    slip=0.004,
    shape_hz=(200, 600, 1200, 1800, 2400, 3000, 3600, 4500),
)


@dataclass(frozen=True)
class Windows:
    """Features of windows, with where each comes from."""

    features: NDArray[np.float32]
    truth: NDArray[np.int64]  # position in LABELS
    size: NDArray[np.int64]  # mil; 0 normal, MADE_UP or SIMULATED
    load: NDArray[np.int64]  # hp
    how: NDArray[np.str_]
    half: NDArray[np.int64]  # of the recording: 0, 1, or 2 across the middle
    quiet: NDArray[np.bool_]  # its type cannot be told from it, only that there is a fault


def load(data: Path) -> list[dict[str, object]]:
    """The recordings."""
    folder = data / "cwru_de12k"
    recordings: list[dict[str, object]] = []
    for row in sources.manifest(folder):
        with np.load(folder / "train" / row["file"], allow_pickle=False) as archive:
            recordings.append(
                {
                    "file": row["file"],
                    "signal": archive["signal"].astype(np.float64) * G,
                    "rpm": float(archive["rpm"]),
                    "truth": LABELS.index(_FAULTS[str(archive["fault"])]),
                    "size": int(archive["fault_size_mil"]),
                    "load": int(archive["load_hp"]),
                }
            )
    return recordings


def windows(recordings: list[dict[str, object]], *, number: int = 5, share: float = 1.0) -> Windows:
    """All windows that are learnt from or judged: as they are, varied, in noise, resampled, made up and simulated."""
    random = np.random.default_rng(number)
    rows = list(_real(recordings, random, share))
    rows.extend(_made_up(random, share))
    rows.extend(_simulated(random, share))
    features, facts = zip(*rows, strict=True)
    columns = list(zip(*facts, strict=True))
    truth, size, loads, how, half, quiet = (np.array(column) for column in columns)
    return Windows(np.stack(features), truth, size, loads, how, half, quiet)


Row = tuple[NDArray[np.float32], tuple[int, int, int, str, int, bool]]


def features(signal: NDArray[np.float64], rpm: float) -> NDArray[np.float32]:
    """What the engine would compute from this window off the wire."""
    return prepare_window(signal.astype(np.float32), {"rate": RATE_HZ, "rpm": rpm}, PREPARE)


def _real(recordings: list[dict[str, object]], random: np.random.Generator, share: float) -> Iterator[Row]:
    for each in recordings:
        signal, rpm = np.asarray(each["signal"], np.float64), float(str(each["rpm"]))
        truth, size, loads = (int(str(each[key])) for key in ("truth", "size", "load"))
        for start in range(0, len(signal) - WINDOW + 1, WINDOW // 2):
            window = signal[start : start + WINDOW]
            middle = len(signal) / 2
            half = 0 if start + WINDOW <= middle else 1 if start >= middle else 2
            changed = (
                window,
                waves.noisy(window, 0, random),
                waves.noisy(window, -5, random),
                waves.low_passed(waves.resampled(waves.resampled(window, 4 * WINDOW), WINDOW), random),
                waves.resampled(waves.resampled(window, WINDOW * 3 // 4), WINDOW),
            )
            for how, samples in zip((AS_IS, *CHECKS), changed, strict=True):
                yield features(samples, rpm), (truth, size, loads, how, half, how == CHECKS[1])
        count = int((400 if size == 0 else 24) * share)
        for number in range(count):
            half = number % 2
            part = signal[: len(signal) // 2] if half == 0 else signal[len(signal) // 2 :]
            factor = min(float(np.exp(random.uniform(np.log(0.55), np.log(1.9)))), len(part) / (WINDOW + 16))
            samples = waves.at_speed(part, factor, WINDOW, random)
            snr = random.uniform(-3, 15) if random.random() < 0.6 else 99.0
            samples = waves.coloured(samples, random) if random.random() < 0.5 else samples
            samples = waves.low_passed(samples, random) if random.random() < 0.4 else samples
            if random.random() < 0.4:
                samples = waves.with_tones(samples, RATE_HZ, rpm * factor / 60, random)
            samples = waves.noisy(samples, snr, random)
            yield features(samples, rpm * factor), (truth, size, loads, VARIED, half, snr < 0)


def _made_up(random: np.random.Generator, share: float) -> Iterator[Row]:
    for number in range(int(4000 * share)):
        samples, rpm = waves.healthy(WINDOW, RATE_HZ, random)
        if random.random() < 0.3:
            samples = waves.noisy(samples, random.uniform(-5, 10), random)
        yield features(samples, rpm), (0, MADE_UP, -1, VARIED, number % 2, False)
    for kind in LABELS[1:]:
        for number in range(int(700 * share)):
            samples, rpm = waves.faulty(kind, WINDOW, RATE_HZ, random)
            if random.random() < 0.3:
                samples = waves.low_passed(samples, random)
            yield features(samples, rpm), (LABELS.index(kind), MADE_UP, -1, VARIED, number % 2, False)


def _simulated(random: np.random.Generator, share: float) -> Iterator[Row]:
    for number in range(int(3000 * share)):
        samples, rpm = waves.simulated(WINDOW, RATE_HZ, random)
        yield features(samples, rpm), (0, SIMULATED, -1, VARIED, number % 2, False)


def fit(
    table: Windows, rows: NDArray[np.int64], *, number: int = 0, epochs: int = EPOCHS, hidden: int = HIDDEN
) -> nn.Module:
    """Train on these rows."""
    random = seed(number)
    inputs = table.features[rows]
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    net = OrderNet(torch.from_numpy(mean), torch.from_numpy(deviation), len(LABELS), hidden)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=epochs * (len(rows) // BATCH) + 1)
    everything, truth = torch.from_numpy(inputs), torch.from_numpy(table.truth[rows])
    weight = torch.from_numpy(_weights(table, rows))
    quiet = torch.from_numpy(table.quiet[rows])
    jitter = torch.from_numpy(0.15 * deviation)
    net.train()
    for _ in range(epochs):
        for chosen in batches(random.permutation(len(rows)), BATCH):
            batch = torch.from_numpy(chosen)
            seen = everything[batch] + torch.randn(len(batch), inputs.shape[1]) * jitter
            loss = (_loss(net(seen), truth[batch], quiet[batch]) * weight[batch]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def _loss(scores: torch.Tensor, truth: torch.Tensor, quiet: torch.Tensor) -> torch.Tensor:
    """Cross entropy with smoothing; for quiet windows only that of 'some fault' against normal."""
    logs = functional.log_softmax(scores, 1)
    own = logs.gather(1, truth[:, None])[:, 0]
    some_fault = torch.logsumexp(logs[:, 1:], 1)
    return torch.where(quiet & (truth > 0), -some_fault, -0.95 * own - 0.05 * logs.mean(1))


def _weights(table: Windows, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Labels weigh the same; within a label machines that are no recordings a fixed share, and bearings the same."""
    truth, size = table.truth[rows], table.size[rows]
    weight = np.zeros(len(rows))
    for label in range(len(LABELS)):
        of_label = truth == label
        sizes = [int(s) for s in np.unique(size[of_label])]
        fixed = {each: part for each, part in _SHARE["fault" if label else "normal"].items() if each in sizes}
        for each in sizes:
            part = of_label & (size == each)
            share = fixed[each] if each in fixed else (1 - sum(fixed.values())) / (len(sizes) - len(fixed))
            weight[part] = share / part.sum()
    return np.asarray(weight / weight.mean(), np.float32)


def features_size() -> int:
    """Length of the feature vector."""
    return order_recipe(PREPARE).size
