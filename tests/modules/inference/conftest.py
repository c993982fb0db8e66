"""Packages made up for tests: tiny networks whose answers are known."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

MakePackage = Callable[..., Path]


def picture_graph(bias: list[float], side: int = 4) -> onnx.ModelProto:
    """Scores = (mean brightness, -mean brightness) + bias, for pictures (n, 1, side, side)."""
    weight = np.array([[1.0], [-1.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["picture", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "made up",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 1, side, side])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array(bias, np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def wave_graph(count: int, bias: list[float]) -> onnx.ModelProto:
    """Scores = bias + mean of the samples * (-1, 1), for windows (n, 1, count)."""
    weight = np.array([[-1.0], [1.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["wave", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "made up",
        [helper.make_tensor_value_info("wave", TensorProto.FLOAT, ["n", 1, count])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array([2], np.int64), "axes"),
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array(bias, np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def picture_document(**changes: Any) -> dict[str, Any]:
    """A card for `picture_graph`."""
    return {
        "format": 1,
        "name": "made-up",
        "version": "1.0.0",
        "title": "Bright pictures are defective",
        "task": "picture",
        "sources": ["camera/*"],
        "input": {"name": "picture", "shape": [1, 4, 4]},
        "output": {"scores": "scores"},
        "prepare": {"kind": "picture", "width": 4, "height": 4, "scale": 0.05},
        "labels": ["defect", "ok"],
        "ok_label": "ok",
        **changes,
    }


def wave_document(**changes: Any) -> dict[str, Any]:
    """A card for `wave_graph` of 100 samples at 100 Hz."""
    return {
        "format": 1,
        "name": "made-up-wave",
        "version": "1.0.0",
        "title": "Positive means are faults",
        "task": "waveform",
        "sources": ["press*"],
        "input": {"name": "wave", "shape": [1, 100]},
        "output": {"scores": "scores"},
        "prepare": {"kind": "wave", "seconds": 1.0, "hop": 1.0, "rate_hz": [50, 200]},
        "labels": ["normal", "fault"],
        "ok_label": "normal",
        "decision": {"average": 4, "raise_k": 2, "of_n": 3, "clear_k": 0, "severity": "critical"},
        **changes,
    }


@pytest.fixture
def make_package(tmp_path: Path) -> MakePackage:
    """A function that writes a package folder and returns it."""

    def make(
        name: str = "package", document: dict[str, Any] | None = None, graph: onnx.ModelProto | bytes | None = None
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        model = graph if graph is not None else picture_graph([0.0, 5.0])
        body = model if isinstance(model, bytes) else model.SerializeToString()
        (folder / "model.onnx").write_bytes(body)
        card = dict(document if document is not None else picture_document())
        card.setdefault("files", {"model.onnx": hashlib.sha256(body).hexdigest()})
        (folder / "card.json").write_bytes(orjson.dumps(card))
        return folder

    return make


@pytest.fixture
def picture_card() -> Callable[..., dict[str, Any]]:
    return picture_document


@pytest.fixture
def wave_card() -> Callable[..., dict[str, Any]]:
    return wave_document


@pytest.fixture
def waves_model() -> Callable[[int, list[float]], onnx.ModelProto]:
    return wave_graph


@pytest.fixture
def pictures_model() -> Callable[..., onnx.ModelProto]:
    return picture_graph


def trap_graph(nodes: list[onnx.NodeProto], side: int = 4) -> onnx.ModelProto:
    """`picture_graph` whose scores go through `nodes` (from ``safe`` and ``mean`` to ``scores``)."""
    graph = picture_graph([0.0, 5.0], side).graph
    graph.node[1].output[0] = "safe"
    graph.node.extend(nodes)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value), name))


@pytest.fixture
def hanging() -> onnx.ModelProto:
    """Never answers for a bright picture (mean above 5), at once for a dark one."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["was", "none"], ["now"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("was", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("now", TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(np.array(0.0, np.float32), "none")],
    )
    return trap_graph(
        [
            constant("five", np.array(5.0, np.float32)),
            constant("rounds", np.array(2**62, np.int64)),
            helper.make_node("ReduceMax", ["mean"], ["brightest"], keepdims=0),
            helper.make_node("Greater", ["brightest", "five"], ["bright"]),
            helper.make_node("Loop", ["rounds", "bright", "safe"], ["scores"], body=body),
        ]
    )


@pytest.fixture
def greedy() -> onnx.ModelProto:
    """Asks for 4 GB for a bright picture."""
    return trap_graph(
        [
            constant("five", np.array(5.0, np.float32)),
            constant("little", np.array([1], np.int64)),
            constant("much", np.array([1 << 30], np.int64)),
            constant("zero", np.array([0.0], np.float32)),
            helper.make_node("ReduceMax", ["mean"], ["brightest"], keepdims=0),
            helper.make_node("Greater", ["brightest", "five"], ["bright"]),
            helper.make_node("Where", ["bright", "much", "little"], ["size"]),
            helper.make_node("Expand", ["zero", "size"], ["room"]),
            helper.make_node("ReduceMax", ["room"], ["nothing"], keepdims=0),
            helper.make_node("Add", ["safe", "nothing"], ["scores"]),
        ]
    )


@pytest.fixture
def undefined() -> onnx.ModelProto:
    """Answers NaN for a bright picture."""
    return trap_graph(
        [
            constant("five", np.array(5.0, np.float32)),
            helper.make_node("Sub", ["five", "mean"], ["left"]),
            helper.make_node("Sqrt", ["left"], ["root"]),
            helper.make_node("Mul", ["root", "safe"], ["scores"]),
        ]
    )


@pytest.fixture
def wrong_shape() -> onnx.ModelProto:
    """Answers with four scores for two labels."""
    return trap_graph([helper.make_node("Concat", ["safe", "safe"], ["scores"], axis=1)])


def jpeg(level: int) -> bytes:
    """A picture of one grey level."""
    return cv2.imencode(".jpg", np.full((8, 8), level, np.uint8))[1].tobytes()


@pytest.fixture
def bright() -> bytes:
    """Mean 12.75 after `picture_document`'s scaling."""
    return jpeg(255)


@pytest.fixture
def dark() -> bytes:
    return jpeg(0)
