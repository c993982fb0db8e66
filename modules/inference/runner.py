"""One model package, loaded and checked on this machine: picture or window in, probabilities out.

Runs in the child process (child.py), in `check`, in training and in tests; knows nothing of modules and messages.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from modules.inference.card import Card, CardError, WavePrepare, read_card
from modules.inference.errors import BadInputError, ModelError
from modules.inference.golden import GoldenCase, read_golden
from modules.inference.prepare import prepare

FILES: Final = {"int8": "model.int8.onnx", "fp32": "model.onnx"}  # in order of preference
_SUM_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading found out."""

    precision: str
    providers: tuple[str, ...]
    golden_cases: int
    golden_difference: float
    load_s: float
    refused: Mapping[str, str]  # precision that was tried before and why it was not taken


class Model:
    """An ONNX Runtime session with its card: prepares, runs, and makes probabilities."""

    def __init__(self, card: Card, path: Path, *, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised; the log belongs to the module
        # A gateway's memory counts for more than the last tenth of a millisecond.
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises many types of its own, all with a text that says what is wrong
            raise ModelError(f"{path.name} does not load: {str(error)[:300]}") from error
        self.card = card
        self._outputs = [card.output.scores] + ([card.output.heat] if card.output.heat else [])
        self._check_names(path.name)

    def probabilities(self, inputs: NDArray[np.generic]) -> NDArray[np.float64]:
        """Probabilities, shape (batch, labels), of prepared inputs with their batch axis. Raises ModelError."""
        return self.run(inputs)[0]

    def run(self, inputs: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """Probabilities, and the heat map, shape (batch, h, w), where the card names one. Raises ModelError."""
        try:
            answers = self.session.run(self._outputs, {self.card.input.name: inputs})
        except Exception as error:  # as above
            raise ModelError(f"the model refused its input: {str(error)[:300]}") from error
        return self._activate(np.asarray(answers[0], np.float64), len(inputs)), answers[1] if len(answers) > 1 else None

    def _activate(self, scores: NDArray[np.float64], batch: int) -> NDArray[np.float64]:
        count = len(self.card.labels)
        binary = self.card.output.activation == "sigmoid" and count == 2 and scores.size == batch
        if not binary and scores.shape != (batch, count):
            raise ModelError(f"the model answered with shape {scores.shape} for {batch} inputs and {count} labels")
        if not np.isfinite(scores).all():
            raise ModelError("the model answered with NaN or infinity")
        scores = scores / self.card.output.temperature
        if binary:  # one score, of the second label
            second = 1.0 / (1.0 + np.exp(-scores.reshape(batch)))
            return np.stack([1.0 - second, second], axis=1)
        if self.card.output.activation == "softmax":
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(weights / weights.sum(axis=1, keepdims=True))
        if self.card.output.activation == "sigmoid":
            scores = 1.0 / (1.0 + np.exp(-scores))
            return np.asarray(scores / scores.sum(axis=1, keepdims=True))
        if (scores < 0).any() or (np.abs(scores.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
            raise ModelError("the model's answers are no probabilities; say softmax or sigmoid in output.activation")
        return scores

    def _check_names(self, file: str) -> None:
        inputs = {each.name: each for each in self.session.get_inputs()}
        outputs = {each.name for each in self.session.get_outputs()}
        if self.card.input.name not in inputs:
            raise ModelError(f"{file} has no input {self.card.input.name!r}; it has {', '.join(inputs)}")
        if missing := [name for name in self._outputs if name not in outputs]:
            raise ModelError(f"{file} has no output {missing[0]!r}; it has {', '.join(sorted(outputs))}")
        shape = inputs[self.card.input.name].shape[1:]
        for wanted, has in zip(self.card.input.shape, shape, strict=False):
            if isinstance(has, int) and has != wanted:
                raise ModelError(f"{file} takes {shape}, the card says {list(self.card.input.shape)}")
        if len(shape) != len(self.card.input.shape):
            raise ModelError(f"{file} takes {shape}, the card says {list(self.card.input.shape)}")


class Runner:
    """A package ready for use. Raises CardError or ModelError when it is not fit for use on this machine."""

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 1,
        precision: str | None = None,
        orders: Mapping[str, float] | None = None,
    ) -> None:
        """`orders` stand in place of the card's, for another bearing; golden cases are checked with the card's own."""
        begin = time.perf_counter()
        self.card = read_card(folder)
        check_files(folder, self.card)
        cases = read_golden(folder)
        refused: dict[str, str] = {}
        for name, file in FILES.items():
            if (precision not in (None, name)) or not (folder / file).exists():
                continue
            try:
                self.model = Model(self.card, folder / file, threads=threads)
                difference = self._check(cases, name)
            except ModelError as error:
                refused[name] = str(error)
                continue
            self.loaded = Loaded(
                precision=name,
                providers=tuple(self.model.session.get_providers()),
                golden_cases=len(cases),
                golden_difference=difference,
                load_s=time.perf_counter() - begin,
                refused=refused,
            )
            if orders:
                self._use_orders(orders)
            return
        raise ModelError("; ".join(refused.values()) or f"{folder} holds neither {' nor '.join(FILES.values())}")

    def judge(self, items: Sequence[tuple[bytes, Mapping[str, float]]]) -> NDArray[np.float64]:
        """Probabilities, shape (items, labels), of encoded pictures or windows. Raises BadInputError, ModelError."""
        return self.model.probabilities(self._inputs(items))

    def heat(self, body: bytes) -> NDArray[np.float32] | None:
        """Where in the picture, shape (h, w); None when the model does not say."""
        found = self.model.run(self._inputs([(body, {})]))[1]
        return None if found is None else found[0]

    def _use_orders(self, orders: Mapping[str, float]) -> None:
        how = self.card.prepare
        known = how.orders if isinstance(how, WavePrepare) else {}
        if unknown := set(orders) - set(known):
            raise CardError(f"orders {', '.join(sorted(unknown))} are none of {', '.join(known) or 'this model'}")
        changed = how.model_copy(update={"orders": {**known, **orders}})
        self.card = self.card.model_copy(update={"prepare": changed})

    def _inputs(self, items: Sequence[tuple[bytes, Mapping[str, float]]]) -> NDArray[np.generic]:
        rows = [prepare(body, facts, self.card) for body, facts in items]
        inputs = rows[0][None] if len(rows) == 1 else np.stack(rows)
        if inputs.shape[1:] != self.card.input.shape:
            raise ModelError(f"prepared input is {inputs.shape[1:]}, the card says {self.card.input.shape}")
        return inputs

    def _check(self, cases: Sequence[GoldenCase], precision: str) -> float:
        """The largest difference over the golden cases. Raises ModelError when it is too large."""
        worst = 0.0
        allowed = getattr(self.card.golden, precision)
        for number, case in enumerate(cases):
            try:
                found = self.judge([(case.body, case.facts)])[0]
            except BadInputError as error:
                raise ModelError(f"golden case {number} cannot be prepared: {error}") from error
            expected = case.expected.get(precision)
            if expected is None or expected.shape != found.shape:
                raise ModelError(f"golden case {number} does not say what {precision} should answer")
            worst = max(worst, float(np.abs(found - expected).max()))
        if not worst <= allowed:
            raise ModelError(
                f"{precision} differs from its golden cases by {worst:.3g} on this processor, {allowed:.3g} is allowed"
            )
        return worst


def check_files(folder: Path, card: Card) -> None:
    """Compare every file the card names with its SHA-256. Raises CardError for one that is missing or differs."""
    for name, wanted in card.files.items():
        if Path(name).name != name:
            raise CardError(f"files: {name!r} is not a plain file name")
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise CardError(f"{name}: {error.strerror}; the card names it") from error
        if found != wanted:
            raise CardError(
                f"{name} is not the file the card was written for (SHA-256 differs): fetch the package anew"
            )


def describe(loaded: Loaded) -> dict[str, Any]:
    """What loading found, for health and reported properties."""
    return {
        "precision": loaded.precision,
        "providers": list(loaded.providers),
        "golden_cases": loaded.golden_cases,
        "golden_difference": round(loaded.golden_difference, 6),
        "load_s": round(loaded.load_s, 3),
        **({"refused": dict(loaded.refused)} if loaded.refused else {}),
    }
