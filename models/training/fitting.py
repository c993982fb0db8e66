"""What all fits share: seeds, batches, and prediction in pieces."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def seed(number: int) -> np.random.Generator:
    """Seed torch, and return numpy's generator for everything else."""
    torch.manual_seed(number)
    torch.set_num_threads(1)
    return np.random.default_rng(number)


def batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Whole batches of an order; what is left over is dropped, batch norm dislikes it."""
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def scores(net: nn.Module, inputs: NDArray[np.float32], size: int = 32) -> NDArray[np.float64]:
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
