"""One source at work: run, come back when it dies, and always say how it stands."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from modules.common.backoff import backoff
from modules.common.field.reach import FieldError
from modules.common.logs import Limited
from modules.common.messages import Reading, rfc3339
from modules.common.tasks import end
from modules.sensors.intake import Intake
from modules.sensors.point import Point
from modules.sensors.sources.base import Source, SourceSettings

log = logging.getLogger(__name__)

Phase = Literal["opening", "ok", "silent", "dead"]

_FIRST_WAIT: Final = 0.25
_STOP_S: Final = 2.0
_TEXT: Final = 300
_MOST_TROUBLES: Final = 50


@dataclass(slots=True)
class State:
    """How a source stands: since when (Unix seconds) and why."""

    phase: Phase = "opening"
    since: float = field(default_factory=time.time)
    why: str = ""
    outages: int = 0
    troubles: dict[str, str] = field(default_factory=dict)
    """What is wrong with parts of it."""


class Watch:
    """Runs one source until stopped. `ready` is called when something has come, `changed` when the state has.

    `room` tells whether what comes can wait for edgeHub.
    """

    def __init__(
        self,
        name: str,
        wanted: SourceSettings,
        points: tuple[Point, ...],
        *,
        ready: Callable[[], None],
        changed: Callable[[], None],
        room: Callable[[], bool],
    ) -> None:
        self.name: Final = name
        self.wanted: Final = wanted
        self.points: Final = points
        self.intake: Final = Intake(wanted.interval_s)
        self.state = State()
        self._source: Source = wanted.make(points)
        self._ready, self._changed = ready, changed
        self.room: Final = room
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()
        self._alive = asyncio.Event()
        self._heard: float | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._limited = Limited(log)

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._stay(), name=f"source {self.name}")]
        if self.wanted.silence_s:
            self._tasks.append(asyncio.create_task(self._listen(), name=f"silence of {self.name}"))

    async def stop(self) -> None:
        """End; what has come and was not sent stays to be flushed."""
        await end(self._tasks, _STOP_S)

    async def read_now(self, within: float) -> bool:
        """Have everything read now; False where nothing answered `within` seconds. True for what cannot be asked."""
        if not self.wanted.answers:
            return True
        self._answered.clear()
        self._asked.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._answered.wait()
                return True
        self._asked.clear()
        return False

    # What the source calls: sources.base.Feed.

    def connected(self) -> None:
        """The source is there."""
        if self.state.phase in ("opening", "dead"):
            if self.state.phase == "dead":
                log.info("source %s is back after %.1f s", self.name, time.time() - self.state.since)
            self._set("ok")
        self._alive.set()

    def take(self, point: Point, raw: object, time: float | None = None) -> None:
        """Take a raw value."""
        now, at = _clocks()
        own = time if self.wanted.timestamps == "source" else None
        self._took(self.intake.take(point, raw, now=now, at=at, time=own), at)

    def reading(self, reading: Reading) -> None:
        """Take a reading in SenML."""
        now, at = _clocks()
        if self.wanted.timestamps == "arrival":
            reading = Reading(reading.name, reading.value, now, reading.unit)
        self._took(self.intake.take_reading(reading, now=now, at=at), at)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count what could not be used."""
        if not count:
            return
        self.intake.refuse(reason, at=time.monotonic(), count=count)
        self._ready()
        self._limited.warning(reason, "source %s: left out: %s", self.name, reason)

    def trouble(self, key: str, text: str | None) -> None:
        """Note what is wrong with a part of the source, or that it no longer is."""
        troubles = self.state.troubles
        if text is None:
            if troubles.pop(key, None) is not None:
                log.info("source %s: %s is well again", self.name, key)
                self._changed()
        elif key not in troubles and len(troubles) < _MOST_TROUBLES:
            troubles[key] = text[:_TEXT]
            log.warning("source %s: %s", self.name, text)
            self._changed()

    async def asked(self, within: float) -> bool:
        """Wait; True as soon as somebody wants everything read now."""
        if within <= 0:
            await asyncio.sleep(0)  # a source that is always late must not keep everybody else from running
            return self._take_question()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._asked.wait()
        return self._take_question()

    def answered(self) -> None:
        """What was wanted has been read."""
        self._answered.set()

    # What is told.

    def facts(self) -> dict[str, object]:
        """For health: how it stands, and what it has given."""
        state, intake = self.state, self.intake
        return {
            "type": self.wanted.type,
            "state": state.phase,
            "since": rfc3339(datetime.fromtimestamp(state.since, UTC)),
            "why": state.why,
            "troubles": list(state.troubles.values()),
            "points": len(self.points),
            "readings": intake.readings,
            "waveforms": intake.blocks,
            "dropped": dict(intake.dropped),
            "outages": state.outages,
            "age_s": None if self._heard is None else round(time.monotonic() - self._heard, 1),
        }

    # Inside.

    async def _stay(self) -> None:
        """Run the source, and again when it dies, waiting longer each time that nothing came before it did."""
        waits = backoff(first=_FIRST_WAIT, longest=self.wanted.retry_s)
        while True:
            heard = self._heard
            try:
                await self._source.run(self)
                self._died("it ended")
            except FieldError as error:
                self._died(str(error))
            except Exception as error:  # a library may raise anything: it costs this source, and no other
                if self.state.phase != "dead":
                    log.exception("source %s", self.name)
                self._died(f"{type(error).__name__}: {error}")
            if heard != self._heard:
                waits = backoff(first=_FIRST_WAIT, longest=self.wanted.retry_s)
            await asyncio.sleep(next(waits))

    def _died(self, why: str) -> None:
        if self.state.phase != "dead":
            self.state.outages += 1
            log.warning("source %s is dead: %s; tried on until it is back", self.name, why)
            self.state.troubles.clear()
            self._set("dead", why)
        else:
            self.state.why = why[:_TEXT]
        self._alive.clear()

    async def _listen(self) -> None:
        """Say when nothing usable has come for too long."""
        while True:
            await self._alive.wait()
            begun = time.monotonic()
            await asyncio.sleep(self.wanted.silence_s)
            last = max(self._heard or 0.0, begun)
            while self._alive.is_set() and (left := last + self.wanted.silence_s - time.monotonic()) > 0:
                await asyncio.sleep(left)
                last = max(self._heard or 0.0, begun)
            if self._alive.is_set() and self.state.phase == "ok":
                log.warning("source %s: nothing usable for %g s", self.name, self.wanted.silence_s)
                self._set("silent", f"nothing usable for {self.wanted.silence_s:g} s")
                self._alive.clear()

    def _took(self, used: bool, at: float) -> None:  # noqa: FBT001 - what Intake said
        self._ready()
        if not used:
            return
        self._heard = at
        if self.state.phase == "silent":
            log.info("source %s is heard again", self.name)
            self._set("ok")
        self._alive.set()

    def _set(self, phase: Phase, why: str = "") -> None:
        self.state.phase, self.state.why, self.state.since = phase, why[:_TEXT], time.time()
        self._changed()

    def _take_question(self) -> bool:
        asked = self._asked.is_set()
        self._asked.clear()
        return asked


def _clocks() -> tuple[float, float]:
    return time.time(), time.monotonic()
