"""What can be set of a camera's eye: when a frame is worth sending, which one of an event, and how it goes out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from modules.camera.event import EventRules
from modules.camera.motion import GateRules
from modules.camera.shapes import Polygons


class Part(BaseModel):
    """A frozen part of the settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(Part):
    """When a frame is worth sending. Areas are fractions of the picture."""

    mode: Literal["motion", "every", "sensor"] = Field(
        "motion",
        title="Mode",
        description="'every' sends each frame; 'sensor' the one of the moment that a `partHere` command names",
    )
    threshold: float | None = Field(
        None, ge=1, le=255, title="Threshold", description="grey levels; without it the gate finds its own"
    )
    noise_factor: float = Field(
        5.0, ge=2, le=20, title="Noise factor", description="standard deviations of its own noise that count"
    )
    min_area: float = Field(0.004, gt=0, le=1, title="Smallest change")
    scene_area: float = Field(0.7, gt=0, le=1, title="Change that is a change of scene")
    regions: Polygons = Field((), title="Regions of interest", description="none: the whole picture")
    ignored: Polygons = Field((), title="Ignored areas", description="a lamp, a fan, a screen")

    def rules(self) -> GateRules:
        """The gate's own rules."""
        return GateRules(
            threshold=self.threshold,
            noise_factor=self.noise_factor,
            min_area=self.min_area,
            scene_area=self.scene_area,
        )


class Chosen(Part):
    """Which frame of an event is sent, and how often."""

    steady: int = Field(3, ge=1, le=30, title="Seen in so many frames", description="1 on a line as fast as the camera")
    best_of: int = Field(1, ge=1, le=30, title="Best of so many", description="1: the first that shows it whole")
    best_by: Literal["sharpest", "largest"] = Field("sharpest", title="Best by")
    cool_down_s: float = Field(0.0, ge=0, le=3600, title="Cool-down", description="seconds from one event to the next")
    longest: int = Field(50, ge=2, le=10_000, title="Longest event", description="frames; then a new one begins")
    before_s: float = Field(
        0.0, ge=0, le=60, title="Pictures before an event", description="seconds; they go with its sample. 0: none"
    )
    ring_bytes: int = Field(
        4_000_000, ge=100_000, le=256_000_000, title="Memory for them", description="bytes, the 'sensor' mode's too"
    )

    def rules(self) -> EventRules:
        """The event's own rules."""
        return EventRules(
            steady=self.steady,
            best_of=self.best_of,
            best_by=self.best_by,
            cool_down_s=self.cool_down_s,
            longest=self.longest,
        )


class Sent(Part):
    """How a chosen picture goes out."""

    crop: bool = Field(True, title="Send only what changed, with a margin")
    margin: float = Field(0.02, ge=0, le=0.5, title="Margin round it", description="share of the picture's longer side")
    cover: tuple[int, int] | None = Field(
        None,
        title="Scale down to cover",
        description="width and height that the model's card asks for; the picture keeps its shape and covers them",
        examples=[[192, 192]],
    )
    quality: int = Field(90, ge=40, le=100, title="JPEG quality", description="lowered where the message would not fit")
    together: bool = Field(True, title="Parts of one moment in one message")
    heartbeat_samples: bool = Field(False, title="Signs of life as samples", description="the empty scene")
