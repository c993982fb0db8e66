"""A network camera as a source, through RTSP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modules.camera.sources.container import ContainerSource
from modules.camera.sources.login import NetworkSettings


class Rtsp(NetworkSettings):
    """A network camera, through RTSP (H.264, H.265 or MJPEG over RTP)."""

    type: Literal["rtsp"]
    url: str = Field(
        title="Address",
        description="rtsp:// or rtsps://, without user and password: those belong in `credentials_file`",
        pattern=r"^rtsps?://[^@\s]+$",
        max_length=1000,
        examples=["rtsp://192.0.2.10:554/stream1"],
    )
    transport: Literal["tcp", "udp"] = Field(
        "tcp", title="Transport", description="tcp loses nothing; udp never waits for what was lost on the way"
    )

    def source(self) -> ContainerSource:
        """The camera's stream."""
        return ContainerSource(
            self.url,
            self.address,
            form="rtsp",
            # Probing for as long as FFmpeg likes shows a first picture that is a second old.
            options={
                "rtsp_transport": self.transport,
                "allowed_media_types": "video",
                "analyzeduration": "100000",
                "timeout": str(round(self.timeout_s * 1e6)),
            },
            timeout_s=self.timeout_s,
        )
