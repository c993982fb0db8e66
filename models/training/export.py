"""From a trained network to a package: ONNX, int8, golden cases, card."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import orjson
import torch
from numpy.typing import NDArray
from torch import nn

from models.training import int8
from modules.inference.card import Card
from modules.inference.golden import GoldenCase, write_golden
from modules.inference.model import Model
from modules.inference.prepare import prepare
from modules.inference.runner import FILES

OPSET: Final = 18

Example = tuple[bytes, Mapping[str, float], str]  # body, facts and true label of a golden case


def write_package(
    folder: Path,
    net: nn.Module,
    card: Card,
    calibration: NDArray[np.float32],
    examples: Sequence[Example],
) -> Card:
    """Write model.onnx, model.int8.onnx, golden.npz and card.json; the card as written, with its SHA-256 sums."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_onnx(folder / FILES["fp32"], net, card)
    int8.write(folder / FILES["int8"], folder / FILES["fp32"], card, calibration)
    models = {name: Model(card, folder / file) for name, file in FILES.items()}
    cases = [
        GoldenCase(
            body=body,
            facts=facts,
            label=label,
            expected={name: model.probabilities(prepare(body, facts, card)[None])[0] for name, model in models.items()},
        )
        for body, facts, label in examples
    ]
    write_golden(folder, cases)
    names = [*sorted(FILES.values()), "golden.npz"]
    whole = card.model_copy(update={"files": {name: _sha256(folder / name) for name in names}})
    text = orjson.dumps(whole.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / "card.json").write_bytes(text)
    return whole


def to_calibrate(rows: NDArray[np.int64], count: int = 300) -> NDArray[np.int64]:
    """Some of the rows that were learnt from: those that activations are measured on."""
    return np.random.default_rng(0).permutation(rows)[:count]


def rewrite_card(folder: Path, card: Card) -> None:
    """Write the card anew beside files that stay."""
    text = orjson.dumps(card.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / "card.json").write_bytes(text)


def _write_onnx(path: Path, net: nn.Module, card: Card) -> None:
    outputs = [card.output.scores] + ([card.output.heat] if card.output.heat else [])
    with warnings.catch_warnings():
        # The exporter that traces is the one whose graphs onnxruntime's quantiser folds batch norm into.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(2, *card.input.shape),),
            str(path),
            input_names=[card.input.name],
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in (card.input.name, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    model.doc_string = f"{card.id}: {card.title}"
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shape_of(inputs: NDArray[Any]) -> tuple[int, ...]:
    """The input's shape without the batch axis."""
    return tuple(int(each) for each in inputs.shape[1:])
