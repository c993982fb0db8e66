"""What can be set for the camera module: environment, then the twin's desired `settings`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modules.camera.choice import Chosen, Gate, Part, Sent
from modules.camera.shapes import Polygons
from modules.camera.sight import Patience
from modules.camera.sources import AnySource, Conveyor
from modules.common.settings import Settings


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
    private: Polygons = Field((), title="Private areas", description="painted over before anything sees them")
    gate: Gate = Gate()
    event: Chosen = Chosen()
    sent: Sent = Sent()
    heartbeat_s: float = Field(60.0, ge=1, le=86_400, title="A picture at least this often", description="seconds")
    most_hz: float = Field(60.0, gt=0, le=240, title="Frames looked at, at most", description="per second")
    rest: Rest = Rest()
    sight: Sight = Sight()
    retry_s: float = Field(30.0, ge=1, le=600, title="Longest wait between two tries of a dead camera")

    def reads_as(self, other: Camera) -> bool:
        """Whether the other reads its frames in the same way, so that a change needs no new connection."""
        eye = {"gate", "event", "sent", "heartbeat_s"}
        return self.model_dump(exclude=eye) == other.model_dump(exclude=eye)


class CameraSettings(Settings):
    """All cameras of this module by name, and how much raw material is kept for retraining."""

    cameras: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Camera] = Field(
        default={"conveyor": Camera()}, title="Cameras", max_length=16
    )
    sample_share: float = Field(0.002, ge=0, le=1, title="Sent frames kept as samples", description="0 to 1")
