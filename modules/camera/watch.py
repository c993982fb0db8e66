"""One camera at work: look at each frame that the reader gives, gate, choose, encode, hand over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from modules.camera.event import Event, Shot
from modules.camera.frame import MESSAGE_BYTES, BadPicture, Frame, Picture, encode
from modules.camera.gate import STILL, Gate, Motion, Region
from modules.camera.reader import Reader
from modules.camera.rest import Rest
from modules.camera.settings import Camera
from modules.camera.sight import Sight
from modules.camera.sources import Folder

log = logging.getLogger(__name__)

SIGHT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture ready to be sent: JPEG bytes and the facts of its message. ``gate_area`` is the changed share."""

    camera: str
    jpeg: bytes
    width: int
    height: int
    captured: datetime
    reason: str
    gate_area: float
    item: str | None = None


class Watch:
    """Runs one camera until told to stop.

    ``deliver`` takes a picture from the looking thread; it may block, which holds a file or folder back but never a
    live camera's driver. ``show`` gets the latest picture for the view, sent or not. ``changed`` is called when the
    camera falls asleep or wakes, or when its picture goes bad or well again.
    """

    def __init__(
        self,
        name: str,
        wanted: Camera,
        deliver: Callable[[Taken], None],
        show: Callable[[Taken], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.wanted = wanted
        self.newest: Frame | None = None
        self._reader = Reader(name, wanted, self._look)
        self.state = self._reader.state
        self._rest = Rest(wanted.rest.after_s)
        self._sight = Sight(wanted.sight.patience())
        self._deliver = deliver
        self._show = show
        self._changed = changed
        self._gate = Gate(wanted.gate.rules())
        self._event = Event()
        self._capture_now = threading.Event()
        self._shown = -wanted.heartbeat_s
        self._looked_at = 0.0

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End the threads (see `Reader.stop`)."""
        self._reader.stop(timeout_s)

    def capture_now(self) -> None:
        """Send the next frame whatever the gate says."""
        self._capture_now.set()

    @property
    def live(self) -> bool:
        """True where frames come whether they are looked at or not (see `Source.live`)."""
        return self._reader.live

    @property
    def skipped(self) -> int:
        """Frames of a live camera that nobody looked at."""
        return self._reader.skipped

    @property
    def sleeping(self) -> bool:
        """Whether it rests because nothing has moved for long."""
        return self._rest.resting

    @property
    def condition(self) -> tuple[str, str | None]:
        """The state in a word (opening, ok, dead, finished, black, covered, frozen) and what the trouble is."""
        if self.state.phase == "ok" and self._sight.trouble is not None:
            return self._sight.trouble, self._sight.text
        return self.state.phase, self.state.error

    def _look(self, frame: Frame) -> None:
        self.newest = frame
        try:
            self._look_at_camera(frame)
            reason, shot = self._choose(frame)
            if shot is not None:
                self.state.sent += 1
                self.state.last_event = shot.frame.captured
                taken = self._take(shot, reason)
                self._show(taken)
                self._shown = time.monotonic()
                self._deliver(taken)
            elif time.monotonic() - self._shown >= self.wanted.heartbeat_s:
                self._shown = time.monotonic()
                self._show(self._take(Shot(frame, STILL), "heartbeat"))
        except BadPicture as bad:
            self._reader.reject(bad)

    def _look_at_camera(self, frame: Frame) -> None:
        """See whether the camera itself is well, once a second; a folder's pictures need not hang together."""
        now = time.monotonic()
        if isinstance(self.wanted.source, Folder) or now - self._looked_at < SIGHT_EVERY_S:
            return
        self._looked_at = now
        if self._sight.look(frame.look, now):
            trouble = self._sight.text
            log.warning("camera %s: %s", self.name, trouble or "the picture is well again")
            self._changed()

    def _choose(self, frame: Frame) -> tuple[str, Shot | None]:
        if self._capture_now.is_set():
            self._capture_now.clear()
            return "captureNow", Shot(frame, STILL)
        if self.wanted.gate.mode == "every":
            return "every", Shot(frame, Motion(1.0, None))
        motion = self._gate.watch(frame.look)
        if self._rest.look(moving=motion.moving, now=time.monotonic()):
            self._reader.rest(self.wanted.rest.rate_hz if self._rest.resting else None)
            self._changed()
        return "motion", self._event.follow(frame, motion)

    def _take(self, shot: Shot, reason: str) -> Taken:
        frame, region = shot.frame, shot.motion.region
        cropped = self.wanted.gate.crop and region is not None
        picture = crop(frame.picture, region, self.wanted.gate.margin) if cropped and region else frame.picture
        jpeg = None if cropped else frame.encoded
        if jpeg is None or len(jpeg) > MESSAGE_BYTES:
            jpeg = encode(picture, quality=self.wanted.quality)
        height, width = picture.shape[:2]
        return Taken(self.name, jpeg, width, height, frame.captured, reason, shot.motion.area, frame.item)


def crop(picture: Picture, region: Region, margin: float) -> Picture:
    """The region of the picture with ``margin`` (a share of the picture's longer side) round it, cut at the border."""
    height, width = picture.shape[:2]
    extra = round(margin * max(height, width))
    top, left = max(0, region.y - extra), max(0, region.x - extra)
    part = picture[top : region.y + region.height + extra, left : region.x + region.width + extra]
    return np.ascontiguousarray(part)
