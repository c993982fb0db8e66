"""A block of equally spaced samples of one sensor: raw float32 with its facts in properties.

numpy is not imported here: leaf devices and status use this module too.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from modules.common.messages.ids import new_id
from modules.common.messages.message import FLOAT32, BadMessage, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Samples (float32, little endian) taken at `rate_hz` from `time` on, in `unit` (SenML name, m/s2 as a rule)."""

    samples: bytes
    rate_hz: float
    unit: str
    time: datetime
    source: str
    seq: int
    rpm: float | None = None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self.samples) // 4

    def message(self, message_id: str | None = None) -> Message:
        """The message that carries this block; without `message_id` it is new (a source's own)."""
        properties = {"rate": _number(self.rate_hz), "unit": self.unit, "count": str(self.count)}
        if self.rpm is not None:
            properties["rpm"] = _number(self.rpm)
        return Message(
            body=self.samples,
            kind="waveform",
            source=self.source,
            seq=self.seq,
            time=self.time,
            message_id=message_id or new_id(),
            content_type=FLOAT32,
            properties=properties,
        )

    @classmethod
    def of(cls, message: Message) -> "Waveform":
        """The block that `message` carries.

        Raises BadMessage: unknown_kind, missing_property, wrong_shape (body and count disagree, a rate that is no
        positive number). Whether the samples are finite is for the one who has them as an array.
        """
        if message.kind != "waveform":
            raise BadMessage("unknown_kind", message.kind[:40])
        facts = message.properties
        try:
            count, rate, unit = int(facts["count"]), float(facts["rate"]), facts["unit"]
            rpm = float(facts["rpm"]) if "rpm" in facts else None
        except KeyError as error:
            raise BadMessage("missing_property", str(error.args[0])) from error
        except ValueError as error:
            raise BadMessage("wrong_shape", str(error)) from error
        if len(message.body) != 4 * count or count == 0:
            raise BadMessage("wrong_shape", f"{len(message.body)} bytes for {count} samples")
        if not (math.isfinite(rate) and rate > 0) or (rpm is not None and not (math.isfinite(rpm) and rpm >= 0)):
            raise BadMessage("wrong_shape", "rate or rpm out of range")
        return cls(
            samples=message.body,
            rate_hz=rate,
            unit=unit,
            time=message.time,
            source=message.source,
            seq=message.seq,
            rpm=rpm,
        )


def _number(value: float) -> str:
    """Shortest text that reads back as the same number, without a needless `.0`."""
    text = repr(float(value))
    return text.removesuffix(".0")
