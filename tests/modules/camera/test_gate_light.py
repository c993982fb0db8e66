"""Light that changes is no movement, and hides none."""

import cv2
import numpy as np
import pytest

from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from tests.modules.camera.still import HEIGHT, START, WIDTH, noisy, scene, settled


@pytest.mark.parametrize("step", [-40, -15, 15, 40])
def test_a_change_of_light_does_not_fire(step: int) -> None:
    gate = Gate()
    random = settled(gate, scene())
    lit = np.clip(scene().astype(np.int16) + step, 0, 255)
    assert not any(gate.watch(noisy(lit, random)).moving for _ in range(30))


def test_a_part_is_found_though_the_light_changed() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene().astype(np.int16) + 30
    changed[100:150, 200:250] += 70
    motion = gate.watch(noisy(np.clip(changed, 0, 255), random))
    (thing,) = motion.things
    assert thing.region.width < 70


RAMP = np.linspace(0.4, 1.8, WIDTH, dtype=np.float32)[None, :, None]


def test_a_lamp_from_one_side_does_not_fire() -> None:
    gate = Gate()
    random = settled(gate, scene())
    lit = np.clip(scene() * RAMP, 0, 255)
    assert not any(gate.watch(noisy(lit, random)).moving for _ in range(30))


def test_a_soft_shadow_does_not_fire() -> None:
    gate = Gate()
    random = settled(gate, scene())
    for step in range(-40, 360, 12):
        dark = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.rectangle(dark, (step, 60), (step + 60, 180), 0.5, -1)
        shade = cv2.GaussianBlur(dark, (0, 0), 10)[:, :, None]
        assert not gate.watch(noisy(scene() * (1 - shade), random)).moving


def shade(along: float, turn: float) -> np.ndarray:
    """What is left of the light under a slanting shadow whose edges are 16 pixels wide, eight of the small picture."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, y = x - WIDTH / 2, y - HEIGHT / 2
    across, beside = x * np.cos(turn) + y * np.sin(turn) - along, y * np.cos(turn) - x * np.sin(turn)
    left = np.ones_like(x)
    for distance, half in ((across, 60), (beside, 35)):
        share = np.clip(0.5 - (np.abs(distance) - half) / 16, 0, 1)
        left *= share * share * (3 - 2 * share)
    return np.asarray(1 - 0.6 * left, np.float32)[:, :, None]


@pytest.mark.parametrize("turn", [0.6, 0.785])
def test_a_slow_slanting_shadow_is_no_event(turn: float) -> None:
    gate, event, bright = Gate(), Event(), scene(level=150)
    random = settled(gate, bright)
    for along in range(-220, 220, 6):
        seen = noisy(bright * shade(along, turn), random)
        assert event.follow(Frame(seen, START), gate.watch(seen)) == []


def overexposed(light: float, left: int = -100) -> np.ndarray:
    """A belt beside a rail that is far whiter than white in full light, and a part from that column on."""
    seen = np.full((HEIGHT, WIDTH, 3), 190, np.float32)
    seen[190:] = 400
    seen[60:160, max(0, left) : max(0, left + 100)] = 90
    return np.asarray(np.clip(light * seen, 0, 255), np.uint8)


def test_what_was_too_bright_to_see_is_no_event_when_the_light_goes_down() -> None:
    gate = Gate()
    random = settled(gate, overexposed(1.0))
    for light in (0.37, 0.37, 0.37, 0.8, 0.5, 0.3, 1.0, 0.4):
        assert not gate.watch(noisy(overexposed(light), random)).moving
    assert gate.watch(noisy(overexposed(0.4, 100), random)).moving


@pytest.mark.parametrize("part", [30, 150])
def test_a_part_before_a_white_ground_is_found(part: int) -> None:
    gate, event, shots = Gate(), Event(), 0
    random = settled(gate, np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    for left in range(-100, WIDTH, 20):
        seen = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
        seen[60:180, max(0, left) : max(0, left + 100)] = part
        seen = noisy(seen, random)
        shots += len(event.follow(Frame(seen, START), gate.watch(seen)))
    assert shots == 1
