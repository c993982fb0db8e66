"""One model package, loaded and checked on this machine: picture or window in, probabilities out.

Runs in the child process (child.py), in `check`, in training and in tests; knows nothing of modules and messages.
"""

import hashlib
import math
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
from modules.inference.looks import odd
from modules.inference.model import Model
from modules.inference.prepare import prepare, prepare_and_look
from modules.inference.sizing import CPU, Sizing, candidates

FILES: Final = {"int8": "model.int8.onnx", "fp32": "model.onnx"}  # in order of preference

Items = Sequence[tuple[bytes, Mapping[str, float]]]  # bodies as they came, and facts


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading found out."""

    precision: str
    provider: str
    batch: int  # items in one run of the network
    golden_cases: int
    golden_difference: float
    load_s: float
    refused: Mapping[str, str]  # provider or precision that was preferred and why it was not taken


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model said of one item, and how the item looks: its statistics, and what is odd about them."""

    probabilities: list[float]  # by label
    odd: list[str]
    looks: Mapping[str, float]


class Runner:
    """A package ready for use. Raises CardError or ModelError when it is not fit for use on this machine."""

    def __init__(
        self,
        folder: Path,
        *,
        sizing: Sizing | None = None,
        precision: str | None = None,
        orders: Mapping[str, float] | None = None,
    ) -> None:
        """`orders` stand in place of the card's, for another bearing; golden cases are checked with the card's own."""
        begin = time.perf_counter()
        sizing = sizing or Sizing()
        self.card = read_card(folder)
        check_files(folder, self.card)
        cases = read_golden(folder)
        providers, refused = candidates(sizing.providers, ort.get_available_providers())
        for provider in providers:
            for name, file in FILES.items():
                if (precision not in (None, name)) or not (folder / file).exists():
                    continue
                try:
                    self.model = Model(self.card, folder / file, sizing=sizing, provider=provider)
                    difference = self._check(cases, name)
                except ModelError as error:
                    refused[name if provider == CPU else f"{name} on {provider}"] = str(error)
                    continue
                self.loaded = Loaded(
                    precision=name,
                    provider=provider,
                    batch=self.model.batch,
                    golden_cases=len(cases),
                    golden_difference=difference,
                    load_s=time.perf_counter() - begin,
                    refused=refused,
                )
                if orders:
                    self._use_orders(orders)
                return
        raise ModelError("; ".join(refused.values()) or f"{folder.name} has neither {' nor '.join(FILES.values())}")

    def judge(self, items: Items) -> NDArray[np.float64]:
        """Probabilities, shape (items, labels), of encoded pictures or windows. Raises BadInputError, ModelError."""
        return self.model.probabilities(self.inputs([prepare(body, facts, self.card) for body, facts in items]))

    def judge_each(self, items: Items) -> list[Judged | BadInputError]:
        """What the model says of each item, all in as few runs as it takes; an item that is no input costs only itself.

        Raises ModelError.
        """
        answers: list[Judged | BadInputError] = []
        rows, looks = [], []
        for body, facts in items:
            try:
                row, look = prepare_and_look(body, facts, self.card)
            except BadInputError as error:
                answers.append(error)
                continue
            rows.append(row)
            looks.append(look)
            answers.append(Judged([], [], look))
        if not rows:
            return answers
        found = iter(zip(self.model.probabilities(self.inputs(rows)), looks, strict=True))
        for place, answer in enumerate(answers):
            if isinstance(answer, Judged):
                probabilities, look = next(found)
                answers[place] = Judged(probabilities.tolist(), odd(look, self.card.reference.input), look)
        return answers

    def heat(self, body: bytes) -> NDArray[np.float32] | None:
        """Where in the picture, shape (h, w); None when the model does not say."""
        if self.card.output.heat is None:
            return None
        found = self.model.run(self.inputs([prepare(body, {}, self.card)]))[1]
        return None if found is None else found[0]

    def _use_orders(self, orders: Mapping[str, float]) -> None:
        how = self.card.prepare
        known = how.orders if isinstance(how, WavePrepare) else {}
        if unknown := set(orders) - set(known):
            raise CardError(f"orders {', '.join(sorted(unknown))} are none of {', '.join(known) or 'this model'}")
        changed = how.model_copy(update={"orders": {**known, **orders}})
        self.card = self.card.model_copy(update={"prepare": changed})

    def inputs(self, rows: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        """Prepared items as one tensor. Raises ModelError when it is not what the card says."""
        inputs = rows[0][None] if len(rows) == 1 else np.stack(rows)
        if self.card.prepare.kind == "wave" and rows[0].size == math.prod(self.card.input.shape):
            inputs = inputs.reshape(len(rows), *self.card.input.shape)  # with or without an axis of channels
        if inputs.shape[1:] != self.card.input.shape:
            raise ModelError(f"prepared input is {inputs.shape[1:]}, the card says {self.card.input.shape}")
        return inputs if inputs.dtype == self.card.input.dtype else inputs.astype(self.card.input.dtype)

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
        self._check_shape(cases)
        return worst

    def _check_shape(self, cases: Sequence[GoldenCase]) -> None:
        """Without golden cases, that random numbers give probabilities; with any, that several at once do, too."""
        shape = (2, *self.card.input.shape)
        inputs = (np.random.default_rng(0).random(shape) * (255 if self.card.input.dtype == "uint8" else 1)).astype(
            self.card.input.dtype
        )
        if not cases:
            self.model.probabilities(inputs[:1])
        if self.model.batch > 1:
            try:
                self.model.probabilities(inputs)
            except ModelError:
                self.model.one_by_one()


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
        "provider": loaded.provider,
        "batch": loaded.batch,
        "golden_cases": loaded.golden_cases,
        "golden_difference": round(loaded.golden_difference, 6),
        "load_s": round(loaded.load_s, 3),
        **({"refused": dict(loaded.refused)} if loaded.refused else {}),
    }
