"""The threshold follows what the sensor does, never what passes by."""

import numpy as np
import pytest

from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from modules.camera.motion import GateRules
from tests.modules.camera.still import HEIGHT, NOISE, START, WIDTH, noisy, scene, settled


def test_noise_does_not_fire() -> None:
    gate = Gate()
    random = settled(gate, scene())
    assert not any(gate.watch(noisy(scene(), random)).moving for _ in range(100))


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
