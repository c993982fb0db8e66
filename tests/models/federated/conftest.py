"""Labelled samples of simulated bearings, as the inference module of a gateway keeps them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.training import waves
from modules.common.messages import Message, encode_member

RATE, COUNT = 12_000.0, 16_384
LABELS = ("normal", "inner_race", "ball", "outer_race")
Fill = Callable[..., Path]


def window(label: str, random: np.random.Generator) -> tuple[bytes, dict[str, str]]:
    """A window as it comes off the wire, and its properties."""
    made = waves.healthy if label == "normal" else lambda *given: waves.faulty(label, *given)
    signal, rpm = made(COUNT, RATE, random)
    return signal.astype("<f4").tobytes(), {"rate": f"{RATE}", "rpm": f"{rpm}"}


def judged(body: bytes, facts: dict[str, str], *, label: str, verdict: str, number: int = 1) -> Message:
    """A sample that a person judged."""
    return Message(
        body=body,
        kind="sample",
        source="vibration/press4",
        seq=number,
        time=datetime(2026, 1, 2, tzinfo=UTC),
        message_id=f"0198c1de-7b3a-8d20-b376-{number:012d}",
        model="bearing/1.0.0",
        properties={**facts, "of": "waveform", "label": label, "verdict": verdict},
    )


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """`fill("press4", seed=1, each=4)`: a folder with so many samples of each label."""

    def fill_(name: str, *, seed: int, each: int = 4) -> Path:
        folder, random = tmp_path / name / "labelled", np.random.default_rng(seed)
        folder.mkdir(parents=True)
        for number in range(each * len(LABELS)):
            label = LABELS[number % len(LABELS)]
            body, facts = window(label, random)
            # A healthy machine in here is one that was alarmed wrongly.
            said = judged(
                body,
                facts,
                label="ball" if label == "normal" else label,
                verdict="false" if label == "normal" else "true",
                number=number,
            )
            (folder / f"{number:04d}.labelled").write_bytes(encode_member(said))
        return folder

    return fill_
