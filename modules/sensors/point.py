"""One value of a source: where it stands there, what it is called here, and how a raw value becomes a number. Pure."""

import math
from array import array
from collections.abc import Sequence
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from modules.common.settings import Part

# RFC 8428, 4.5.1: what a SenML name may consist of. With 200 characters a hundred of them fit a message many times.
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9\-:./_]{0,199}$"


class Unusable(ValueError):
    """A value that must not be sent as a number. `reason` is a short label for counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Point(Part):
    """One value. What is sent is `raw * scale + offset`, in `unit`; outside `low` to `high` nothing is sent."""

    name: str = Field(title="Name", description="SenML name of its readings, the sensor's name here", pattern=NAME)
    address: str = Field(title="Address", description="where the source has it", min_length=1, max_length=1000)
    scale: float = Field(1.0, title="Scale")
    offset: float = Field(0.0, title="Offset", description="in the unit, added after scaling")
    unit: str | None = Field(None, title="Unit", description="SenML name: Cel, Pa, m/s2", min_length=1, max_length=32)
    low: float | None = Field(None, title="Lowest", description="of what is sent; below it the value is dropped")
    high: float | None = Field(None, title="Highest", description="of what is sent; above it the value is dropped")
    interval_s: Annotated[float | None, Field(title="Interval", ge=0, le=86_400)] = None
    """Seconds between two readings: how often it is read, or of what comes by itself the newest at most so often."""
    rate_hz: float | None = Field(
        None, title="Sample rate", gt=0, le=1e6, description="of a point that is an array of samples: a waveform"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale 0 would make every value the same")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low must be below high")
        if self.rate_hz is not None and self.unit is None:
            raise ValueError("a waveform needs a unit, m/s2 as a rule")
        return self

    def number(self, raw: object) -> float:
        """What is sent for `raw`, a number or a truth value. Raises Unusable: wrong_type, nan, out_of_range."""
        if not isinstance(raw, (int, float)):
            raise Unusable("wrong_type")
        try:
            value = raw * self.scale + self.offset
        except OverflowError:
            raise Unusable("out_of_range") from None
        if not math.isfinite(value):
            raise Unusable("nan" if not math.isfinite(raw) else "out_of_range")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise Unusable("out_of_range")
        return value

    def samples(self, raw: object) -> bytes:
        """The block for an array of raw values: float32, little endian. One bad value spoils the block: Unusable."""
        if isinstance(raw, (str, bytes, bytearray)) or not isinstance(raw, Sequence) or not raw:
            raise Unusable("wrong_type")
        try:
            block = array("f", map(self.number, raw))
        except OverflowError:
            raise Unusable("out_of_range") from None
        if not all(map(math.isfinite, block)):  # a finite double may be beyond a float
            raise Unusable("out_of_range")
        return little_endian(block)


def little_endian(block: "array[float]") -> bytes:
    """The bytes of `block` as they go onto the wire."""
    if memoryview(b"\1\0").cast("H")[0] != 1:
        block = block[:]
        block.byteswap()
    return block.tobytes()
