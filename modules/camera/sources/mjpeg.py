"""A network camera as a source, through Motion JPEG over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from modules.camera.sources.container import ContainerSource
from modules.camera.sources.login import with_login
from modules.camera.sources.source import SourceSettings


class Mjpeg(SourceSettings):
    """A network camera, through Motion JPEG over HTTP (multipart/x-mixed-replace)."""

    type: Literal["mjpeg"]
    url: str = Field(
        title="Address",
        description="http:// or https://, without user and password: those belong in `credentials_file`",
        pattern=r"^https?://[^@\s]+$",
        max_length=1000,
        examples=["http://192.0.2.11/video.mjpg"],
    )
    credentials_file: Path | None = Field(
        None, title="Credentials", description="a mounted file of one line, user:password", examples=["/run/camera2"]
    )
    timeout_s: float = Field(5.0, ge=0.5, le=60, title="Silence that counts as dead", description="seconds")

    def source(self) -> ContainerSource:
        """The camera's stream."""
        return ContainerSource(
            self.url,
            lambda: with_login(self.url, self.credentials_file),
            form="mpjpeg",
            options={"strict_mime_boundary": "0"},
            timeout_s=self.timeout_s,
        )
