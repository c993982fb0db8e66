"""Sources of models against their cards: alerts with evidence, samples, and real pictures at other exposures."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from modules.common.messages import Message
from modules.inference.card import Card
from modules.inference.drift.settings import DriftRule
from modules.inference.drift.watching import SCORE, Change, Watching
from modules.inference.looks import histograms, picture_looks, wave_looks
from modules.inference.runner import Runner

MODELS = Path(__file__).resolve().parents[4] / "models"
RULE = DriftRule(window=50, rate=0.01)
Line = Any
MakePackage = Callable[..., Path]


@pytest.fixture
def card(picture_card: Callable[..., dict[str, Any]]) -> Card:
    edges, shares = np.linspace(0, 1, 11).tolist(), [0.1] * 10
    reference = {"edges": edges, "shares": shares, "count": 1000, "input": {"mean": [10.0, 20.0]}}
    return Card.model_validate(picture_card(reference=reference))


def feed(watching: Watching, card: Card, scores: Sequence[float], mean: float = 15.0) -> list[Change]:
    found = [watching.take(card, "camera/1", score, {"mean": mean}, RULE)[0] for score in scores]
    return [each for each in found if each is not None]


EVEN = [(number % 10 + 0.5) / 10 for number in range(50)]


def test_it_is_raised_once_and_cleared_once(card: Card) -> None:
    watching = Watching()
    assert feed(watching, card, EVEN * 3) == []
    (raised,) = feed(watching, card, [0.95] * 150)
    assert raised.raised
    assert raised.evidence["statistic"] == SCORE
    assert (raised.evidence["share"], raised.evidence["reference"]) == (1.0, 0.1)
    assert raised.evidence["distance"] > raised.evidence["critical"]
    assert watching.raised == ["made-up/1.0.0 camera/1"]
    (cleared,) = feed(watching, card, EVEN * 2)
    assert not cleared.raised
    assert watching.raised == []


def test_what_stood_before_a_restart_is_cleared_after_it_and_not_raised_again(card: Card) -> None:
    watching = Watching({"raised": ["made-up/1.0.0 camera/1"]})
    assert feed(watching, card, [0.95] * 100) == []
    assert watching.raised == ["made-up/1.0.0 camera/1"]
    assert [each.raised for each in feed(watching, card, EVEN)] == [False]
    other = Watching({"raised": ["made-up/1.0.0 camera/1"]})
    assert [each.raised for each in feed(other, card, EVEN)] == [False]


def test_a_line_may_be_its_own_reference_and_stays_it_after_a_restart(card: Card) -> None:
    own = DriftRule(window=50, rate=0.01, reference="line")

    def feed_own(watching: Watching, scores: list[float], mean: float) -> list[bool]:
        looks = [{"mean": mean + number % 7} for number in range(len(scores))]
        found = [
            watching.take(card, "camera/1", score, each, own)[0] for score, each in zip(scores, looks, strict=True)
        ]
        return [each.raised for each in found if each is not None]

    rare = [0.02 if number % 20 else 0.9 for number in range(50)]  # 5 % defects, and a light that the card knows not
    watching = Watching()
    assert feed_own(watching, rare * 12, 80.0) == []
    again = Watching(watching.remembered())
    assert feed_own(again, rare * 3, 80.0) == []
    assert feed_own(again, rare, 40.0) == [True]
    assert again.drifting() == {"made-up/1.0.0 camera/1": ["mean"]}


def test_inputs_that_show_it_are_told_while_it_drifts(card: Card) -> None:
    watching = Watching()
    feed(watching, card, EVEN, mean=99.0)
    assert watching.drifting() == {"made-up/1.0.0 camera/1": ["mean"]}
    assert watching.take(card, "camera/1", 0.5, {"mean": 99.0}, RULE)[1]
    assert not watching.take(card, "camera/1", 0.5, {"mean": 15.0}, RULE)[1]
    assert not watching.take(card, "camera/2", 0.5, {"mean": 99.0}, RULE)[1]


def test_overlapping_windows_are_counted_once(wave_card: Callable[..., dict[str, Any]]) -> None:
    document = wave_card()
    document["prepare"]["hop"] = 0.25
    edges, shares = np.linspace(0, 1, 11).tolist(), [0.1] * 10
    card = Card.model_validate({**document, "reference": {"edges": edges, "shares": shares}})
    watching = Watching()
    found = [watching.take(card, "press", 0.95, {}, RULE)[0] for _ in range(200)]
    assert [place for place, each in enumerate(found) if each is not None] == [196]


def test_the_alert_says_what_and_the_samples_show_it(
    run_module: Callable[..., Any],
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    pictures_model: Callable[..., onnx.ModelProto],
    frame: Callable[..., Message],
    dark: bytes,
) -> None:
    looks = {"mean": {"edges": [0.0, 80.0, 120.0, 255.0], "shares": [0.1, 0.8, 0.1]}}
    document = picture_card(reference={"looks": looks, "count": 1000})
    folder = make_package("package", document, pictures_model([-100.0, 100.0]))

    async def part(line: Line) -> None:
        await line.deliver(*(frame(dark) for _ in range(51)))
        (alert,) = [each.document() for each in line.transport.outputs("alerts")]
        assert (alert["rule"], alert["state"], alert["severity"]) == ("made-up drift", "raised", "warning")
        assert "the mean of its inputs has drifted" in alert["text"]
        assert alert["evidence"]["statistic"] == "mean"
        assert (alert["evidence"]["share"], alert["evidence"]["reference"]) == (1.0, 0.1)
        await line.until(lambda: line.transport.outputs("samples"))
        assert line.transport.outputs("samples")[0].properties["reason"] == "drift"
        line.module.offer_scores()
        await line.until(lambda: line.transport.outputs("scores"))
        assert line.transport.outputs("scores")[0].document()["drift"]["mean"]["drifts"]
        _, status = await line.transport.call("getStatus")
        assert status["facts"]["drift"] == {"made-up/1.0.0 camera/line1": ["mean"]}

    run_module(part, settings={"drift": {"window": 50}}, package=folder)


def judged(runner: Runner, pictures: Sequence[np.ndarray]) -> list[tuple[float, dict[str, float]]]:
    """The tile model's score of each picture, and how it looks."""
    bodies = [cv2.imencode(".jpg", pixels)[1].tobytes() for pixels in pictures]
    scores = runner.judge([(body, {}) for body in bodies])[:, 1]
    return [(float(score), picture_looks(pixels)) for score, pixels in zip(scores, pictures, strict=True)]


def exposed(pixels: np.ndarray, stops: float) -> np.ndarray:
    """As the same sensor would have given it with more or less light, before its gamma of 2.2."""
    light = (pixels / 255.0) ** 2.2 * 2.0**stops
    return np.asarray(np.clip(light, 0, 1) ** (1 / 2.2) * 255, np.uint8)


@pytest.fixture(scope="module")
def tiles(real_data: Path) -> tuple[Runner, list[np.ndarray]]:
    """The shipped model, and every second real picture of good tiles, in an order that chance has drawn."""
    folder = real_data / "magnetic_tile"
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["ok"] == "1"][::2]
    pictures = [cv2.imread(str(folder / row["split"] / row["file"]), cv2.IMREAD_GRAYSCALE) for row in rows]
    order = np.random.default_rng(3).permutation(len(pictures))
    return Runner(MODELS / "tile"), [np.asarray(pictures[place]) for place in order]


def half_as_reference(card: Card, seen: Sequence[tuple[float, dict[str, float]]]) -> Card:
    counts, edges = np.histogram([score for score, _ in seen], 20, (0, 1))
    told = {
        "edges": edges.tolist(),
        "shares": (counts / len(seen)).tolist(),
        "count": len(seen),
        "looks": histograms([looks for _, looks in seen]),
    }
    return card.model_copy(update={"reference": type(card.reference).model_validate(told)})


def drifts(card: Card, seen: Sequence[tuple[float, dict[str, float]]], rule: DriftRule) -> bool:
    watching = Watching()
    found = [watching.take(card, "camera/tile", score, looks, rule)[0] for score, looks in seen]
    return any(each is not None and each.raised for each in found)


def test_real_pictures_drift_at_other_exposures_and_not_as_they_are(tiles: tuple[Runner, list[np.ndarray]]) -> None:
    """Of 150 windows of unchanged pictures 3 may drift by the stated rate, 8 are 3 sigma; of changed ones all must."""
    runner, pictures = tiles
    as_is = judged(runner, pictures)
    darker, lighter = (judged(runner, [exposed(each, stops) for each in pictures]) for stops in (-1.0, 1.0))
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(150):
        order = random.permutation(len(pictures))
        told, shown = order[: len(order) // 2], order[len(order) // 2 :][:150]
        card = half_as_reference(runner.card, [as_is[place] for place in told])
        rule = DriftRule(window=len(shown), rate=0.02)
        alarms += drifts(card, [as_is[place] for place in shown], rule)
        assert drifts(card, [darker[place] for place in shown], rule)
        assert drifts(card, [lighter[place] for place in shown], rule)
    assert alarms <= 8


def test_real_recordings_drift_with_a_loose_sensor_and_not_as_they_are(real_data: Path) -> None:
    """Windows of 0.1 s of one machine: half of them are the reference; a sensor that has come loose gives a third."""
    with np.load(real_data / "cwru_de12k" / "train" / "IR007_0hp.npz") as archive:
        signal = np.asarray(archive["signal"], np.float32)
    windows = signal[: len(signal) // 600 * 600].reshape(-1, 600)
    order = np.random.default_rng(4).permutation(len(windows))
    first, second = windows[order[: len(order) // 2]], windows[order[len(order) // 2 :]]
    seen = [(0.5, wave_looks(each)) for each in first]
    card = half_as_reference(Runner(MODELS / "bearing").card, seen)
    rule = DriftRule(window=50)
    for gain, drifts in ((1.0, False), (0.33, True)):
        watching = Watching()
        found = [
            watching.take(card, "motor", 0.5, wave_looks(each * gain), rule)[0]
            for each in np.repeat(second, 2, axis=0)  # every second of two is passed over: hop 0.5
        ]
        assert any(each is not None for each in found) == drifts
