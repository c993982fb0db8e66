"""What can be set for the camera module: environment, then the twin's desired `settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from modules.camera.gate import GateRules
from modules.common.settings import Settings


class Part(BaseModel):
    """A frozen part of the settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Conveyor(Part):
    """A rendered belt of ground tiles, some defective: something to see where there is no camera."""

    type: Literal["conveyor"] = "conveyor"
    rate_hz: float = Field(10.0, gt=0, le=60, title="Frame rate", description="frames per second")
    seed: int = Field(1, ge=0, title="Seed", description="the same seed renders the same parts")
    defect_share: float = Field(0.25, ge=0, le=1, title="Share of defective parts", description="0 to 1")


class Folder(Part):
    """Pictures of a folder and the folders below it, in the order of their names, each one an item of its own."""

    type: Literal["folder"]
    path: Path = Field(title="Folder", description="read anew at each round")
    rate_hz: float = Field(5.0, gt=0, le=200, title="Pictures per second")
    repeat: bool = Field(True, title="Begin again at the end")
    files: tuple[str, ...] = Field((), title="Only these", description="paths below the folder; none means all")


class Video(Part):
    """A video file, at its own pace."""

    type: Literal["video"]
    path: Path = Field(title="File")
    repeat: bool = Field(True, title="Begin again at the end")


class Device(Part):
    """A camera on this machine, through Video4Linux."""

    type: Literal["device"]
    device: str = Field("/dev/video0", title="Device", description="a path, or a number as text")
    width: int | None = Field(None, ge=16, le=7680, title="Width", description="pixels asked of the driver")
    height: int | None = Field(None, ge=16, le=4320, title="Height", description="pixels asked of the driver")
    rate_hz: float | None = Field(None, gt=0, le=240, title="Frame rate", description="asked of the driver")


class Stream(Part):
    """A camera on the network: RTSP, or MJPEG over HTTP."""

    type: Literal["stream"]
    url: str = Field(
        title="Address",
        description="rtsp:// or http://, without user and password",
        pattern=r"^(rtsps?|https?)://[^@\s]+$",
        examples=["rtsp://192.0.2.10:554/stream1"],
    )
    credentials_file: Path | None = Field(
        None, title="Credentials", description="a mounted file of one line, user:password; never written to a log"
    )
    timeout_s: float = Field(5.0, ge=0.5, le=60, title="Silence that counts as dead", description="seconds")


Source = Annotated[Conveyor | Folder | Video | Device | Stream, Field(discriminator="type")]


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


class Camera(Part):
    """One camera: where its pictures come from and which are sent."""

    source: Source = Conveyor()
    gate: Gate = Gate()
    quality: int = Field(90, ge=40, le=100, title="JPEG quality")
    heartbeat_s: float = Field(60.0, ge=1, le=86_400, title="A frame at least this often", description="seconds")
    retry_s: float = Field(30.0, ge=1, le=600, title="Longest wait between two tries of a dead camera")


class CameraSettings(Settings):
    """All cameras of this module by name, and how much raw material is kept for retraining."""

    cameras: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Camera] = Field(
        default={"conveyor": Camera()}, title="Cameras", max_length=16
    )
    sample_share: float = Field(0.002, ge=0, le=1, title="Sent frames kept as samples", description="0 to 1")
