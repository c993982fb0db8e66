"""What all fits share: seeds, the running average of weights, and prediction in pieces."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def seed(number: int) -> np.random.Generator:
    """Seed torch, and return numpy's generator for everything else."""
    torch.manual_seed(number)
    torch.set_num_threads(1)
    return np.random.default_rng(number)


@dataclass
class Average:
    """A running average of a network's weights, which generalises better than the last step's (Polyak, Izmailov)."""

    net: nn.Module
    keep: float = 0.99
    steps: int = 0
    model: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self.model = copy.deepcopy(self.net)

    def update(self) -> None:
        """Take the weights of now into account."""
        self.steps += 1
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for mean, now in zip(self.model.state_dict().values(), self.net.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.mul_(keep).add_(now, alpha=1 - keep)
                else:
                    mean.copy_(now)


def batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Whole batches of an order; what is left over is dropped, batch norm dislikes it."""
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def scores(net: nn.Module, inputs: NDArray[np.float32], size: int = 128) -> NDArray[np.float64]:
    """Scores (n, labels) of prepared inputs."""
    pieces = each_batch(net, inputs, size, lambda answer: answer[0] if isinstance(answer, tuple) else answer)
    return np.concatenate(pieces).astype(np.float64)


def each_batch(
    net: nn.Module, inputs: NDArray[np.float32], size: int, pick: Callable[[Tensor], Tensor]
) -> list[NDArray[np.float32]]:
    """`pick` of what the network answers, batch by batch."""
    net.eval()
    with torch.no_grad():
        return [
            pick(net(torch.from_numpy(inputs[start : start + size]))).numpy() for start in range(0, len(inputs), size)
        ]
