"""A network camera as a source, through Motion JPEG over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modules.camera.sources.container import ContainerSource
from modules.camera.sources.login import NetworkSettings


class Mjpeg(NetworkSettings):
    """A network camera, through Motion JPEG over HTTP (multipart/x-mixed-replace)."""

    type: Literal["mjpeg"]
    url: str = Field(
        title="Address",
        description="http:// or https://, without user and password: those belong in `credentials_file`",
        pattern=r"^https?://[^@\s]+$",
        max_length=1000,
        examples=["http://192.0.2.11/video.mjpg"],
    )

    def source(self) -> ContainerSource:
        """The camera's stream."""
        return ContainerSource(
            self.url,
            self.address,
            form="mpjpeg",
            options={"strict_mime_boundary": "0"},
            timeout_s=self.timeout_s,
        )
