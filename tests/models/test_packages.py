"""The packages that ship: whole, small, right on what they were not trained on, and free of other people's data."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from devices.dataset import discover
from devices.rolling_bearing import Bearing, Defect, Machine
from modules.camera.conveyor import part as conveyor_part
from modules.camera.conveyor import tile
from modules.camera.frame import encode
from modules.inference.card import read_card
from modules.inference.decision import Condition, step
from modules.inference.golden import read_golden
from modules.inference.runner import Judged, Runner

MODELS = Path(__file__).resolve().parents[2] / "models"
PACKAGES = ["bearing", "steel", "tile"]
LABELS: dict[Defect, str] = {"outer": "outer_race", "inner": "inner_race", "ball": "ball"}


def said(runner: Runner, body: bytes, facts: dict[str, float]) -> str:
    (probabilities,) = runner.judge([(body, facts)])
    return str(runner.card.labels[int(np.argmax(probabilities))])


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_whole_and_small(name: str) -> None:
    card = read_card(MODELS / name)
    for file, digest in card.files.items():
        assert hashlib.sha256((MODELS / name / file).read_bytes()).hexdigest() == digest
    assert (MODELS / name / "model.int8.onnx").stat().st_size < 1_000_000
    assert card.training["terms"]
    assert "honest" in card.accuracy


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_golden_cases_come_out_here(name: str, precision: str) -> None:
    runner = Runner(MODELS / name, precision=precision)
    cases = read_golden(MODELS / name)
    assert len(cases) >= 4
    for case in cases:
        (found,) = runner.judge([(case.body, case.facts)])
        assert np.abs(found - case.expected[precision]).max() <= getattr(runner.card.golden, precision)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_golden_case_is_taken_from_the_data(name: str, real_data: Path) -> None:
    data = discover(real_data)
    taken = {hashlib.sha256(path.read_bytes()).digest() for each in data.pictures for path in _paths(each.root)}
    assert taken.isdisjoint(hashlib.sha256(case.body).digest() for case in read_golden(MODELS / name))


def _paths(root: Path) -> list[Path]:
    return [path for path in root.rglob("*.jpg") if "masks" not in path.parts]


@pytest.mark.parametrize("defect", ["outer", "inner", "ball"])
@pytest.mark.parametrize("rpm", [1200.0, 1797.0])
def test_the_simulated_defect_is_named(defect: Defect, rpm: float) -> None:
    runner = Runner(MODELS / "bearing", precision="int8")
    bearing = Bearing(Machine(rpm=rpm, slip=0.005), defect=defect, seed=11)
    windows = [bearing.block(16_384, severity=15.0).astype("<f4").tobytes() for _ in range(5)]
    votes = [said(runner, window, {"rate": 12_000.0, "rpm": rpm}) for window in windows]
    assert max(set(votes), key=votes.count) == LABELS[defect]


@pytest.mark.parametrize("rpm", [900.0, 1500.0, 1797.0, 2400.0])
def test_a_simulated_healthy_bearing_is_normal(rpm: float) -> None:
    runner = Runner(MODELS / "bearing", precision="int8")
    bearing = Bearing(Machine(rpm=rpm), seed=12)
    votes = [
        said(runner, bearing.block(16_384).astype("<f4").tobytes(), {"rate": 12_000.0, "rpm": rpm}) for _ in range(8)
    ]
    assert votes.count("normal") >= 6


@pytest.mark.parametrize("rpm", [2135.0, 2538.0, 2844.0])
def test_a_fast_and_unbalanced_healthy_bearing_raises_nothing(rpm: float) -> None:
    runner = Runner(MODELS / "bearing", precision="int8")
    bearing = Bearing(Machine(rpm=rpm, noise=0.3, unbalance=3.6), seed=13)
    condition = Condition()
    for _ in range(40):
        body = bearing.block(16_384).astype("<f4").tobytes()
        (probability,) = runner.judge([(body, {"rate": 12_000.0, "rpm": rpm})])
        after = step(condition, probability.tolist(), runner.card)
        assert after.change is None
        condition = after.condition


def test_the_rendered_conveyor_is_judged_right_and_nothing_of_it_is_odd() -> None:
    runner = Runner(MODELS / "tile", precision="int8")
    right = 0
    parts = [conveyor_part(1, number, 0.5) for number in range(60)]
    for part in parts:
        face = np.repeat(tile(1, part)[:, :, None], 3, axis=2)
        view = np.pad(face, ((12, 12), (12, 12), (0, 0)), constant_values=38)
        (judged,) = runner.judge_each([(encode(view, quality=90)[0], {})])
        assert isinstance(judged, Judged)
        assert judged.odd == []
        right += (judged.probabilities[1] > judged.probabilities[0]) == (part.defect is not None)
    assert right >= 54


def test_a_dark_camera_is_odd() -> None:
    runner = Runner(MODELS / "tile", precision="int8")
    dark = np.random.default_rng(1).integers(0, 4, (340, 240, 3), dtype=np.uint8)
    (judged,) = runner.judge_each([(encode(dark, quality=90)[0], {})])
    assert isinstance(judged, Judged)
    assert len(judged.odd) == 2
