"""What all fits share: seeds, batches, and prediction in pieces."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

AT_ONCE: Final = 8  # inputs: the memory of a large picture's network grows with it


def seed(number: int) -> np.random.Generator:
    """Seed torch, and return numpy's generator for everything else."""
    torch.manual_seed(number)
    torch.set_num_threads(1)
    return np.random.default_rng(number)


def batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Whole batches of an order; what is left over is dropped, batch norm dislikes it."""
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def upper_optimiser(net: nn.Module, rate: float, head_rate: float) -> torch.optim.Optimizer:
    """For a network that leaves `FIXED` groups of its trunk as they are: the others learn, and the head at its rate."""
    learning = net.trunk.groups[net.FIXED :]
    net.trunk.requires_grad_(requires_grad=False)
    learning.requires_grad_()
    trunk = list(learning.parameters())
    head = [weight for name, weight in net.named_parameters() if not name.startswith("trunk.")]
    parts = [{"params": trunk, "lr": rate}, {"params": head, "lr": head_rate}]
    return torch.optim.AdamW(parts, weight_decay=0.03)


def descend(loss: Tensor, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    """One step down; a steep place is not left by a leap."""
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([weight for group in optimiser.param_groups for weight in group["params"]], 2.0)
    optimiser.step()
    schedule.step()


def scores(net: nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores (n, labels) of prepared inputs."""
    pieces = each_batch(net, inputs, lambda answer: answer[0] if isinstance(answer, tuple) else answer)
    return np.concatenate(pieces).astype(np.float64)


def each_batch(
    answer: Callable[[Tensor], Any], inputs: NDArray[np.float32], pick: Callable[[Any], Tensor]
) -> list[NDArray[np.float32]]:
    """`pick` of what a network that is done learning answers, some at a time."""
    with torch.no_grad():
        return [
            pick(answer(torch.from_numpy(inputs[start : start + AT_ONCE]))).numpy()
            for start in range(0, len(inputs), AT_ONCE)
        ]
