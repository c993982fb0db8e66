"""What can be set for the camera module: environment, then the twin's desired `settings`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from modules.camera.gate import GateRules
from modules.camera.sight import Patience
from modules.camera.sources import AnySource, Conveyor
from modules.common.settings import Settings


class Part(BaseModel):
    """A frozen part of the settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(Part):
    """When a frame is worth sending. Areas are fractions of the picture, rates shares per frame."""

    mode: Literal["motion", "every"] = Field("motion", title="Mode", description="'every' sends each frame")
    threshold: float = Field(18.0, ge=1, le=255, title="Threshold", description="grey levels")
    min_area: float = Field(0.002, gt=0, le=1, title="Smallest change")
    scene_area: float = Field(0.7, gt=0, le=1, title="Change that is a change of scene")
    crop: bool = Field(True, title="Send only what changed, with a margin")
    margin: float = Field(0.02, ge=0, le=0.5, title="Margin round it", description="share of the picture's side")

    def rules(self) -> GateRules:
        """The gate's own rules."""
        return GateRules(threshold=self.threshold, min_area=self.min_area, scene_area=self.scene_area)


class Rest(Part):
    """What a camera does while nothing moves: it is looked at less often, and at once as usual when something does."""

    after_s: float = Field(60.0, ge=0, le=86_400, title="Rests when still for", description="seconds; 0: never")
    rate_hz: float = Field(1.0, ge=0.1, le=30, title="Frames looked at while it rests", description="per second")


class Sight(Part):
    """When a picture says that something is wrong with the camera itself. 0 seconds: not watched for."""

    black_s: float = Field(10.0, ge=0, le=86_400, title="Black for", description="seconds until it is told")
    covered_s: float = Field(20.0, ge=0, le=86_400, title="Covered for", description="seconds until it is told")
    frozen_s: float = Field(60.0, ge=0, le=86_400, title="Frozen for", description="seconds until it is told")

    def patience(self) -> Patience:
        """The same for the core."""
        return Patience(self.black_s, self.covered_s, self.frozen_s)


class Camera(Part):
    """One camera: where its pictures come from and which are sent."""

    source: AnySource = Conveyor()
    gate: Gate = Gate()
    quality: int = Field(90, ge=40, le=100, title="JPEG quality")
    heartbeat_s: float = Field(60.0, ge=1, le=86_400, title="A frame at least this often", description="seconds")
    most_hz: float = Field(60.0, gt=0, le=240, title="Frames looked at, at most", description="per second")
    rest: Rest = Rest()
    sight: Sight = Sight()
    retry_s: float = Field(30.0, ge=1, le=600, title="Longest wait between two tries of a dead camera")


class CameraSettings(Settings):
    """All cameras of this module by name, and how much raw material is kept for retraining."""

    cameras: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Camera] = Field(
        default={"conveyor": Camera()}, title="Cameras", max_length=16
    )
    sample_share: float = Field(0.002, ge=0, le=1, title="Sent frames kept as samples", description="0 to 1")
