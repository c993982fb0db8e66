import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.conveyor import Belt
from modules.camera.gate import STILL, Gate, GateRules

HEIGHT, WIDTH = 240, 320


def scene(seed: int = 1, level: float = 90) -> np.ndarray:
    random = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(random.normal(level, 40, (HEIGHT, WIDTH)).astype(np.float32), (31, 31), 0)
    return np.clip(cv2.merge([smooth] * 3), 0, 255).astype(np.uint8)


NOISE = np.random.default_rng(5).normal(0, 4, (8, HEIGHT, WIDTH, 3)).astype(np.float32)


def noisy(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.asarray(np.clip(picture + NOISE[random.integers(len(NOISE))], 0, 255), np.uint8)


def settled(gate: Gate, picture: np.ndarray, frames: int = 20) -> np.random.Generator:
    random = np.random.default_rng(7)
    for _ in range(frames):
        gate.watch(noisy(picture, random))
    return random


def test_noise_does_not_fire() -> None:
    gate = Gate()
    random = settled(gate, scene())
    assert not any(gate.watch(noisy(scene(), random)).moving for _ in range(200))


@settings(max_examples=25, deadline=None)
@given(
    x=st.integers(20, WIDTH - 70),
    y=st.integers(20, HEIGHT - 70),
    side=st.integers(20, 50),
    contrast=st.sampled_from([-60, 60]),
)
def test_a_patch_fires_and_is_boxed(x: int, y: int, side: int, contrast: int) -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene().astype(np.int16)
    changed[y : y + side, x : x + side] += contrast
    motion = gate.watch(noisy(np.clip(changed, 0, 255), random))
    assert motion.moving
    assert motion.region is not None
    box = motion.region
    assert abs(box.x - x) <= 8 and abs(box.y - y) <= 8
    assert abs(box.x + box.width - x - side) <= 10 and abs(box.y + box.height - y - side) <= 10
    assert motion.whole


def test_a_patch_at_the_border_is_not_whole() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene()
    changed[100:160, :40] = 255
    motion = gate.watch(noisy(changed, random))
    assert motion.moving and not motion.whole


@pytest.mark.parametrize("step", [-40, -15, 15, 40])
def test_a_change_of_light_does_not_fire(step: int) -> None:
    gate = Gate()
    random = settled(gate, scene())
    lit = np.clip(scene().astype(np.int16) + step, 0, 255)
    assert not any(gate.watch(noisy(lit, random)).moving for _ in range(30))


def test_the_scene_cut_is_learnt_anew() -> None:
    gate = Gate(GateRules(scene_area=0.5))
    random = settled(gate, scene(1))
    blocks = np.random.default_rng(3).integers(0, 256, (6, 8, 1), dtype=np.uint8)
    other = np.repeat(np.repeat(np.repeat(blocks, 40, 0), 40, 1), 3, 2)
    fired = [gate.watch(noisy(other, random)).moving for _ in range(60)]
    assert not fired[0]
    assert not any(fired[-10:])


def test_a_part_that_stops_is_absorbed() -> None:
    gate = Gate()
    random = settled(gate, scene())
    stopped = scene()
    stopped[80:140, 80:140] = 220
    fired = [gate.watch(noisy(stopped, random)).moving for _ in range(120)]
    assert fired[0]
    assert not any(fired[-10:])


def test_a_camera_that_changes_its_size_starts_over() -> None:
    gate = Gate()
    settled(gate, scene())
    assert gate.watch(np.zeros((100, 300, 3), np.uint8)) == STILL


def test_grey_pictures_are_taken_too() -> None:
    gate = Gate()
    grey = np.asarray(cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY), np.uint8)
    for _ in range(20):
        gate.watch(grey)
    changed = grey.copy()
    changed[60:120, 60:120] = 255
    assert gate.watch(changed).moving


def test_the_empty_belt_is_still() -> None:
    gate, belt = Gate(), Belt(seed=2)
    assert not any(gate.watch(belt.frame(index)[0]).moving for index in range(9))


def test_a_part_is_found_though_the_light_changed() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene().astype(np.int16) + 30
    changed[100:150, 200:250] += 70
    motion = gate.watch(noisy(np.clip(changed, 0, 255), random))
    assert motion.region is not None
    assert motion.region.width < 70
