"""The camera's motion gate against OpenCV's MOG2, both from the same decoded 1080p frames of a moving belt."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from bench.claim import Claim
from modules.camera.conveyor import Belt
from modules.camera.frame import Picture
from modules.camera.gate import Gate

SIZE = (1920, 1080)


def _frames(count: int) -> list[Picture]:
    """Frames of the rendered belt as a 1080p camera would give them, its noise included."""
    belt, rng = Belt(seed=3, defect_share=0.25), np.random.default_rng(3)
    frames = []
    for index in range(count):
        large = cv2.resize(belt.frame(index)[0], SIZE, interpolation=cv2.INTER_CUBIC).astype(np.int16)
        frames.append(np.clip(large + rng.integers(-3, 4, large.shape, np.int16), 0, 255).astype(np.uint8))
    return frames


def _seconds(look: Callable[[Picture], object], frames: list[Picture]) -> float:
    """Processor seconds, all threads together, for all frames."""
    begun = time.process_time()
    for frame in frames:
        look(frame)
    return time.process_time() - begun


def _must_see(gate: Gate, frames: list[Picture]) -> None:
    """A quick gate that sees nothing is no gate."""
    moving = sum(gate.watch(frame).moving for frame in frames)
    if not len(frames) // 10 <= moving <= len(frames):
        raise RuntimeError(f"the gate saw motion in {moving} of {len(frames)} frames of a moving belt")


def run(*, quick: bool) -> dict[str, Claim]:
    """Alternate the two, a few rounds; the quickest round of each counts."""
    frames = _frames(20 if quick else 60)
    gate, subtractor = Gate(), cv2.createBackgroundSubtractorMOG2()
    _must_see(gate, frames)
    _seconds(subtractor.apply, frames[:5])
    ours, theirs = [], []
    rounds = 3 if quick else 8
    for _ in range(rounds):
        ours.append(_seconds(gate.watch, frames))
        theirs.append(_seconds(subtractor.apply, frames))
    shrunk = [np.asarray(cv2.resize(frame, (160, 90), interpolation=cv2.INTER_AREA), np.uint8) for frame in frames]
    subtractor = cv2.createBackgroundSubtractorMOG2()
    small = [_seconds(subtractor.apply, shrunk) for _ in range(rounds)]
    each_ms = min(ours) / len(frames) * 1e3
    peer = (
        f"OpenCV {cv2.__version__} MOG2 on the whole frame; ours {each_ms:.2f} ms of a core a frame, "
        f"MOG2 at 160 x 90 without its resize {min(small) / len(frames) * 1e3:.2f} ms"
    )
    return {"vs_mog2": Claim(min(ours) / min(theirs), "share", 0.1, 0.03, peer, lower_is_better=True)}
