"""One camera at work: look at each frame that the reader gives, gate, choose, encode, hand over."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from modules.camera.cut import jpeg
from modules.camera.event import Event, Shot
from modules.camera.frame import MESSAGE_BYTES, BadPicture, Frame
from modules.camera.gate import Gate
from modules.camera.reader import Reader
from modules.camera.rest import Rest
from modules.camera.ring import Ring
from modules.camera.settings import Camera
from modules.camera.sight import Sight
from modules.camera.sources import Folder
from modules.camera.tuner import Tuner

log = logging.getLogger(__name__)

HEARTBEAT: Final = "heartbeat"
SIGHT_EVERY_S = 1.0
MOST_TOGETHER: Final = 8
_IN_BATCH: Final = 0.74  # of a message's bytes: the members of a batch are in base64, with their facts beside
_ASKED: Final = 32  # moments of a part sensor that wait; more at once than parts can come


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture ready to be sent: JPEG bytes and the facts of its message.

    ``gate_area`` is the changed share. ``before`` are pictures from before the event, small, oldest first.
    """

    camera: str
    jpeg: bytes
    width: int
    height: int
    captured: datetime
    reason: str
    gate_area: float
    item: str | None = None
    before: Sequence[Taken] = ()


class Watch:
    """Runs one camera until told to stop.

    ``deliver`` takes the pictures of one moment from the looking thread; it may block, which holds a file or folder
    back but never a live camera's driver. ``show`` gets the latest picture for the view, sent or not. ``changed`` is
    called when the camera falls asleep or wakes, or when its picture goes bad or well again.
    """

    def __init__(
        self,
        name: str,
        wanted: Camera,
        deliver: Callable[[list[Taken]], None],
        show: Callable[[Taken], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.newest: Frame | None = None
        self._reader = Reader(name, wanted, self._look)
        self.state = self._reader.state
        self._rest = Rest(wanted.rest.after_s)
        self._sight = Sight(wanted.sight.patience())
        self._deliver = deliver
        self._show = show
        self._changed = changed
        self._wish: Camera | None = None
        self._capture_now = threading.Event()
        self._learn_now = threading.Event()
        self._moments: deque[tuple[datetime, str | None]] = deque(maxlen=_ASKED)
        self._shown = -wanted.heartbeat_s
        self._looked_at = 0.0
        self._open_eye(wanted)

    def _open_eye(self, wanted: Camera) -> None:
        gate = wanted.gate
        self.wanted = wanted
        self._gate = Gate(gate.rules(), regions=gate.regions, ignored=gate.ignored)
        self._event = Event(wanted.event.rules())
        self._ring = self._empty_ring()
        self.tuner = Tuner(self._gate, gate, wanted.private)

    def _retune(self, wanted: Camera) -> None:
        """Look with other settings, holding on to what was learnt and to what is in view."""
        before = self.wanted
        if wanted.private != before.private or wanted.gate.mode != before.gate.mode:  # it sees another picture, or none
            self._open_eye(wanted)
            return
        self.wanted = wanted
        gate = wanted.gate
        self._gate.retune(gate.rules(), regions=gate.regions, ignored=gate.ignored)
        self.tuner.retune(gate)
        if wanted.event != before.event:
            self._event = Event(wanted.event.rules())
            self._ring = self._empty_ring()

    def _empty_ring(self) -> Ring:
        return Ring(self.wanted.event.ring_bytes, small=self.wanted.gate.mode != "sensor")

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End the threads (see `Reader.stop`)."""
        self._reader.stop(timeout_s)

    def retune(self, wanted: Camera) -> None:
        """From the next frame on, look with other settings; the source goes on (`Camera.reads_as`)."""
        self._wish = wanted

    def capture_now(self) -> None:
        """Send the next frame whatever the gate says."""
        self._capture_now.set()

    def learn_now(self) -> None:
        """Take what the next frame shows for the background."""
        self._learn_now.set()

    def forget(self) -> None:
        """Forget the pictures kept in memory, at once: a dead camera gives no further frame to do it with.

        What may be in use on the looking thread is replaced, not emptied.
        """
        self.newest = None
        self._ring = self._empty_ring()
        self._event = self._event.without_pictures()
        self._gate.look = None

    def part_here(self, moment: datetime, item: str | None) -> None:
        """A part sensor saw a part at that moment: send the frame taken nearest to it."""
        self._moments.append((moment, item))

    @property
    def settings(self) -> Camera:
        """The settings that hold from the next frame on."""
        return self._wish or self.wanted

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
        wish, self._wish = self._wish, None
        if wish is not None:
            self._retune(wish)
        try:
            self._look_at_camera(frame)
            reason, shots = self._choose(frame)
            if shots:
                self._send(reason, shots)
            elif time.monotonic() - self._shown >= self.wanted.heartbeat_s:
                self._heartbeat(frame)
            self._keep(frame)
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

    def _choose(self, frame: Frame) -> tuple[str, list[Shot]]:
        if self._capture_now.is_set():
            self._capture_now.clear()
            return "captureNow", [Shot(frame)]
        mode = self.wanted.gate.mode
        if mode == "every":
            return "every", [Shot(frame)]
        if mode == "sensor":
            return "sensor", self._of_sensor(frame)
        if self._learn_now.is_set():
            self._learn_now.clear()
            self._gate.learn()
        motion = self._gate.watch(frame.look)
        if self._rest.look(moving=motion.moving, now=time.monotonic()):
            self._reader.rest(self.wanted.rest.rate_hz if self._rest.resting else None)
            self._changed()
        shots = self._event.follow(frame, motion)
        self.tuner.note(frame.captured, motion.area, triggers=len(shots))
        return "motion", shots

    def _of_sensor(self, frame: Frame) -> list[Shot]:
        """The frames of the moments that the part sensor has told, as soon as one is there that is as late."""
        shots = []
        while self._moments and (frame.captured >= self._moments[0][0] or self._moments[0][0] > datetime.now(UTC)):
            moment, item = self._moments.popleft()
            near = self._ring.nearest(moment)
            if near is None or abs(frame.captured - moment) <= abs(near.captured - moment):
                near = frame
            shots.append(Shot(near if item is None else replace(near, item=item)))
        return shots

    def _send(self, reason: str, shots: list[Shot]) -> None:
        """Hand the pictures of one moment over, at most so many at once."""
        self.state.last_event = shots[-1].frame.captured
        share = MOST_TOGETHER if self.wanted.sent.together else 1
        for begin in range(0, len(shots), share):
            some = shots[begin : begin + share]
            limit = MESSAGE_BYTES if len(some) == 1 else int(_IN_BATCH * MESSAGE_BYTES / len(some))
            taken = [self._take(shot, reason, limit) for shot in some]
            taken[0] = replace(taken[0], before=self._before(some[0].frame))
            self.state.sent += len(taken)
            self._show(taken[0])
            self._shown = time.monotonic()
            self._deliver(taken)

    def _heartbeat(self, frame: Frame) -> None:
        self._shown = time.monotonic()
        taken = self._take(Shot(frame), HEARTBEAT, MESSAGE_BYTES)
        self._show(taken)
        if self.wanted.sent.heartbeat_samples:
            self._deliver([taken])

    def _before(self, frame: Frame) -> Sequence[Taken]:
        seconds = self.wanted.event.before_s
        if seconds <= 0 or self.wanted.gate.mode == "sensor":
            return ()
        earlier = self._ring.before(frame.captured, seconds)
        return tuple(self._take(Shot(each), "before", MESSAGE_BYTES) for each in earlier)

    def _keep(self, frame: Frame) -> None:
        if self.wanted.gate.mode == "sensor" or self.wanted.event.before_s > 0:
            self._ring.add(frame)

    def _take(self, shot: Shot, reason: str, limit: int) -> Taken:
        encoded, width, height = jpeg(shot, self.wanted.sent, limit=limit)
        area = 1.0 if reason == "every" else shot.thing.area if shot.thing else 0.0
        return Taken(self.name, encoded, width, height, shot.frame.captured, reason, area, shot.frame.item)
