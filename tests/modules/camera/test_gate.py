"""What the gate calls movement, where it says it is, and what it takes for the scene."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.conveyor import Belt
from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from modules.camera.motion import BLIND, GateRules
from tests.modules.camera.still import HEIGHT, START, WIDTH, noisy, scene, settled


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
    (thing,) = motion.things
    box = thing.region
    assert abs(box.x - x) <= 8 and abs(box.y - y) <= 8
    assert abs(box.x + box.width - x - side) <= 10 and abs(box.y + box.height - y - side) <= 10
    assert thing.whole


def test_a_patch_at_the_border_is_not_whole() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene()
    changed[100:160, :40] = 255
    (thing,) = gate.watch(noisy(changed, random)).things
    assert not thing.whole


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
    assert gate.watch(np.zeros((100, 300, 3), np.uint8)) == BLIND


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


LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(("blur", "found"), [(0.0, True), (1.6, True), (4.0, False)])
def test_a_part_out_of_focus_is_found_up_to_half_a_hundredth_of_the_width(blur: float, found: bool) -> None:
    gate, event, shots = Gate(), Event(), 0
    random = settled(gate, scene())
    for left in range(-100, WIDTH, 20):
        seen = scene()
        seen[60:180, max(0, left) : max(0, left + 100)] = 220
        if blur:
            seen = cv2.GaussianBlur(seen, (0, 0), blur)
        seen = noisy(seen, random)
        shots += len(event.follow(Frame(seen, START), gate.watch(seen)))
    assert shots == found


def textured() -> np.ndarray:
    random = np.random.default_rng(9)
    grain = cv2.GaussianBlur(random.normal(0, 1, (HEIGHT + 100, WIDTH + 100)).astype(np.float32), (0, 0), 5)
    return np.asarray(np.clip(cv2.merge([110 + 40 * grain / grain.std()] * 3), 0, 255), np.uint8)


def view(plane: np.ndarray, down: int, right: int) -> np.ndarray:
    """What a camera sees that moved by so many pixels."""
    rows, columns = slice(50 - down, 50 - down + HEIGHT), slice(50 - right, 50 - right + WIDTH)
    return np.asarray(plane[rows, columns], np.uint8)


def test_a_tremble_does_not_fire_and_a_part_in_it_does() -> None:
    gate, plane = Gate(), textured()
    random = settled(gate, view(plane, 0, 0))
    assert cv2.absdiff(view(plane, 0, 0), view(plane, 0, 4)).max() > 40
    for _ in range(60):
        down, right = random.integers(-4, 5, 2)
        assert not gate.watch(noisy(view(plane, int(down), int(right)), random)).moving
    plane[150:210, 150:210] = 250
    assert gate.watch(noisy(view(plane, 2, -2), random)).moving


def test_a_camera_that_was_pushed_learns_its_view_anew() -> None:
    gate, plane = Gate(), textured()
    random = settled(gate, view(plane, 0, 0))
    assert not any(gate.watch(noisy(view(plane, 25, 40), random)).moving for _ in range(60))
    assert gate.figures.scene_changes == 1


@pytest.mark.parametrize("regions", [True, False])
def test_only_what_is_watched_counts(regions: bool) -> None:
    for left, here in ((20, regions), (220, not regions)):
        gate = Gate(regions=[LEFT]) if regions else Gate(ignored=[LEFT])
        random = settled(gate, scene())
        changed = scene()
        changed[80:140, left : left + 60] = 250
        motion = gate.watch(noisy(changed, random))
        assert motion.moving == here
        assert (motion.area > 0) == here


def test_what_reaches_over_the_region_is_not_whole() -> None:
    gate = Gate(regions=[LEFT])
    random = settled(gate, scene())
    changed = scene()
    changed[80:140, 130:200] = 250
    (thing,) = gate.watch(noisy(changed, random)).things
    assert not thing.whole and thing.region.x + thing.region.width <= 170


@pytest.mark.parametrize(("side", "fires"), [(12, False), (40, True)])
def test_what_is_smaller_than_the_least_area_does_not_fire(side: int, fires: bool) -> None:
    gate = Gate(GateRules(min_area=0.01))
    random = settled(gate, scene())
    changed = scene()
    changed[100 : 100 + side, 150 : 150 + side] = 255
    assert gate.watch(noisy(changed, random)).moving == fires


def test_the_background_can_be_taken_anew() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene()
    changed[80:140, 80:140] = 220
    assert gate.watch(noisy(changed, random)).moving
    gate.learn()
    assert not any(gate.watch(noisy(changed, random)).moving for _ in range(5))


def test_what_leaves_its_place_does_not_fire_there() -> None:
    gate, random = Gate(), np.random.default_rng(1)
    there = scene()
    there[80:140, 80:140] = 220
    for _ in range(30):
        gate.watch(noisy(there, random))
    assert not any(gate.watch(noisy(scene(), random)).moving for _ in range(10))


def test_a_thing_that_differs_is_two_where_it_is_two() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene()
    changed[80:140, 60:110] = 230
    changed[80:140, 200:250] = 230
    assert len(gate.watch(noisy(changed, random)).things) == 2


def test_what_passes_leaves_nothing_in_the_background() -> None:
    gate = Gate()
    random = settled(gate, scene(), 60)
    assert gate._background is not None
    before = gate._background.mean.copy()
    for _ in range(3):
        for left in range(0, WIDTH - 100, 20):
            passing = scene()
            passing[80:170, left : left + 100] = 230
            assert gate.watch(noisy(passing, random)).moving
    assert np.abs(gate._background.mean - before).max() < 0.1
