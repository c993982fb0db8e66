"""Where pictures come from: each file is one kind of source, its settings and its reading."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modules.camera.sources.conveyor import Conveyor
from modules.camera.sources.folder import Folder
from modules.camera.sources.mjpeg import Mjpeg
from modules.camera.sources.rtsp import Rtsp
from modules.camera.sources.source import Source, SourceError
from modules.camera.sources.v4l2 import V4l2
from modules.camera.sources.video import Video

__all__ = ["AnySource", "Conveyor", "Folder", "Mjpeg", "Rtsp", "Source", "SourceError", "V4l2", "Video"]

# A new kind of source is a file of its own and a name in this line.
AnySource = Annotated[Conveyor | Folder | Video | V4l2 | Rtsp | Mjpeg, Field(discriminator="type")]
