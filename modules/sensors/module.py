"""The sensors module on the edge: settings in, a watch per source, readings and waveforms out."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

import orjson

from modules.common.edge import Edge
from modules.common.messages import BadMessage, Message
from modules.common.methods import MethodError
from modules.common.settings import SettingsError
from modules.sensors.lists import load, unique
from modules.sensors.outgoing import batches, waveform
from modules.sensors.point import Point
from modules.sensors.settings import SensorsSettings
from modules.sensors.sources.base import SourceSettings
from modules.sensors.watch import Watch

log = logging.getLogger(__name__)

_ANSWER_S: Final = 10.0
_SHOWN: Final = 200
_DROPS_S: Final = 60.0  # so long what was dropped is worth a warning


class SensorsModule:
    """All sources of this module."""

    def __init__(self, edge: Edge[SensorsSettings]) -> None:
        self._edge = edge
        self._watches: dict[str, Watch] = {}
        self._refused: dict[str, str] = {}
        self._begun = False
        self._ready = asyncio.Event()
        self._dropped = edge.metrics.counter("millwatch_values_dropped_total", "Values never sent", "source", "reason")
        self._readings = edge.metrics.counter("millwatch_readings_total", "Readings taken in", "source")
        edge.on_settings(self.apply, from_start=True)
        edge.on_method("readNow", self._read_method)
        edge.on_input("commands", self._command)
        edge.view("sources", self._view)
        edge.health(self.facts)
        edge.background("batches", self._batches)
        edge.on_stop(self.stop)

    async def apply(self, settings: SensorsSettings) -> None:
        """Start what is new, stop what is gone, restart what changed; the rest goes on untouched.

        Raises SettingsError, and changes nothing, for a list of points that cannot be used. What the module starts with
        has nothing to fall back to: there the source is left out, and health says why.
        """
        changed = {name: each for name, each in settings.sources.items() if self._wanted(name) != each}
        watches, refused = dict[str, Watch](), dict[str, str]()
        for name, wanted in changed.items():
            try:
                watches[name] = self._make(name, wanted)
            except SettingsError as error:
                if self._begun:
                    raise
                log.error("source %s is left out: %s", name, error)  # noqa: TRY400 - the text says it all
                refused[name] = str(error)
        self._begun, self._refused = True, refused
        gone = [name for name in self._watches if name in changed or name not in settings.sources]
        await asyncio.gather(*(self._end(self._watches.pop(name)) for name in gone))
        for name, watch in watches.items():
            self._watches[name] = watch
            watch.start()
        self._edge.beat()

    async def stop(self) -> None:
        """Stop reading, and hand over what has been read."""
        await asyncio.gather(*(watch.stop() for watch in self._watches.values()))
        for watch in self._watches.values():
            self._flush(watch)

    def _wanted(self, name: str) -> SourceSettings | None:
        watch = self._watches.get(name)
        return None if watch is None else watch.wanted

    def _make(self, name: str, wanted: SourceSettings) -> Watch:
        points: tuple[Point, ...] = wanted.points
        try:
            if wanted.point_list is not None:
                points += load(self._edge.state_dir, wanted.point_list, wanted.point)
            unique(points)
            return Watch(name, wanted, points, ready=self._ready.set, changed=self._edge.beat, room=self._room)
        except ValueError as error:
            raise SettingsError(f"sources.{name}: {error}") from error

    def _room(self) -> bool:
        return self._edge.room("readings") and self._edge.room("waveform")

    async def _end(self, watch: Watch) -> None:
        await watch.stop()
        self._flush(watch)

    async def _batches(self) -> None:
        """Send what has come, some moments after the first of it came."""
        while True:
            await self._ready.wait()
            await asyncio.sleep(self._edge.settings.batch_s)
            self._ready.clear()
            for watch in self._watches.values():
                self._flush(watch)

    def _flush(self, watch: Watch) -> None:
        intake = watch.intake
        readings, blocks = intake.flush(time.monotonic())
        number, settings = self._edge.next_seq, self._edge.settings
        for message in batches(readings, f"{self._edge.module}/{watch.name}", number, settings.format):
            self._edge.offer("readings", message)
        for block in blocks:
            self._edge.offer("waveforms", waveform(block, number))
        if readings:
            self._readings.labels(watch.name).inc(len(readings))
        for reason, count in intake.drops():
            self._dropped.labels(watch.name, reason).inc(count)
        if intake.waiting:
            self._ready.set()

    # What can be asked.

    async def _read(self, name: object) -> dict[str, object]:
        """Have a source read now and give what it says. Raises LookupError, TimeoutError."""
        watch = self._watches.get(str(name))
        if watch is None:
            raise LookupError(f"no source {str(name)[:64]}; there are: {', '.join(self._watches)}")
        if not await watch.read_now(_ANSWER_S):
            raise TimeoutError(watch.state.why or f"no answer within {_ANSWER_S:g} s")
        return {"source": name, "readings": _newest(watch)}

    async def _read_method(self, payload: object) -> object:
        try:
            return await self._read(payload.get("source") if isinstance(payload, Mapping) else None)
        except LookupError as error:
            raise MethodError(404, str(error.args[0])) from error
        except TimeoutError as error:
            raise MethodError(504, str(error)) from error

    async def _command(self, message: Message) -> None:
        document = message.document()
        if document.get("verb") != "readNow":
            raise BadMessage("unknown_command", str(document.get("verb"))[:40])
        try:
            await self._read(document.get("source"))
        except LookupError as error:
            raise BadMessage("unknown_source", str(error.args[0])) from error
        except TimeoutError as error:
            raise BadMessage("no_answer", str(error)) from error

    def _view(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """All sources, or with `source` one and its newest readings."""
        name = query.get("source")
        if name is None:
            return "application/json", orjson.dumps({"sources": self._sources()})
        watch = self._watches[name]
        return "application/json", orjson.dumps({**watch.facts(), "newest": _newest(watch)})

    def facts(self) -> dict[str, object]:
        """What health tells: every source, and in one line what is wrong."""
        wrong = [f"{name}: {why}" for name, why in self._refused.items()]
        at = time.monotonic()
        for name, watch in self._watches.items():
            state, dropped_at = watch.state, watch.intake.dropped_at
            if state.phase in ("dead", "silent"):
                wrong.append(f"{name} is {state.phase}: {state.why}")
            elif state.troubles:
                wrong.append(f"{name}: {next(iter(state.troubles.values()))}")
            elif dropped_at is not None and at - dropped_at < _DROPS_S:
                reasons = ", ".join(f"{reason} {count}" for reason, count in watch.intake.dropped.most_common(3))
                wrong.append(f"{name}: values left out: {reasons}")
        watches = self._watches.values()
        lost = [watch for watch in watches if watch.state.phase in ("dead", "silent")]
        judged = "fail" if watches and len(lost) == len(watches) else "warn"
        trouble = {"state": judged, "text": "; ".join(wrong)[:500]} if wrong else {}
        return {**trouble, "sources": self._sources(), "readings": sum(watch.intake.readings for watch in watches)}

    def _sources(self) -> dict[str, object]:
        refused = {name: {"state": "refused", "why": why} for name, why in self._refused.items()}
        return refused | {name: watch.facts() for name, watch in self._watches.items()}


def _newest(watch: Watch) -> list[dict[str, object]]:
    last = watch.intake.last
    return [
        {"name": each.name, "value": each.value, "unit": each.unit, "time": round(each.time, 3)}
        for each in sorted(last.values(), key=lambda reading: reading.name)[:_SHOWN]
    ]
