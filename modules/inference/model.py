"""One ONNX file in ONNX Runtime, as its card describes it: prepared inputs in, probabilities and heat maps out."""

import math
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from modules.inference.card import Card
from modules.inference.errors import ModelError, OutOfMemoryError, without_paths
from modules.inference.sizing import CPU, Sizing

_SUM_TOLERANCE: Final = 1e-3
_STEEP: Final = 60.0  # beyond, a sigmoid is 0 or 1 to the last bit
_LEAST: Final = 1e-12
_MEMORY: Final = re.compile(r"(?i)bad.?alloc|failed to allocate|out of memory")


class Model:
    """An ONNX Runtime session with its card: runs prepared inputs and makes probabilities."""

    def __init__(self, card: Card, path: Path, *, sizing: Sizing | None = None, provider: str = CPU) -> None:
        sizing = sizing or Sizing()
        options = ort.SessionOptions()
        options.intra_op_num_threads = sizing.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised; the log belongs to the module
        # A gateway's memory counts for more than the last tenth of a millisecond.
        options.enable_cpu_mem_arena = sizing.arena
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = ort.InferenceSession(str(path), options, providers=list(dict.fromkeys((provider, CPU))))
        except Exception as error:  # the runtime raises many types of its own, all with a text that says what is wrong
            raise ModelError(f"{path.name} does not load: {without_paths(error, path.parent)[:300]}") from error
        if self.session.get_providers()[0] != provider:
            raise ModelError(f"{provider} did not start for {path.name}")
        self.card = card
        self._outputs = [card.output.scores] + ([card.output.heat] if card.output.heat else [])
        self._check_names(path.name)
        first = next(each for each in self.session.get_inputs() if each.name == card.input.name).shape[:1]
        self._fixed = first[0] if first and isinstance(first[0], int) else None
        self.batch = self._fixed or (1 if card.input.constants else sizing.items(math.prod(card.input.shape)))
        self._constants = {
            name: np.full(each.shape, each.value, each.dtype) for name, each in card.input.constants.items()
        }

    def probabilities(self, inputs: NDArray[np.generic]) -> NDArray[np.float64]:
        """Probabilities, shape (n, labels), of prepared inputs (n, ...). Raises ModelError."""
        return self.run(inputs)[0]

    def run(self, inputs: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """Probabilities, and the heat maps, shape (n, h, w), where the card names one. Raises ModelError.

        More inputs than one run takes are run in turn; a network of a fixed batch is filled up with the last one.
        """
        if len(inputs) <= self.batch and self._fixed in (None, len(inputs)):
            return self._run(inputs)
        parts = [self._filled(inputs[start : start + self.batch]) for start in range(0, len(inputs), self.batch)]
        rows, heats = np.concatenate([part[0] for part in parts]), [part[1] for part in parts]
        return rows, None if heats[0] is None else np.concatenate([each for each in heats if each is not None])

    def one_by_one(self) -> None:
        """From now on a run takes one input: the graph promises a free batch and cannot keep it."""
        self.batch = 1

    def _filled(self, part: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        count = len(part)
        if self._fixed is not None and count < self._fixed:
            part = np.concatenate([part, np.repeat(part[-1:], self._fixed - count, axis=0)])
        rows, heat = self._run(part)
        return rows[:count], None if heat is None else heat[:count]

    def _run(self, inputs: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        try:
            answers = self.session.run(self._outputs, {self.card.input.name: inputs, **self._constants})
        except Exception as error:  # as above
            said = without_paths(error)
            if _MEMORY.search(said):
                raise OutOfMemoryError(f"the model asked for more memory than it may have: {said[:200]}") from error
            raise ModelError(f"the model refused its input: {said[:300]}") from error
        rows = self._activate(np.asarray(answers[0], np.float64), len(inputs))
        return rows, _heat(answers[1], len(inputs)) if len(answers) > 1 else None

    def _activate(self, scores: NDArray[np.float64], batch: int) -> NDArray[np.float64]:
        count = len(self.card.labels)
        activation = self.card.output.activation
        binary = activation in ("sigmoid", "probability") and count == 2 and scores.size == batch
        if scores.size == batch * count and scores.shape[:2] == (batch, count):
            scores = scores.reshape(batch, count)  # (n, labels, 1, 1) of a network that ends in a convolution
        if not binary and scores.shape != (batch, count):
            raise ModelError(f"the model answered with shape {scores.shape} for {batch} inputs and {count} labels")
        if not np.isfinite(scores).all():
            raise ModelError("the model answered with NaN or infinity")
        if activation == "probability" and ((scores < 0).any() or (scores > 1).any()):
            raise ModelError("the model's answers are no probabilities; say softmax or sigmoid in output.activation")
        if activation in ("softmax", "sigmoid"):
            scores = scores / self.card.output.temperature
        if activation == "softmax":
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(weights / weights.sum(axis=1, keepdims=True))
        if activation == "sigmoid":
            scores = 1.0 / (1.0 + np.exp(-np.clip(scores, -_STEEP, _STEEP)))
        if binary:  # one score, of the second label
            second = scores.reshape(batch)
            return np.stack([1.0 - second, second], axis=1)
        if activation in ("sigmoid", "probability"):
            return np.asarray(scores / np.maximum(scores.sum(axis=1, keepdims=True), _LEAST))
        if (scores < 0).any() or (np.abs(scores.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
            raise ModelError("the model's answers are no probabilities; say softmax or sigmoid in output.activation")
        return scores

    def _check_names(self, file: str) -> None:
        inputs = {each.name: each for each in self.session.get_inputs()}
        outputs = {each.name for each in self.session.get_outputs()}
        if self.card.input.name not in inputs:
            raise ModelError(f"{file} has no input {self.card.input.name!r}; it has {', '.join(inputs)}")
        if extra := set(inputs) - {self.card.input.name} - set(self.card.input.constants):
            raise ModelError(f"{file} takes {', '.join(sorted(extra))}, too: say input.constants")
        if missing := [name for name in self._outputs if name not in outputs]:
            raise ModelError(f"{file} has no output {missing[0]!r}; it has {', '.join(sorted(outputs))}")
        shape = inputs[self.card.input.name].shape[1:]
        for wanted, has in zip(self.card.input.shape, shape, strict=False):
            if isinstance(has, int) and has != wanted:
                raise ModelError(f"{file} takes {shape}, the card says {list(self.card.input.shape)}")
        if len(shape) != len(self.card.input.shape):
            raise ModelError(f"{file} takes {shape}, the card says {list(self.card.input.shape)}")


def _heat(found: Any, batch: int) -> NDArray[np.float32]:
    """Heat maps as (n, h, w), whatever axes of length one stand between."""
    heat = np.asarray(found, np.float32)
    if heat.ndim == 4 and 1 in (heat.shape[1], heat.shape[3]):
        heat = heat[:, 0] if heat.shape[1] == 1 else heat[..., 0]
    if heat.ndim != 3 or len(heat) != batch:
        raise ModelError(f"the heat map has shape {heat.shape} for {batch} inputs; (n, h, w) is wanted")
    return heat
