"""The int8 file of a package: onnxruntime's static quantisation, and nothing in it that can be told from the rest."""

import logging
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from modules.inference.card import Card

QUANTISED: Final = {"picture": ["Conv", "Add", "Relu", "Clip"], "waveform": ["Gemm"]}


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime carries no types
    """Training inputs, one at a time."""

    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._items = iter([{name: each[None]} for each in inputs])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next, or None at the end."""
        return next(self._items, None)


def write(path: Path, fp32: Path, card: Card, calibration: NDArray[np.float32]) -> None:
    """Quantise the file `fp32`, by activations measured on `calibration`."""
    prepared = path.with_name("prepared.onnx")
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises on the root logger
    quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
    try:
        quantize_static(
            str(prepared),
            str(path),
            _Reader(card.input.name, calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=QUANTISED[card.task],
            extra_options={"ActivationSymmetric": False},
        )
    finally:
        prepared.unlink()
    _shorten(path)


def _shorten(path: Path) -> None:
    """Leave out what a quarter of a small file can be: zero points that are zero, scales of biases, and long names."""
    model = onnx.load(str(path))
    graph = model.graph
    _drop_zeros(graph)
    _multiply_scales(graph)
    used = {name for node in graph.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    ends = {each.name for each in (*graph.input, *graph.output)}
    short: dict[str, str] = {}
    for node in graph.node:
        node.ClearField("name")
        for names in (node.input, node.output):
            names[:] = [n if n in ends or not n else short.setdefault(n, np.base_repr(len(short), 36)) for n in names]
    for each in graph.initializer:
        each.name = short[each.name]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _drop_zeros(graph: GraphProto) -> None:
    kept = {each.name for each in graph.initializer}
    zero = {each.name for each in graph.initializer if not numpy_helper.to_array(each).any()}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in kept and node.input[2] in zero:
            del node.input[2]


def _multiply_scales(graph: GraphProto) -> None:
    """A bias has the scale of its convolution's input times that of its weights: whoever loads the file multiplies.

    onnxruntime does so before it looks for what to compute in eight bits.
    """
    values = {each.name: each for each in graph.initializer}
    scales = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"}
    products = []
    for node in graph.node:
        names = [scales.get(name) for name in node.input]
        if node.op_type not in {"Conv", "Gemm"} or len(names) < len(("input", "weights", "bias")) or None in names:
            continue
        of_input, of_weights, of_bias = (numpy_helper.to_array(values[name]) for name in names)
        if np.array_equal(of_input * of_weights, of_bias):
            products.append(helper.make_node("Mul", names[:2], names[2:]))
            graph.initializer.remove(values[names[2]])
    products.extend(graph.node)
    del graph.node[:]
    graph.node.extend(products)
