"""The rendered conveyor as a source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from modules.camera.conveyor import Belt
from modules.camera.frame import Frame
from modules.camera.sources.source import Pace, SourceSettings


class Conveyor(SourceSettings):
    """A rendered belt of ground tiles, some defective: something to see where there is no camera."""

    type: Literal["conveyor"] = "conveyor"
    rate_hz: float = Field(10.0, gt=0, le=60, title="Frame rate", description="frames per second")
    seed: int = Field(1, ge=0, title="Seed", description="the same seed renders the same parts")
    defect_share: float = Field(0.25, ge=0, le=1, title="Share of defective parts", description="0 to 1")

    def source(self) -> ConveyorSource:
        """The belt."""
        return ConveyorSource(self)


class ConveyorSource:
    """The rendered belt."""

    live = True

    def __init__(self, wanted: Conveyor) -> None:
        self._rate = wanted.rate_hz
        self._pace = Pace(wanted.rate_hz)
        self._belt = Belt(seed=wanted.seed, defect_share=wanted.defect_share)
        self._at = 0.0

    def open(self) -> None:
        """Nothing to open."""

    def read(self) -> Frame:
        """The next view of the belt, named after the part wholly in view; the belt runs on while the camera rests."""
        step = self._pace.wait()
        picture, part = self._belt.frame(round(self._at))
        self._at += step * self._rate
        # A camera would deliver compressed pictures: raw size would flatter the figure of bytes in against bytes up.
        size = picture.shape[0] * picture.shape[1] // 10
        return Frame(picture, datetime.now(UTC), item=part.name if part else None, source_bytes=size)

    def rest(self, rate_hz: float | None) -> None:
        """Render less often."""
        self._pace.rest(rate_hz)

    def close(self) -> None:
        """Nothing to close."""
