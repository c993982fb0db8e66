"""Packages taken apart and put together: the same answers, only the head is another, and what has none is refused."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper

from models.federated.head import Head
from models.federated.network import Eyes, NoHeadError, read_base, write_package
from modules.inference.card import read_card
from modules.inference.golden import read_golden
from modules.inference.runner import Runner

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.mark.parametrize(("name", "labels", "features"), [("bearing", 4, 24), ("steel", 6, 240), ("tile", 2, 327)])
def test_the_packages_that_ship_have_a_head_and_it_says_nearly_what_they_say(
    name: str, labels: int, features: int
) -> None:
    base = read_base(MODELS / name)
    assert base.home.weight.shape == (labels, features)
    cases = read_golden(base.folder)
    scores = base.home.scores(Eyes(base)([(case.body, case.facts) for case in cases]))
    said = np.array([case.expected["fp32"] for case in cases])
    assert (scores.argmax(axis=1) == said.argmax(axis=1)).all()


def test_another_head_makes_another_package_that_the_module_takes(tmp_path: Path) -> None:
    base = read_base(MODELS / "bearing")
    ball = Head(np.zeros_like(base.home.weight), np.array([0.0, 0.0, 9.0, 0.0]))
    written = write_package(base, ball, tmp_path / "out", version="1.1.0", told={"samples": 40})
    assert written == read_card(tmp_path / "out")
    assert written.training["federated"]["base"] == "bearing/1.0.0"
    assert written.training["federated"]["samples"] == 40
    assert written.training["terms"] == base.card.training["terms"]
    assert "nobody" in written.accuracy["none"]
    runner = Runner(tmp_path / "out")
    for case in read_golden(base.folder):
        (probabilities,) = runner.judge([(case.body, case.facts)])
        assert probabilities[2] > 0.99
    again = read_base(tmp_path / "out")  # and can be learnt for once more
    assert again.home.weight.shape == base.home.weight.shape
    assert again.digest != base.digest


def test_a_network_whose_end_is_not_linear_has_no_head(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MODELS / "bearing", tmp_path / "odd"))
    (folder / "model.int8.onnx").unlink()
    nodes = [
        helper.make_node("Gemm", ["features", "w", "b"], ["raw"], transB=1),
        helper.make_node("Relu", ["raw"], ["scores"]),
    ]
    fixed = [
        onnx.numpy_helper.from_array(np.eye(4, 103, dtype=np.float32), "w"),
        onnx.numpy_helper.from_array(np.zeros(4, np.float32), "b"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", n])
        for name, n in (("features", 103), ("scores", 4))
    ]
    graph = helper.make_graph(nodes, "odd", ends[:1], ends[1:], fixed)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), folder / "model.onnx"
    )
    card = orjson.loads((folder / "card.json").read_bytes())
    (folder / "golden.npz").unlink()
    card["files"] = {}
    (folder / "card.json").write_bytes(orjson.dumps(card))
    with pytest.raises(NoHeadError, match="not linear"):
        read_base(folder)
