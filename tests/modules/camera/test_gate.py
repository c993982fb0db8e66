from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.camera.conveyor import Belt
from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from modules.camera.motion import STILL, GateRules

HEIGHT, WIDTH = 240, 320
START = datetime(2026, 1, 2, tzinfo=UTC)


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
    assert not any(gate.watch(noisy(scene(), random)).moving for _ in range(100))


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
    (thing,) = motion.things
    assert thing.region.width < 70


RAMP = np.linspace(0.4, 1.8, WIDTH, dtype=np.float32)[None, :, None]
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


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


def test_the_threshold_follows_the_noise_and_is_told() -> None:
    levels = {}
    for spread in (1, 12):
        gate, random = Gate(), np.random.default_rng(4)
        for _ in range(60):
            noise = spread * NOISE[random.integers(len(NOISE))]
            gate.watch(np.clip(np.roll(noise, random.integers(HEIGHT), 0) + scene(), 0, 255).astype(np.uint8))
        assert gate.figures.calibrated
        levels[spread] = gate.figures
    assert levels[12].noise > 3 * levels[1].noise
    assert levels[12].threshold > levels[1].threshold == GateRules().lowest_threshold


def test_a_threshold_that_was_set_stays() -> None:
    gate = Gate(GateRules(threshold=33))
    settled(gate, scene(), 60)
    assert gate.figures.threshold == 33


def test_the_background_can_be_taken_anew() -> None:
    gate = Gate()
    random = settled(gate, scene())
    changed = scene()
    changed[80:140, 80:140] = 220
    assert gate.watch(noisy(changed, random)).moving
    gate.learn()
    assert not any(gate.watch(noisy(changed, random)).moving for _ in range(5))


def passing(left: int) -> np.ndarray:
    picture = scene()
    picture[60:180, max(0, left) : max(0, left + 100)] = 220
    return picture


def traffic(gate: Gate, random: np.random.Generator, frames: int) -> int:
    """Parts of 100 pixels, one every 240, pass; how many frames showed one."""
    return sum(gate.watch(noisy(passing(20 * index % 480 - 100), random)).moving for index in range(frames))


def test_what_a_high_threshold_does_not_see_is_not_learnt_as_noise() -> None:
    gate = Gate()
    random = settled(gate, scene(), 60)
    assert gate._background is not None
    noise = gate._background.noise.mean()
    for high in (40.0, 255.0):
        gate.retune(GateRules(threshold=high), regions=(), ignored=())
        traffic(gate, random, 120)
        gate.retune(GateRules(), regions=(), ignored=())
        assert gate._background.noise.mean() < 2 * noise
        assert traffic(gate, random, 120) > 60


def sent(gate: Gate, random: np.random.Generator, pitch: int, frames: int) -> int:
    """How many events a belt makes on which a part of 100 pixels begins at every `pitch` pixels."""
    event, found = Event(), 0
    for index in range(frames):
        seen = scene()
        for left in range(20 * index % pitch - pitch, WIDTH, pitch):
            seen[60:180, max(0, left) : max(0, left + 100)] = 220
        found += len(event.follow(Frame(seen, START), gate.watch(noisy(seen, random))))
    return found


@pytest.mark.parametrize(("pitch", "parts"), [(240, 7), (180, 8)])
def test_parts_that_a_high_threshold_did_not_see_are_found_when_it_is_taken_back(pitch: int, parts: int) -> None:
    gate = Gate()
    random = settled(gate, scene(), 60)
    assert sent(gate, random, pitch, 63) == parts
    gate.retune(GateRules(threshold=200.0), regions=(), ignored=())
    assert sent(gate, random, pitch, 90) == 0
    gate.retune(GateRules(), regions=(), ignored=())
    assert sent(gate, random, pitch, 63) == parts


def test_a_gate_that_begins_while_parts_pass_finds_them() -> None:
    gate, random = Gate(), np.random.default_rng(7)
    traffic(gate, random, 50)
    assert traffic(gate, random, 120) > 60
    assert gate.figures.threshold == GateRules().lowest_threshold


def test_learnt_noise_never_hides_a_part_that_stands_out_and_is_unlearnt() -> None:
    gate = Gate()
    random = settled(gate, scene(), 60)
    assert gate._background is not None
    gate._background.noise[:] = 60
    gate._background.renew()
    assert traffic(gate, random, 48) > 20
    traffic(gate, random, 240)
    assert gate.figures.threshold == GateRules().lowest_threshold


def test_a_background_taken_anew_forgets_the_noise_that_was_learnt() -> None:
    gate = Gate()
    random = settled(gate, scene(), 60)
    assert gate._background is not None
    gate._background.noise[:] = 60
    gate.learn()
    settled(gate, scene(), 21)
    assert gate.figures.noise < 2
    assert traffic(gate, random, 48) > 20


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
