import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.conveyor import Belt
from modules.camera.frame import Picture
from modules.camera.sight import Patience, Sight

PATIENCE = Patience(black_s=5, covered_s=8, frozen_s=20)


class Camera:
    """A still scene with a sensor's noise, a second a picture."""

    def __init__(self, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.scene = self.random.integers(30, 220, (9, 16)).repeat(10, 0).repeat(10, 1).astype(np.float32)
        self.sight, self.now = Sight(PATIENCE), 0.0

    def noisy(self, picture: np.ndarray) -> Picture:
        noisy = picture + self.random.normal(0, 2, picture.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)

    def look(self, picture: Picture, seconds: int = 1) -> list[str | None]:
        told = []
        for _ in range(seconds):
            self.now += 1
            self.sight.look(picture, self.now)
            told.append(self.sight.trouble)
        return told

    def watch(self, picture: np.ndarray, seconds: int) -> list[str | None]:
        return [self.look(self.noisy(picture))[0] for _ in range(seconds)]


def test_a_still_scene_with_noise_is_well() -> None:
    camera = Camera()
    assert camera.watch(camera.scene, 300) == [None] * 300
    assert camera.sight.text is None


def test_a_black_picture_is_told_after_its_time_and_ends_with_the_first_good_one() -> None:
    camera = Camera()
    camera.watch(camera.scene, 30)
    told = camera.watch(np.full_like(camera.scene, 17), 10)
    assert told == [None] * 5 + ["black"] * 5
    assert "black" in str(camera.sight.text)
    assert camera.watch(camera.scene, 1) == [None]


@pytest.mark.parametrize("cover", ["even", "blurred"])
def test_a_covered_lens_is_told(cover: str) -> None:
    camera = Camera()
    camera.watch(camera.scene, 60)
    hand = np.full_like(camera.scene, 90)
    if cover == "blurred":  # a hand is not even, but it is not the scene
        hand += np.linspace(-40, 40, hand.shape[1], dtype=np.float32)
    assert camera.watch(hand, 12)[-3:] == ["covered"] * 3
    assert camera.watch(camera.scene, 2) == [None] * 2


def test_an_even_picture_is_covered_though_no_scene_was_ever_learnt() -> None:
    camera = Camera()
    assert camera.watch(np.full_like(camera.scene, 90), 12)[-1] == "covered"


def test_the_same_picture_to_the_bit_is_frozen_and_one_bit_of_life_ends_it() -> None:
    camera = Camera()
    camera.watch(camera.scene, 30)
    hung = camera.noisy(camera.scene)
    assert camera.look(hung, 40) == [None] * 21 + ["frozen"] * 19
    alive = hung.copy()
    alive[::2, ::2] ^= 1
    assert camera.look(alive) == [None]


def test_an_empty_belt_a_dimmed_light_and_a_large_part_are_none_of_it() -> None:
    camera, belt = Camera(), Belt(seed=2)
    for index in range(60):  # tiles pass, then the belt stands empty
        camera.watch(belt.frame(index)[0][::4, ::4, 0].astype(np.float32), 1)
    assert set(camera.watch(belt.frame(0)[0][::4, ::4, 0].astype(np.float32), 60)) == {None}
    camera = Camera()
    camera.watch(camera.scene, 60)
    assert set(camera.watch(camera.scene * 0.3 + 10, 60)) == {None}


def test_a_trouble_that_is_switched_off_is_never_told() -> None:
    camera = Camera()
    camera.sight = Sight(Patience(0, 0, 0))
    assert set(camera.watch(np.zeros_like(camera.scene), 60)) == {None}


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**32), st.booleans())
def test_any_picture_can_be_looked_at(height: int, width: int, seed: int, colour: bool) -> None:
    random = np.random.default_rng(seed)
    sight = Sight(PATIENCE)
    for second in range(3):
        shape = (height, width, 3) if colour else (height, width)
        sight.look(random.integers(0, 256, shape, np.uint8), float(second))
    assert sight.trouble is None  # nothing has lasted yet


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["scene", "black", "even", "hung"]), max_size=60))
def test_what_is_told_has_lasted_and_shows_in_the_newest_picture(shown: list[str]) -> None:
    camera = Camera()
    hung = camera.noisy(camera.scene)
    run, last = 0, ""
    for kind in shown:
        picture = {
            "scene": camera.noisy(camera.scene),
            "black": camera.noisy(camera.scene * 0 + 16),
            "even": camera.noisy(camera.scene * 0 + 90),
            "hung": hung,
        }[kind]
        run, last = (run + 1 if kind == last else 1), kind
        (told,) = camera.look(picture)
        wanted = {"black": ("black", 5), "even": ("covered", 8), "hung": ("frozen", 21)}.get(kind)
        assert told == (wanted[0] if wanted and run > wanted[1] else None)
