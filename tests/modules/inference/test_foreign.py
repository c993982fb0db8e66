"""ONNX files that others trained, out of the packages they ship in: those that can run do, the others are told why not.

MILLWATCH_FOREIGN names a folder with the unpacked wheels of silero-vad, rapidocr-onnxruntime, magika and nudenet
(`pip download --no-deps`, `unzip`); none of it is part of this repository.
"""

import os
from pathlib import Path

import pytest

from modules.inference import check, new

FOLDER = os.environ.get("MILLWATCH_FOREIGN", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs other people's models: set MILLWATCH_FOREIGN to their folder")


def found(name: str) -> Path:
    paths = sorted(Path(FOLDER).rglob(name))
    if not paths:
        pytest.skip(f"no {name} in MILLWATCH_FOREIGN")
    return paths[0]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ch_ppocr_mobile_v2.0_cls_infer.onnx", "--size 192x48 --mean 0.5 --std 0.5 --labels upright,turned"),
        ("silero_vad_16k_op15.onnx", "--samples 512 --rate 16000 --constant sr=16000 --constant state=0"),
        ("silero_vad_openvino_16k.onnx", "--rate 16000 --constant state=0 --labels quiet,speech --ok quiet"),
        ("silero_vad_16k_sequence.onnx", "--rate 16000"),
    ],
)
def test_a_classifier_of_others_runs(name: str, arguments: str, tmp_path: Path) -> None:
    assert new.command([str(found(name)), "--out", str(tmp_path / "made"), *arguments.split()]) == 0
    assert check.command([str(tmp_path / "made")]) == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("320n.onnx", "only classifiers run"),
        ("ch_PP-OCRv4_det_infer.onnx", "only classifiers run"),
        ("ch_PP-OCRv4_rec_infer.onnx", "only classifiers run"),
        ("model.onnx", "tensor(int32)"),
    ],
)
def test_what_is_no_classifier_is_told_why(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new.command([str(found(name)), "--out", str(tmp_path / "made")]) == 1
    assert why in capsys.readouterr().out
    assert not (tmp_path / "made").exists()
