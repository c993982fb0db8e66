"""A video file as a source."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from modules.camera.sources.container import ContainerSource
from modules.camera.sources.source import SourceSettings


class Video(SourceSettings):
    """A video file. Each of its frames is read, and held back while the one before is handed over."""

    type: Literal["video"]
    path: Path = Field(title="File", examples=["/video/line1.mp4"])
    pace: Literal["own", "fastest"] = Field(
        "own", title="Pace", description="as it was recorded, or as fast as it decodes"
    )
    repeat: bool = Field(True, title="Begin again at the end")

    def source(self) -> ContainerSource:
        """The file's frames."""
        return ContainerSource(
            str(self.path),
            lambda: f"file:{self.path}",
            live=False,
            paced=self.pace == "own",
            repeat=self.repeat,
        )
