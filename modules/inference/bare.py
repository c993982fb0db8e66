"""What a bare ONNX file takes and gives, as ONNX Runtime tells it, and what stands in the way of running it here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime as ort

from modules.inference.errors import ModelError, without_paths

TYPES: Final = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
CONSTANTS: Final = {**TYPES, "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(bool)": "bool"}
PICTURE_RANK, WAVE_RANKS = 4, (2, 3)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: sides are numbers, or None where the file leaves them open."""

    name: str
    shape: tuple[int | None, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file takes and gives."""

    inputs: list[Tensor]
    outputs: list[Tensor]

    def told(self, tensors: Sequence[Tensor]) -> str:
        """In words."""
        return ", ".join(
            f"{each.name} ({', '.join('?' if side is None else str(side) for side in each.shape)}) {each.type}"
            for each in tensors
        )

    def obstacles(self) -> list[str]:
        """What the module could not do with this file, and what to do about it."""
        found: list[str] = []
        found += [
            f"the further input {each.name} is {each.type}: export it without"
            for each in self.inputs[1:]
            if each.type not in CONSTANTS
        ]
        first = self.inputs[0] if self.inputs else None
        if first is not None and first.type not in TYPES:
            found.append(f"input {first.name} is {first.type}; float32, float16 and uint8 can be given")
        if first is not None and len(first.shape) not in (*WAVE_RANKS, PICTURE_RANK):
            found.append(f"input {first.name} has {len(first.shape)} axes; pictures have 4, waveforms 2 or 3")
        if self.scores is None:
            found.append(
                f"no output of scores, shape (n, labels), among {self.told(self.outputs)}: only classifiers run"
            )
        return found

    @property
    def scores(self) -> Tensor | None:
        """The output that can be scores: two axes, or more of length one; the last number is the labels'."""
        fitting = [
            each
            for each in self.outputs
            if each.type in ("tensor(float)", "tensor(float16)")
            and len(each.shape) > 1
            and each.shape[1] is not None
            and all(side == 1 for side in each.shape[2:])
        ]
        # One score an item, as anomaly detectors give.
        single = [each for each in self.outputs if len(each.shape) == 1 and each.type == "tensor(float)"]
        return next(iter((*fitting, *single)), None)

    @property
    def heat(self) -> Tensor | None:
        """The output that can be a heat map."""
        maps = [
            each
            for each in self.outputs
            if len(each.shape) == 3 or (len(each.shape) == PICTURE_RANK and each.shape[1] == 1)
        ]
        return next((each for each in maps if each is not self.scores and each.type == "tensor(float)"), None)


def facts_of(path: Path) -> Facts:
    """What the file takes and gives, by ONNX Runtime. Raises ModelError when it does not load."""
    return facts_in(session_of(path))


def session_of(path: Path) -> ort.InferenceSession:
    """The file in ONNX Runtime. Raises ModelError when it does not load."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises many types of its own
        raise ModelError(f"{path.name} does not load: {without_paths(error, path.parent)[:300]}") from error


def facts_in(session: ort.InferenceSession) -> Facts:
    """What a session takes and gives."""
    inputs, outputs = (
        [
            Tensor(each.name, tuple(side if isinstance(side, int) else None for side in each.shape), each.type)
            for each in some
        ]
        for some in (session.get_inputs(), session.get_outputs())
    )
    return Facts(inputs, outputs)
