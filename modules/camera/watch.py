"""One camera at work: read, gate, choose, encode, hand over; and come back when the source dies.

Two threads for a live source: one drains it so that the driver never queues old frames, one looks at the newest. A
folder or file is read by the looking thread itself, which waits until each picture is handed over: nothing is skipped.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from modules.camera.event import Event, Shot
from modules.camera.frame import MESSAGE_BYTES, BadPicture, Frame, Picture, encode
from modules.camera.gate import STILL, Gate, Motion, Region
from modules.camera.newest import Newest
from modules.camera.settings import Camera
from modules.camera.sources import Source, SourceError, make

log = logging.getLogger(__name__)


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


@dataclass(slots=True)
class State:
    """What a person wants to know about one camera. Times are of the monotonic clock."""

    phase: str = "opening"  # opening, ok, dead, finished
    error: str | None = None
    frames: int = 0
    sent: int = 0
    source_bytes: int = 0
    last_frame: float | None = None
    outages: int = 0
    bad: Counter[str] = field(default_factory=Counter)


class Watch:
    """Runs one camera until told to stop.

    ``deliver`` takes a picture from the looking thread; it may block, which holds a file or folder back but never a
    live camera's driver. ``show`` gets the latest picture for the view, sent or not.
    """

    def __init__(
        self, name: str, wanted: Camera, deliver: Callable[[Taken], None], show: Callable[[Taken], None]
    ) -> None:
        self.name = name
        self.wanted = wanted
        self.state = State()
        self._source = make(wanted.source)
        self._deliver = deliver
        self._show = show
        self._gate = Gate(wanted.gate.rules())
        self._event = Event()
        self._stop = threading.Event()
        self._capture_now = threading.Event()
        self._shown = -wanted.heartbeat_s
        self._slot: Newest[Frame] = Newest()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to read."""
        if self.live:
            self._thread("reads", self._drain)
            self._thread("looks", self._look_at_newest)
        else:
            self._thread("reads", self._read_each)

    def _thread(self, does: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=f"camera {self.name} {does}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End the threads; one that hangs in a driver is left behind, it holds nothing that matters."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def capture_now(self) -> None:
        """Send the next frame whatever the gate says."""
        self._capture_now.set()

    @property
    def live(self) -> bool:
        """True where frames come whether they are looked at or not (see `Source.live`)."""
        return self._source.live

    @property
    def skipped(self) -> int:
        """Frames of a live camera that nobody looked at because a newer one had come."""
        return self._slot.skipped

    def _drain(self) -> None:
        self._reading(self._slot.put)
        self._slot.close()

    def _look_at_newest(self) -> None:
        while (frame := self._slot.take()) is not None:
            self._look(frame)

    def _read_each(self) -> None:
        self._reading(self._look)

    def _reading(self, use: Callable[[Frame], None]) -> None:
        """Read until the end or until stopped; reopen what dies, waiting longer each time up to the set bound."""
        source = self._source
        wait = 0.5
        while not self._stop.is_set():
            try:
                source.open()
                while not self._stop.is_set():
                    frame = self._next(source)
                    if frame is None:
                        self.state.phase = "finished"
                        log.info("camera %s: the source has ended after %d frames", self.name, self.state.frames)
                        return
                    if isinstance(frame, Frame):
                        wait = 0.5
                        self._alive(frame)
                        use(frame)
            except SourceError as error:
                self._dead(error)
                self._stop.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing
                wait = min(wait * 2, self.wanted.retry_s)
            finally:
                source.close()

    def _next(self, source: Source) -> Frame | BadPicture | None:
        try:
            return source.read()
        except BadPicture as bad:
            self.reject(bad)
            return bad

    def reject(self, bad: BadPicture) -> None:
        """Count a picture that cannot be used; the first of each reason is logged, then every hundredth."""
        self.state.bad[bad.reason] += 1
        if self.state.bad[bad.reason] % 100 == 1:
            log.warning("camera %s: %s (%d so far): %s", self.name, bad.reason, self.state.bad[bad.reason], bad)

    def _alive(self, frame: Frame) -> None:
        if self.state.phase == "dead":
            log.info("camera %s gives pictures again", self.name)
        self.state.phase, self.state.error = "ok", None
        self.state.frames += 1
        self.state.source_bytes += frame.source_bytes
        self.state.last_frame = time.monotonic()

    def _dead(self, error: SourceError) -> None:
        if self.state.phase != "dead":
            self.state.outages += 1
            log.warning("camera %s: %s; tried again until it comes back", self.name, error)
        self.state.phase, self.state.error = "dead", str(error)

    def _look(self, frame: Frame) -> None:
        try:
            reason, shot = self._choose(frame)
            if shot is not None:
                self.state.sent += 1
                taken = self._take(shot, reason)
                self._show(taken)
                self._shown = time.monotonic()
                self._deliver(taken)
            elif time.monotonic() - self._shown >= self.wanted.heartbeat_s:
                self._shown = time.monotonic()
                self._show(self._take(Shot(frame, STILL), "heartbeat"))
        except BadPicture as bad:
            self.reject(bad)

    def _choose(self, frame: Frame) -> tuple[str, Shot | None]:
        if self._capture_now.is_set():
            self._capture_now.clear()
            return "captureNow", Shot(frame, STILL)
        if self.wanted.gate.mode == "every":
            return "every", Shot(frame, Motion(1.0, None))
        return "motion", self._event.follow(frame, self._gate.watch(frame.picture))

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
