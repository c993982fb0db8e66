"""`check` and `new`: what a package, or a bare ONNX file, can do here; and a package made of a bare file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from modules.inference import check, new
from modules.inference.bare import facts_of
from modules.inference.card import read_card
from modules.inference.errors import ModelError
from modules.inference.golden import GoldenCase, read_golden, write_golden
from modules.inference.onnxfile import NotOnnxError, read_onnx
from modules.inference.runner import Runner
from modules.inference.skeleton import Answers, draft

MakePackage = Callable[..., Path]
Say = Callable[..., tuple[int, str]]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command; its status and what it printed."""

    def run(command: Callable[[list[str]], int], *arguments: object) -> tuple[int, str]:
        status = command([str(each) for each in arguments])
        return status, capsys.readouterr().out

    return run


def saved(folder: Path, model: onnx.ModelProto, name: str = "bare.onnx") -> Path:
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def classifier(
    inputs: list[tuple[str, int, list[Any]]], nodes: list[onnx.NodeProto], outputs: list[tuple[str, list[Any]]]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "made up",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(np.array([2, 3], np.int64), "axes")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_a_package_that_runs_says_how_fast_and_how_big_and_what_it_lacks(said: Say, make_package: MakePackage) -> None:
    folder = make_package()
    status, text = said(check.command, folder)
    assert status == 0
    assert "package will run here" in text
    assert "no golden.npz" in text
    status, text = said(check.command, folder, "--json")
    found = orjson.loads(text)
    (file,) = found["files"]
    assert (status, found["runs"], file["provider"]) == (0, True, "CPUExecutionProvider")
    assert file["operators"] == {"ReduceMean": 1, "Gemm": 1}
    assert file["opsets"] == {"ai.onnx": 18}
    assert 0 < file["ms"]["network"] < 1000
    assert 20 < file["peak_mb"] < 1000
    assert str(folder.parent) not in text


@pytest.mark.parametrize("name", ["tile", "steel", "bearing"])
def test_the_packages_that_ship_run(said: Say, name: str) -> None:
    status, text = said(check.command, ROOT / "models" / name, "--json")
    found = orjson.loads(text)
    assert (status, [each["runs"] for each in found["files"]], found["wrong"]) == (0, [True, True], [])


def test_a_package_that_hangs_or_lies_is_told_of_and_nothing_hangs_with_it(
    said: Say, make_package: MakePackage, picture_card: Callable[..., dict[str, Any]], hanging: onnx.ModelProto
) -> None:
    always = picture_card(golden={"fp32": 0.001}, prepare={"kind": "picture", "width": 4, "height": 4, "mean": [-9.0]})
    folder = make_package("hangs", always, hanging)
    case = GoldenCase(_png(), {}, "", {"fp32": np.array([0.5, 0.5])})
    write_golden(folder, [case])
    status, text = said(check.command, folder, "--deadline", 4)
    assert status == 1
    assert "no answer within 4 s to load" in text
    status, text = said(check.command, make_package("liar", picture_card(output={"scores": "score"})))
    assert (status, "has no output 'score'; it has scores" in text) == (1, True)


def _png() -> bytes:
    import cv2  # noqa: PLC0415 - here alone

    return bytes(cv2.imencode(".png", np.full((8, 8), 255, np.uint8))[1].tobytes())


def test_a_bare_file_is_described_and_what_stands_in_the_way_is_said(said: Say, tmp_path: Path) -> None:
    boxes = classifier(
        [("images", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_node("Identity", ["images"], ["boxes"])],
        [("boxes", ["n", 3, 8, 8])],
    )
    status, text = said(check.command, saved(tmp_path, boxes))
    assert status == 1
    assert "takes images (?, 3, 8, 8) tensor(float), gives boxes (?, 3, 8, 8)" in text
    assert "only classifiers run" in text
    texts = classifier(
        [("text", TensorProto.INT32, ["n", 9])],
        [helper.make_node("Cast", ["text"], ["scores"], to=TensorProto.FLOAT)],
        [("scores", ["n", 9])],
    )
    assert "input text is tensor(int32)" in said(check.command, saved(tmp_path, texts))[1]
    (tmp_path / "torn.onnx").write_bytes(b"\x08\x07nothing")
    status, text = said(check.command, tmp_path / "torn.onnx")
    assert (status, "torn.onnx is no ONNX model" in text) == (1, True)


def test_an_operator_nobody_knows_is_named(said: Say, make_package: MakePackage) -> None:
    strange = classifier(
        [("picture", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_node("Levitate", ["picture"], ["scores"])],
        [("scores", ["n", 2])],
    )
    status, text = said(check.command, make_package(graph=strange))
    assert status == 1
    assert "Levitate" in text


def test_weights_kept_beside_the_file_are_missed(tmp_path: Path, pictures_model: Any) -> None:
    model = pictures_model([0.0, 5.0])
    onnx.save_model(
        model, str(tmp_path / "big.onnx"), save_as_external_data=True, location="big.onnx.data", size_threshold=0
    )
    assert read_onnx(tmp_path / "big.onnx").elsewhere == ("big.onnx.data",)
    found: dict[str, Any] = check._file(tmp_path / "big.onnx")
    assert found["weights_missing"] == []
    (tmp_path / "big.onnx.data").unlink()
    assert check._file(tmp_path / "big.onnx")["weights_missing"] == ["big.onnx.data"]


def test_operators_of_a_graph_within_are_counted(tmp_path: Path, hanging: onnx.ModelProto) -> None:
    found = read_onnx(saved(tmp_path, hanging))
    assert found.operators["Loop"] == 1
    assert found.operators["Add"] == 1
    assert found.size == (tmp_path / "bare.onnx").stat().st_size


@given(st.binary(max_size=300))
def test_bytes_that_are_no_model_are_never_read_as_one_for_ever(tmp_path_factory: Any, body: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.onnx"
    path.write_bytes(body)
    with pytest.raises(NotOnnxError):
        read_onnx(path)


def test_a_bare_classifier_becomes_a_package_that_asks_for_what_it_cannot_know(
    said: Say, tmp_path: Path, pictures_model: Any
) -> None:
    path, folder = saved(tmp_path, pictures_model([0.0, 5.0], 16)), tmp_path / "made"
    status, text = said(new.command, path, "--out", folder)
    assert status == 0
    for asked in ("--labels", "--ok", "--sources", "--mean", "--examples"):
        assert asked in text
    card = read_card(folder)
    assert (card.input.shape, card.prepare.kind, card.labels) == ((1, 16, 16), "picture", ("label-0", "label-1"))
    assert len(read_golden(folder)) == 4
    status, text = said(check.command, folder)
    assert (status, "placeholders" in text) == (0, True)
    assert said(new.command, path, "--out", folder)[0] == 1  # nothing is written over
    status, text = said(new.command, path, "--out", folder, "--force", "--labels", "a,b,c")
    assert (status, text) == (1, "no    3 labels for 2 scores\n")


def test_an_anomaly_detector_becomes_ok_and_not_ok_with_its_map(said: Say, tmp_path: Path) -> None:
    model = classifier(
        [("input", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [
            helper.make_node("ReduceMax", ["input", "axes"], ["highest"], keepdims=0),
            helper.make_node("Flatten", ["highest"], ["column"], axis=1),
            helper.make_node("Constant", [], ["minus"], value_ints=[-1]),
            helper.make_node("Reshape", ["column", "minus"], ["pred_score"]),
            helper.make_node("Identity", ["input"], ["anomaly_map"]),
        ],
        [("pred_score", ["n"]), ("anomaly_map", ["n", 1, 8, 8])],
    )
    folder = tmp_path / "made"
    status, text = said(new.command, saved(tmp_path, model), "--out", folder, "--labels", "ok,odd", "--ok", "ok")
    assert (status, "anomaly_map is a heat map" in text) == (0, True)
    runner = Runner(folder)
    assert runner.card.output.activation == "probability"
    probabilities = runner.judge([(_png(), {})])
    assert probabilities.tolist() == [[0.0, 1.0]]
    heat = runner.heat(_png())
    assert heat is not None
    assert heat.shape == (8, 8)


def test_a_waveform_model_with_a_state_is_given_it_as_a_constant(said: Say, tmp_path: Path) -> None:
    model = classifier(
        [("wave", TensorProto.FLOAT, ["n", "samples"]), ("gain", TensorProto.INT64, [])],
        [
            helper.make_node("Cast", ["gain"], ["factor"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["wave"], ["mean"], keepdims=1, axes=[1]),
            helper.make_node("Mul", ["mean", "factor"], ["one"]),
            helper.make_node("Neg", ["one"], ["other"]),
            helper.make_node("Concat", ["other", "one"], ["scores"], axis=1),
        ],
        [("scores", ["n", 2])],
    )
    model.opset_import[0].version = 17
    path, folder = saved(tmp_path, model), tmp_path / "made"
    assert said(new.command, path, "--out", folder)[1].startswith("no    input wave is None: one channel")
    arguments = ("--samples", 100, "--rate", 100, "--constant", "gain=3", "--labels", "ok,odd", "--ok", "ok")
    status, text = said(new.command, path, "--out", folder, *arguments)
    assert status == 0, text
    runner = Runner(folder)
    ones = np.ones(100, "<f4").tobytes()
    assert runner.judge([(ones, {"rate": 100.0})] * 2)[1].tolist() == pytest.approx([0.0025, 0.9975], abs=1e-3)
    document = orjson.loads((folder / "card.json").read_bytes())
    del document["input"]["constants"]
    document["files"] = {}
    (folder / "card.json").write_bytes(orjson.dumps(document))
    status, text = said(check.command, folder)
    assert (status, "takes gain, too: say input.constants" in text) == (1, True)


def test_examples_give_golden_cases_and_the_usual_range(said: Say, tmp_path: Path, pictures_model: Any) -> None:
    import cv2  # noqa: PLC0415 - here alone

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(24):
        level = np.random.default_rng(number).normal(120 + number, 20, (32, 32)).clip(0, 255)
        cv2.imwrite(str(pictures / f"{number}.png"), level.astype(np.uint8))
    folder = tmp_path / "made"
    said(new.command, saved(tmp_path, pictures_model([0.0, 5.0])), "--out", folder, "--examples", pictures)
    low, high = read_card(folder).reference.input["mean"]
    assert 90 < low < 120
    assert 143 < high < 170
    assert len(read_golden(folder)) == 8
    runner = Runner(folder)
    dark, usual = runner.judge_each([(_png(), {}), ((pictures / "3.png").read_bytes(), {})])
    assert not isinstance(dark, Exception)
    assert not isinstance(usual, Exception)
    assert dark.odd[0].startswith("mean 255 is outside")
    assert usual.odd == []


def test_every_obstacle_is_said_at_once(tmp_path: Path) -> None:
    model = classifier(
        [("ids", TensorProto.INT64, ["n", 3, 2, 2, 2]), ("text", TensorProto.STRING, [1])],
        [helper.make_node("Cast", ["ids"], ["out"], to=TensorProto.FLOAT)],
        [("out", ["n", 3, 2, 2, 2])],
    )
    path = saved(tmp_path, model)
    assert len(facts_of(path).obstacles()) == 4
    with pytest.raises(ModelError, match=r"tensor.string.*tensor.int64.*5 axes.*only classifiers"):
        draft(path, Answers(name="x"))
