"""Where pictures come from: each source opens, gives one frame after another, and closes.

A source blocks in `read`, so the module reads it on a thread of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import cv2
import numpy as np

from modules.camera import settings
from modules.camera.conveyor import Belt
from modules.camera.frame import BadPicture, Frame, checked, decode

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


class SourceError(Exception):
    """The source gives no pictures now. The text says what to look at; it never holds a password."""


class Source(Protocol):
    """One camera, folder or file."""

    live: bool
    """True where frames come whether read or not, so that only the newest counts; False where each must be read."""

    def open(self) -> None:
        """Begin; SourceError if that fails."""

    def read(self) -> Frame | None:
        """The next frame; None at the very end. SourceError when the source is dead, BadPicture for one bad frame."""

    def close(self) -> None:
        """Give the source back; may be called twice."""


class Pace:
    """Holds a rate against the monotonic clock; after a delay it goes on from now instead of catching up."""

    def __init__(self, rate_hz: float) -> None:
        self._step = 1 / rate_hz
        self._next = 0.0

    def wait(self) -> None:
        """Sleep until the next frame is due."""
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(self._next, now) + self._step


class ConveyorSource:
    """The rendered belt."""

    live = True

    def __init__(self, wanted: settings.Conveyor) -> None:
        self._wanted = wanted
        self._pace = Pace(wanted.rate_hz)
        self._belt = Belt(seed=wanted.seed, defect_share=wanted.defect_share)
        self._index = 0

    def open(self) -> None:
        """Nothing to open."""

    def read(self) -> Frame:
        """The next view of the belt, named after the part wholly in view."""
        self._pace.wait()
        picture, part = self._belt.frame(self._index)
        self._index += 1
        # A camera would deliver compressed pictures: raw size would flatter the figure of bytes in against bytes up.
        size = picture.shape[0] * picture.shape[1] // 10
        return Frame(picture, datetime.now(UTC), item=part.name if part else None, source_bytes=size)

    def close(self) -> None:
        """Nothing to close."""


class FolderSource:
    """The pictures of a folder, one by one."""

    live = False

    def __init__(self, wanted: settings.Folder) -> None:
        self._wanted = wanted
        self._pace = Pace(wanted.rate_hz)
        self._files: Iterator[Path] = iter(())

    def open(self) -> None:
        """List the folder."""
        self._files = iter(self._list())

    def _list(self) -> list[Path]:
        root = self._wanted.path
        if not root.is_dir():
            raise SourceError(f"{root} is not a folder: mount it, or correct `path` in the camera's settings")
        if self._wanted.files:
            return [root / name for name in self._wanted.files]
        found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise SourceError(f"{root} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return found

    def read(self) -> Frame | None:
        """The next file's picture; its bytes go on untouched where they are JPEG."""
        path = next(self._files, None)
        if path is None:
            if not self._wanted.repeat:
                return None
            self._files = iter(self._list())
            path = next(self._files)
        self._pace.wait()
        try:
            encoded = path.read_bytes()
        except OSError as error:
            raise BadPicture("unreadable", f"{path}: {error.strerror}") from error
        captured = datetime.now(UTC)
        picture = decode(encoded)
        item = path.relative_to(self._wanted.path).as_posix()
        jpeg = encoded if encoded.startswith(b"\xff\xd8") else None
        return Frame(picture, captured, encoded=jpeg, item=item, source_bytes=len(encoded))

    def close(self) -> None:
        """Forget the listing."""
        self._files = iter(())


class CaptureSource:
    """A camera, a stream or a video file through OpenCV's VideoCapture."""

    def __init__(self, wanted: settings.Device | settings.Stream | settings.Video) -> None:
        self._wanted = wanted
        self.live = not isinstance(wanted, settings.Video)
        self._capture: cv2.VideoCapture | None = None
        self._pace: Pace | None = None
        self._bytes_per_frame = 0

    def open(self) -> None:
        """Open it anew: a VideoCapture that failed once stays dead though it says that it is open."""
        self.close()
        wanted = self._wanted
        if isinstance(wanted, settings.Device):
            capture = self._device(wanted)
        elif isinstance(wanted, settings.Stream):
            timeout = int(wanted.timeout_s * 1000)
            options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout]
            # One decoding thread: each further one holds a frame back.
            capture = cv2.VideoCapture(_address(wanted), cv2.CAP_FFMPEG, [*options, cv2.CAP_PROP_N_THREADS, 1])
        else:
            capture = cv2.VideoCapture(os.fspath(wanted.path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            capture.release()
            raise SourceError(f"{self._name()} does not open: is it there, powered and reachable, and free?")
        rate = capture.get(cv2.CAP_PROP_FPS)
        bitrate = capture.get(cv2.CAP_PROP_BITRATE)  # kbit/s; 0 where FFmpeg does not know it
        self._bytes_per_frame = int(bitrate * 125 / rate) if rate > 0 else 0
        self._pace = Pace(rate) if isinstance(wanted, settings.Video) and 0 < rate <= 240 else None
        self._capture = capture

    @staticmethod
    def _device(wanted: settings.Device) -> cv2.VideoCapture:
        where: str | int = int(wanted.device) if wanted.device.isdigit() else wanted.device
        capture = cv2.VideoCapture(where, cv2.CAP_V4L2)
        asked = {
            cv2.CAP_PROP_FRAME_WIDTH: wanted.width,
            cv2.CAP_PROP_FRAME_HEIGHT: wanted.height,
            cv2.CAP_PROP_FPS: wanted.rate_hz,
        }
        for key, value in asked.items():
            if value is not None:
                capture.set(key, value)
        return capture

    def _name(self) -> str:
        wanted = self._wanted
        if isinstance(wanted, settings.Stream):
            return wanted.url
        return wanted.device if isinstance(wanted, settings.Device) else os.fspath(wanted.path)

    def read(self) -> Frame | None:
        """Wait for the next frame."""
        if self._capture is None:
            raise SourceError(f"{self._name()} is not open")
        if self._pace:
            self._pace.wait()
        got, picture = self._capture.read()
        captured = datetime.now(UTC)
        if got and picture is not None:
            good = checked(np.asarray(picture, np.uint8))
            size = self._bytes_per_frame or good.shape[0] * good.shape[1] // 10
            return Frame(good, captured, source_bytes=size)
        self.close()
        if not isinstance(self._wanted, settings.Video):
            raise SourceError(f"{self._name()} stopped giving pictures")
        if not self._wanted.repeat:
            return None
        self.open()
        return self.read_first()

    def read_first(self) -> Frame:
        """The first frame after opening a file again; SourceError where even that one does not come."""
        got, picture = self._capture.read() if self._capture else (False, None)
        if not got or picture is None:
            raise SourceError(f"{self._name()} opens but gives no picture: is it a video?")
        return Frame(checked(np.asarray(picture, np.uint8)), datetime.now(UTC), source_bytes=self._bytes_per_frame)

    def close(self) -> None:
        """Release the device or connection."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def _address(wanted: settings.Stream) -> str:
    """The stream's URL with the credentials of its mounted file; that text must never be logged."""
    if wanted.credentials_file is None:
        return wanted.url
    try:
        user, _, password = wanted.credentials_file.read_text(encoding="utf-8").strip().partition(":")
    except OSError as error:
        raise SourceError(f"{wanted.credentials_file}: {error.strerror}; mount the credentials file") from error
    parts = urlsplit(wanted.url)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return urlunsplit(parts._replace(netloc=login))


def make(wanted: settings.Source) -> Source:
    """The source for these settings."""
    match wanted:
        case settings.Conveyor():
            return ConveyorSource(wanted)
        case settings.Folder():
            return FolderSource(wanted)
        case _:
            return CaptureSource(wanted)
