"""A camera on this machine as a source, through Video4Linux.

OpenCV reads it: FFmpeg's Video4Linux input waits in the driver without a bound, so that a camera that hangs would hang
its thread for ever; OpenCV's gives up after 10 s.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from modules.camera.frame import Frame, checked
from modules.camera.sources.source import SourceError, SourceSettings


class V4l2(SourceSettings):
    """A camera on this machine, through Video4Linux."""

    type: Literal["v4l2"]
    device: str = Field(
        "/dev/video0",
        title="Device",
        description="a path, or a number as text",
        pattern=r"^(/\S+|\d{1,3})$",
        examples=["/dev/v4l/by-id/usb-046d_0825-video-index0"],
    )
    width: int | None = Field(None, ge=16, le=7680, title="Width", description="pixels asked of the driver")
    height: int | None = Field(None, ge=16, le=4320, title="Height", description="pixels asked of the driver")
    rate_hz: float | None = Field(None, gt=0, le=240, title="Frame rate", description="asked of the driver")
    format: str | None = Field(
        None,
        title="Pixel format",
        description="the driver's four letters; MJPG lets a USB camera give its full size at its full rate",
        pattern=r"^[A-Z0-9 ]{4}$",
        examples=["MJPG", "YUYV", "GREY"],
    )

    def source(self) -> V4l2Source:
        """The camera."""
        return V4l2Source(self)


class V4l2Source:
    """One device. At rest its frames are taken off the driver, so that it never queues old ones, but not decoded."""

    live = True

    def __init__(self, wanted: V4l2) -> None:
        self._wanted = wanted
        self._capture: cv2.VideoCapture | None = None
        self._rest_s: float | None = None
        self._looked = 0.0

    def open(self) -> None:
        """Open it anew: a VideoCapture that failed once stays dead though it says that it is open."""
        self.close()
        wanted = self._wanted
        where: str | int = int(wanted.device) if wanted.device.isdigit() else wanted.device
        capture = cv2.VideoCapture(where, cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise SourceError(f"{wanted.device} does not open: is it there, passed into the container, and free?")
        asked = {
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*wanted.format) if wanted.format else None,
            cv2.CAP_PROP_FRAME_WIDTH: wanted.width,
            cv2.CAP_PROP_FRAME_HEIGHT: wanted.height,
            cv2.CAP_PROP_FPS: wanted.rate_hz,
        }
        for key, value in asked.items():
            if value is not None:
                capture.set(key, value)
        self._capture = capture

    def read(self) -> Frame:
        """Wait in the driver for the next frame that is to be looked at."""
        if self._capture is None:
            raise SourceError(f"{self._wanted.device} is not open")
        while True:
            if not self._capture.grab():
                self.close()
                raise SourceError(f"{self._wanted.device} stopped giving pictures")
            captured, now = datetime.now(UTC), time.monotonic()
            rest = self._rest_s
            if rest is None or now - self._looked >= rest:
                break
        self._looked = now
        got, picture = self._capture.retrieve()
        if not got or picture is None:
            self.close()
            raise SourceError(f"{self._wanted.device} gives what OpenCV cannot decode: set its `format`")
        good = checked(np.asarray(picture, np.uint8))
        return Frame(good, captured, source_bytes=good.shape[0] * good.shape[1] // 10)

    def rest(self, rate_hz: float | None) -> None:
        """Look at fewer of the driver's frames."""
        self._rest_s = None if rate_hz is None else 1 / rate_hz

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
