"""The reference hour: ten thousand sensors at 1 Hz, four accelerometers, one camera, at fault one per cent of the time.

Everything follows from the seed and the second; nothing waits. Each source speaks in its own encoding: SenML batches of
a concentrator, float32 blocks, JPEG.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from devices.rolling_bearing import Bearing, Defect, Machine
from modules.camera.choice import Sent
from modules.camera.conveyor import Belt
from modules.camera.cut import jpeg
from modules.camera.event import Event
from modules.camera.frame import Frame
from modules.camera.gate import Gate
from modules.camera.watch import Taken
from modules.common.messages import SENML, Message, Reading, Waveform, new_id, packed

START = 1_700_000_040.0
FAULTY = 0.01  # of the time, each sensor, each bearing and each part on the belt
RATE = 12_000.0
BLOCK = 4096
RPM = 1772.0
FRAMES_PER_SECOND = 10
_BATCH = 5_000  # readings in a message: what a concentrator of the design load sends
_PREFIX = "hall/s0"
_SEVERITY = 12.0  # m/s2 of a strike
_HEIGHT = 12.0  # deviations


def at(second: float) -> datetime:
    """Return the time of day of a second of the hour."""
    return datetime.fromtimestamp(START + second, UTC)


class Hall:
    """Sensors that are Gaussian but for spells of `spell` seconds, each at times of its own, for FAULTY of the time."""

    def __init__(self, sensors: int, *, spell: float, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._tails = [f"{number:04d}" for number in range(sensors)]
        self._level, self._noise = self._random.uniform(10, 100, sensors), self._random.uniform(0.5, 2, sensors)
        self._spell, self._cycle = spell, spell / FAULTY
        self._phase = self._random.uniform(0, self._cycle, sensors)
        self._seq = 0
        names = [_PREFIX + tail for tail in self._tails[:_BATCH]]
        self.packed_bytes = len(packed.encode([Reading(name, 1.0, START) for name in names]))
        """What a batch would take as packed columns."""

    def second(self, number: int) -> Iterator[Message]:
        """Return the readings of one second, in random order."""
        at_fault = (number + self._phase) % self._cycle < self._spell
        values = self._level + self._noise * (self._random.standard_normal(self._level.size) + _HEIGHT * at_fault)
        order = self._random.permutation(self._level.size)
        shown = [str(value) for value in np.round(values, 3).tolist()]
        for begin in range(0, order.size, _BATCH):
            rows = order[begin : begin + _BATCH].tolist()
            yield Message(
                body=self._senml(rows, shown, START + number),
                kind="readings",
                source="hall",
                seq=self._seq,
                time=at(number),
                message_id=new_id(round(1000 * (START + number))),
                content_type=SENML,
            )
            self._seq += 1

    def _senml(self, rows: list[int], shown: list[str], time: float) -> bytes:
        """Write what `senml.encode` writes, five times as fast: text is kept of every name."""
        first, *others = (f'"n":"{self._tails[row]}","v":{shown[row]}}}' for row in rows)
        return ",{".join([f'[{{"bn":"{_PREFIX}","bt":{time},{first}', *others]).encode() + b"]"


class Motors:
    """Accelerometers on bearings; each has its defect for FAULTY of the hour, in one spell."""

    def __init__(self, count: int, *, length: float) -> None:
        defects: tuple[Defect, ...] = ("outer", "inner", "ball")
        machine = Machine(rpm=RPM)
        self._bearings = [
            Bearing(machine, rate_hz=RATE, defect=defects[number % len(defects)], seed=number)
            for number in range(count)
        ]
        self._begins = [(number + 0.5) * length / max(1, count) for number in range(count)]
        self._spell = FAULTY * length
        self._done = 0

    def until(self, second: float) -> Iterator[Message]:
        """Return the blocks that are whole by `second`."""
        while (self._done + 1) * BLOCK / RATE <= second:
            begin = self._done * BLOCK / RATE
            for number, bearing in enumerate(self._bearings):
                sick = self._begins[number] <= begin < self._begins[number] + self._spell
                samples = bearing.block(BLOCK, severity=_SEVERITY if sick else 0.0)
                yield Waveform(
                    samples=samples.astype("<f4").tobytes(),
                    rate_hz=RATE,
                    unit="m/s2",
                    time=at(begin),
                    source=f"motor{number + 1}/drive-end",
                    seq=self._done,
                    rpm=RPM,
                ).message(new_id(round(1000 * (START + begin))))
            self._done += 1


class Inspection:
    """A camera over a belt, its gate included: one cropped picture of each part."""

    def __init__(self, *, seed: int = 1) -> None:
        self._belt = Belt(seed=seed, defect_share=FAULTY)
        self._gate, self._event = Gate(), Event()
        self._frames = 0

    def until(self, second: float) -> Iterator[Taken]:
        """Return the pictures taken by `second`."""
        while (self._frames + 1) / FRAMES_PER_SECOND <= second:
            now = self._frames / FRAMES_PER_SECOND
            picture, part = self._belt.frame(self._frames)
            frame = Frame(picture, at(now), item=part.name if part else None)
            self._frames += 1
            for shot in self._event.follow(frame, self._gate.watch(picture)):
                encoded, width, height = jpeg(shot, Sent())
                area = shot.thing.area if shot.thing else 0.0
                chosen = shot.frame
                yield Taken("conveyor", encoded, width, height, chosen.captured, "motion", area, chosen.item)
