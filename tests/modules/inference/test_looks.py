"""How inputs look, and which are unlike those that the card knows."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.inference.card import Card, PicturePrepare
from modules.inference.heatmap import probable, shown
from modules.inference.looks import odd, picture_looks, usual, wave_looks


def test_the_statistics_are_those_of_the_whole() -> None:
    random = np.random.default_rng(1)
    pixels = random.normal(100, 20, (480, 640)).clip(0, 255).astype(np.uint8)
    looks = picture_looks(pixels)
    assert looks["mean"] == pytest.approx(pixels.mean(), abs=0.5)
    assert looks["deviation"] == pytest.approx(pixels.std(), abs=0.5)
    sine = 3 * np.sin(np.linspace(0, 200 * np.pi, 20_000)).astype(np.float32) + 7
    assert wave_looks(sine) == pytest.approx({"rms": 3 / np.sqrt(2), "crest": np.sqrt(2)}, rel=1e-3)
    assert wave_looks(np.ones(10, np.float32)) == {"rms": 0.0, "crest": 0.0}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_nothing_in_the_middle_of_what_was_seen_is_odd(values: list[float]) -> None:
    ranges = usual([{"rms": value} for value in values])
    if np.ptp(values) > 1e-4 * max(values):  # of equal ones the range is a point, but for its rounding
        assert odd({"rms": float(np.median(values))}, ranges) == []
    beyond = 2 * max(values) + 1e6
    assert odd({"rms": beyond}, ranges) != []
    assert odd({}, ranges) == []


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50))
def test_nothing_at_all_is_odd_however_much_what_was_seen_varies(values: list[float]) -> None:
    assert odd({"rms": 0.0}, usual([{"rms": value} for value in values])) != []


@pytest.mark.parametrize(
    ("crop", "fit", "where"),
    [
        (None, "stretch", (0.75, 0.25)),
        ((0.5, 0.0, 0.5, 1.0), "stretch", (0.875, 0.25)),
        (None, "letterbox", (0.75, 0.0)),
    ],
)
def test_the_heat_is_shown_where_the_model_saw_it(
    picture_card: object, crop: tuple[float, ...] | None, fit: str, where: tuple[float, float]
) -> None:
    document = picture_card()  # type: ignore[operator]  # a function that gives a card
    document["prepare"] |= {"fit": fit} | ({"crop": crop} if crop else {})
    card = Card.model_validate(document)
    assert isinstance(card.prepare, PicturePrepare)
    body = cv2.imencode(".png", np.full((200, 400), 128, np.uint8))[1].tobytes()
    heat = np.full((8, 8), -9.0, np.float32)
    heat[2, 6] = 9.0  # of 8 rows and columns: a quarter down, three quarters across
    picture = np.asarray(cv2.imdecode(np.frombuffer(shown(body, heat, card), np.uint8), cv2.IMREAD_COLOR), int)
    assert picture.shape == (200, 400, 3)
    red = picture[:, :, 2] - picture[:, :, 0]
    y, x = np.unravel_index(int(cv2.blur(red.astype(np.float32), (9, 9)).argmax()), red.shape)
    assert x / 400 == pytest.approx(where[0] + (0.0625 if crop is None else 0.03), abs=0.04)
    assert where[1] <= y / 200 <= where[1] + (0.125 if fit == "stretch" else 0.25)
    assert np.abs(picture[150:, :100] - 128).max() < 12  # no heat, no colour


def test_scores_become_probabilities_and_probabilities_stay() -> None:
    assert probable(np.array([[0.2, 1.0]], np.float32))[0].tolist() == pytest.approx([0.2, 1.0])
    assert probable(np.array([[-50.0, 0.0, 500.0]], np.float32))[0].tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)
