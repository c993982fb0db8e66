"""What the module is given in tests: readings, waveforms, and a clock."""

from datetime import UTC, datetime
from typing import Any

from devices.rolling_bearing import Bearing, Machine
from modules.common.messages import (
    SENML,
    Message,
    Reading,
    Waveform,
    new_id,
    senml,
)

START = 1_700_000_040.0  # on a minute


def readings(values: list[float], *, at: float = START, seq: int = 0, name: str = "press1/temperature") -> Message:
    records = [Reading(name, value, at + number * 0.01, "Cel") for number, value in enumerate(values)]
    return Message(
        body=senml.encode(records),
        kind="readings",
        source="plant",
        seq=seq,
        time=datetime.fromtimestamp(at, UTC),
        message_id=new_id(),
        content_type=SENML,
    )


def blocks(*, defect: Any = None, seconds: int = 4, name: str = "motor1", at: float = START) -> list[Message]:
    bearing = Bearing(Machine(rpm=1772.0), defect=defect, seed=1)
    return [
        Waveform(
            samples=bearing.block(4096, severity=12).astype("<f4").tobytes(),
            rate_hz=12_000,
            unit="m/s2",
            time=datetime.fromtimestamp(at + seq * 4096 / 12_000, UTC),
            source=name,
            seq=seq,
            rpm=1772.0,
        ).message()
        for seq in range(seconds * 12_000 // 4096 + 1)
    ]


class Ticking:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now
