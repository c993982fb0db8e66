"""Bytes for the cloud against bytes from the sensors, over the reference hour in simulated time.

The modules are the real ones, from a message that comes in to the messages that go out; only edgeHub between them is
played, and the clock is the hour's. What counts is payload and properties of everything that the manifest routes to
the cache, against the sensors' own encoding: SenML and float32 as they come, and of the camera only the pictures that
passed its gate. Five minutes before it teach the baselines and is not counted.
"""

import asyncio
import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench._hour import START, Hall, Inspection, Motors
from bench._wire import Wire
from bench.claim import Claim
from devices.line import MANIFEST
from modules.camera.messages import Numbering, chosen, sample
from modules.camera.settings import CameraSettings
from modules.common.edge import Edge
from modules.common.messages import Message
from modules.inference.engine import Answer, Engine, Items
from modules.inference.errors import BadInputError
from modules.inference.module import InferenceModule
from modules.inference.runner import Runner, describe
from modules.inference.settings import InferenceSettings
from modules.vibration.module import VibrationModule
from modules.vibration.settings import VibrationSettings

HOUR = 3600
WARM_UP = 300  # seconds: three times what a baseline waits for
SPELL = 900.0  # seconds that a sensor's fault lasts
METERED = 4096  # bytes; IoT Hub counts messages in such pieces
_FOR_THE_CLOUD = frozenset({"alerts", "windows", "scores", "samples"})


@dataclass(slots=True)
class Balance:
    """Bytes by kind, and messages as IoT Hub meters them."""

    came: Counter[str] = field(default_factory=Counter)
    packed: int = 0
    """Bytes that the readings would have come in as packed columns."""
    went: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    metered: int = 0
    counting: bool = False

    def comes(self, kind: str, size: int) -> None:
        """Count an input in the sensor's own encoding."""
        if self.counting:
            self.came[kind] += size

    def goes(self, module: str, output: str, message: Message) -> None:
        """Count an output that is for the cloud."""
        if self.counting and output in _FOR_THE_CLOUD:
            kind, size = f"{module} {message.kind}", message.wire_size()
            self.went[kind] += size
            self.messages[kind] += 1
            self.metered += -(-size // METERED)

    @property
    def ratio(self) -> float:
        """Bytes up over bytes in."""
        return sum(self.went.values()) / sum(self.came.values())

    @property
    def packed_ratio(self) -> float:
        """The same, of sensors that speak packed columns instead of SenML."""
        return sum(self.went.values()) / (sum(self.came.values()) - self.came["readings"] + self.packed)

    def table(self) -> str:
        """Say where the bytes are."""
        into = ", ".join(f"{kind} {size / 1e6:,.1f} MB" for kind, size in self.came.most_common())
        up = ", ".join(f"{kind} {size / 1e3:,.0f} kB" for kind, size in self.went.most_common())
        counts = f"{sum(self.messages.values())} messages, {self.metered} metered"
        return f"in: {into}; up: {up}; {counts}; {self.packed_ratio:.5f} were the readings packed columns"


class _Here(Engine):
    """The models in this process: an hour of pictures would wait mostly for pipes."""

    def __init__(self) -> None:
        super().__init__()
        self._runners: dict[str, Runner] = {}

    async def load(
        self, name: str, folder: Path, orders: Mapping[str, float] | None = None, *, precision: str | None = None
    ) -> dict[str, Any]:
        self._runners[name] = Runner(folder, orders=orders, precision=precision)
        return describe(self._runners[name].loaded)

    async def judge(self, name: str, items: Items) -> list[Answer | BadInputError]:
        judged = self._runners[name].judge_each(items)
        return [each if isinstance(each, BadInputError) else Answer(each.probabilities, each.odd) for each in judged]


class Gateway:
    """Vibration, inference and the camera's messages, run by the hour's clock; `balance` has what came and went."""

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self.balance = Balance()
        self._now = START
        self._passed_on: list[Message] = []
        self._share = CameraSettings.model_validate(settings["camera"]).sample_share
        self._numbering = Numbering()
        self._scores_every = InferenceSettings.model_validate(settings["inference"]).score_s
        self._scored = START
        self._vibration_wire = Wire(settings["vibration"], self._from_vibration)
        # Scores go by the hour's clock, below; by the machine's there would be too few.
        quiet = {**settings["inference"], "score_s": 3600.0}
        self._inference_wire = Wire(quiet, partial(self.balance.goes, "inference"))
        vibration = Edge("vibration", VibrationSettings, state_dir=folder / "v", transport=self._vibration_wire)
        inference = Edge("inference", InferenceSettings, state_dir=folder / "i", transport=self._inference_wire)
        self._vibration = VibrationModule(vibration, clock=lambda: self._now)
        self._inference = InferenceModule(inference, _Here(), clock=lambda: self._now)
        self._edges: tuple[Edge[Any], ...] = (vibration, inference)

    async def run(self, hall: Hall, motors: Motors, inspection: Inspection, *, warm_up: int, seconds: int) -> None:
        """Live through a warm-up that is not counted and `seconds` that are."""
        running = [asyncio.create_task(edge.run()) for edge in self._edges]
        await asyncio.gather(self._vibration_wire.ready.wait(), self._inference_wire.ready.wait())
        for second in range(warm_up + seconds):
            self.balance.counting = second >= warm_up
            await self._second(second, hall, motors, inspection)
        await asyncio.sleep(0.1)  # what was offered last is on its way
        for edge in self._edges:
            edge.stop()
        await asyncio.gather(*running)

    async def _second(self, second: int, hall: Hall, motors: Motors, inspection: Inspection) -> None:
        self._now = START + second + 1.0
        for message in hall.second(second):
            self.balance.comes("readings", len(message.body))
            self.balance.packed += hall.packed_bytes if self.balance.counting else 0
            await self._vibration_wire.deliver("readings", message)
        for message in motors.until(second + 1):
            self.balance.comes("waveform", len(message.body))
            await self._vibration_wire.deliver("waveforms", message)
        for taken in inspection.until(second + 1):
            self.balance.comes("picture", len(taken.jpeg))
            frame = self._numbering.frame(taken)
            await self._inference_wire.deliver("frames", frame)
            if chosen(frame, self._share):
                self.balance.goes("camera", "samples", sample(frame))
        for message in self._passed_on:
            await self._inference_wire.deliver("waveforms", message)
        self._passed_on.clear()
        self._vibration.tick()
        if self._now - self._scored >= self._scores_every:
            self._scored = self._now
            self._inference.offer_scores()
        await asyncio.sleep(0)  # lets what was offered go

    def _from_vibration(self, output: str, message: Message) -> None:
        self.balance.goes("vibration", output, message)
        if output == "waveforms":
            self._passed_on.append(message)


def measure(
    *,
    sensors: int = 10_000,
    motors: int = 4,
    warm_up: int = WARM_UP,
    seconds: int = HOUR,
    spell: float = SPELL,
    vibration: Mapping[str, Any] | None = None,
) -> Balance:
    """Live through the reference hour, or another; `vibration` replaces the manifest's settings of that module."""
    content = json.loads(MANIFEST.read_text(encoding="utf-8"))["modulesContent"]
    settings = {name: content[name]["properties.desired"]["settings"] for name in ("camera", "vibration", "inference")}
    settings["vibration"] = settings["vibration"] | (vibration or {})
    os.environ["MILLWATCH_VIEW_PORT"] = "0"
    whole = warm_up + seconds
    with tempfile.TemporaryDirectory(prefix="bench") as folder:

        async def live() -> Balance:
            gateway = Gateway(Path(folder), settings)
            sources = Hall(sensors, spell=spell), Motors(motors, length=whole), Inspection()
            await gateway.run(*sources, warm_up=warm_up, seconds=seconds)
            return gateway.balance

        return asyncio.run(live())


def run(*, quick: bool) -> dict[str, Claim]:
    """Measure the hour; quick: ten minutes of it."""
    balance = measure(seconds=600 if quick else HOUR)
    return {
        "ratio": Claim(balance.ratio, "up/in", 0.01, 0.001, f"none; {balance.table()}", lower_is_better=True),
    }
