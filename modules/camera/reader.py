"""The reading side of one camera: frames out of a source that dies and comes back.

Two threads for a live source: one drains it so that the driver never queues old frames, one uses the newest. A folder
or file is read by the using thread itself, which waits until each frame is used up: nothing is skipped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from modules.camera.frame import BadPicture, Frame
from modules.camera.newest import Newest
from modules.camera.privacy import private
from modules.camera.settings import Camera
from modules.camera.sources import Source, SourceError
from modules.common.backoff import backoff

log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.25
STEADY_S = 5.0  # a source that lived so long is tried again soon; one that dies at once, ever less often
BAD_WAIT_S = 0.02  # a source that gives nothing but rubbish at full speed shall not take a core
RATE_OVER = 30  # frames that the measured rate is taken over


@dataclass(slots=True)
class State:
    """What a person wants to know about one camera. Monotonic times unless they are datetimes."""

    phase: str = "opening"  # opening, ok, dead, finished
    error: str | None = None
    frames: int = 0
    sent: int = 0
    source_bytes: int = 0
    last_frame: float | None = None
    captured: datetime | None = None
    last_event: datetime | None = None
    outages: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    over_rate: int = 0
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=RATE_OVER))

    def fps(self, now: float) -> float:
        """Frames a second over the last ones; it falls when none come any more."""
        if len(self.arrivals) < 2:
            return 0.0
        first, last = self.arrivals[0], self.arrivals[-1]
        usual = (last - first) / (len(self.arrivals) - 1)
        overdue = max(0.0, now - last - 2 * usual)
        return (len(self.arrivals) - 1) / max(last - first + overdue, 1e-6)


class Reader:
    """Reads one camera until told to stop; ``use`` gets the frames, on a thread of the reader's own."""

    def __init__(self, name: str, wanted: Camera, use: Callable[[Frame], None]) -> None:
        self.name = name
        self.state = State()
        self._wanted = wanted
        self._use = use
        self._source: Source = wanted.source.source()
        self._slot: Newest[Frame] = Newest()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._least_s = 1 / wanted.most_hz
        self._due = 0.0

    def start(self) -> None:
        """Begin to read."""
        if self.live:
            self._thread("reads", self._drain)
            self._thread("looks", self._use_newest)
        else:
            self._thread("reads", lambda: self._reading(self._use))

    def _thread(self, does: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=f"camera {self.name} {does}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End the threads; one that hangs in a driver is left behind, it holds nothing that matters."""
        self._stop.set()
        self._source.rest(None)
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @property
    def live(self) -> bool:
        """True where frames come whether they are looked at or not (see `Source.live`)."""
        return self._source.live

    @property
    def skipped(self) -> int:
        """Frames of a live camera that nobody looked at because a newer one had come."""
        return self._slot.skipped + self.state.over_rate

    def rest(self, rate_hz: float | None) -> None:
        """Have the source give fewer frames, or all again with None."""
        self._source.rest(rate_hz)

    def reject(self, bad: BadPicture) -> None:
        """Count a picture that cannot be used; the first of each reason is logged, then every hundredth."""
        self.state.bad[bad.reason] += 1
        if self.state.bad[bad.reason] % 100 == 1:
            log.warning("camera %s: %s (%d so far): %s", self.name, bad.reason, self.state.bad[bad.reason], bad)

    def _drain(self) -> None:
        self._reading(self._put)
        self._slot.close()

    def _put(self, frame: Frame) -> None:
        now = time.monotonic()
        if now < self._due - self._least_s / 2:
            self.state.over_rate += 1
            return
        self._due = max(self._due, now - self._least_s) + self._least_s
        self._slot.put(frame)

    def _use_newest(self) -> None:
        while (frame := self._slot.take()) is not None:
            self._use(frame)

    def _reading(self, use: Callable[[Frame], None]) -> None:
        """Read until the end or until stopped; reopen what dies, waiting longer each time up to the set bound."""
        waits = self._waits()
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self._source.open()
                self._read_on(use)
            except SourceError as error:
                self._dead(str(error))
            except Exception as error:  # noqa: BLE001 - no camera is lost for good to what nobody thought of
                # Neither its text nor its trace: what failed may hold the camera's password.
                self._dead(f"{type(error).__name__} at {_where(error)}")
            finally:
                self._source.close()
            if self.state.phase == "finished":
                return
            if time.monotonic() - begun >= STEADY_S:
                waits = self._waits()
            self._stop.wait(next(waits))

    def _waits(self) -> Iterator[float]:
        return backoff(first=FIRST_WAIT_S, longest=self._wanted.retry_s)

    def _read_on(self, use: Callable[[Frame], None]) -> None:
        while not self._stop.is_set():
            try:
                frame = self._source.read()
            except BadPicture as bad:
                self.reject(bad)
                self._stop.wait(BAD_WAIT_S)
                continue
            if frame is None:
                self.state.phase = "finished"
                log.info("camera %s: the source has ended after %d frames", self.name, self.state.frames)
                return
            self._alive(frame)
            use(private(frame, self._wanted.private))

    def _alive(self, frame: Frame) -> None:
        state, now = self.state, time.monotonic()
        if state.phase == "dead":
            log.info("camera %s gives pictures again", self.name)
        state.phase, state.error = "ok", None
        state.frames += 1
        state.source_bytes += frame.source_bytes
        state.last_frame, state.captured = now, frame.captured
        state.arrivals.append(now)

    def _dead(self, error: str) -> None:
        if self.state.phase != "dead":
            self.state.outages += 1
            log.warning("camera %s: %s; tried again until it comes back", self.name, error)
        self.state.phase, self.state.error = "dead", error
        self.state.arrivals.clear()


def _where(error: BaseException) -> str:
    """File and line at which ``error`` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
