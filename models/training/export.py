"""From a trained network to a package: ONNX, int8, golden cases, card."""

import hashlib
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import orjson
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from modules.inference.card import Card
from modules.inference.golden import GoldenCase, write_golden
from modules.inference.model import Model
from modules.inference.prepare import prepare
from modules.inference.runner import FILES

OPSET: Final = 18

Example = tuple[bytes, Mapping[str, float], str]  # body, facts and true label of a golden case


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime carries no types
    """Training inputs, one at a time."""

    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._items = iter([{name: each[None]} for each in inputs])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next, or None at the end."""
        return next(self._items, None)


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
    _write_int8(folder, card, calibration)
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


def _write_int8(folder: Path, card: Card, calibration: NDArray[np.float32]) -> None:
    prepared = folder / "prepared.onnx"
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises on the root logger
    quant_pre_process(str(folder / FILES["fp32"]), str(prepared), skip_symbolic_shape=True)
    try:
        quantize_static(
            str(prepared),
            str(folder / FILES["int8"]),
            _Reader(card.input.name, calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Add", "Relu", "Clip"] if card.task == "picture" else ["Gemm"],
            extra_options={"ActivationSymmetric": False},
        )
    finally:
        prepared.unlink()
    _shorten(folder / FILES["int8"])


def _shorten(path: Path) -> None:
    """Leave out what a quarter of a small file can be: zero points that are zero anyway, and long names."""
    model = onnx.load(str(path))
    graph = model.graph
    zero = {each.name for each in graph.initializer if not onnx.numpy_helper.to_array(each).any()}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in _names(graph) and node.input[2] in zero:
            del node.input[2]
    used = {name for node in graph.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    ends = {each.name for each in (*graph.input, *graph.output)}
    short: dict[str, str] = {}
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [n if n in ends or not n else short.setdefault(n, f"t{len(short)}") for n in names]
    for each in graph.initializer:
        each.name = short[each.name]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _names(graph: Any) -> set[str]:
    return {each.name for each in graph.initializer}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shape_of(inputs: NDArray[Any]) -> tuple[int, ...]:
    """The input's shape without the batch axis."""
    return tuple(int(each) for each in inputs.shape[1:])
