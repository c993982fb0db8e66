"""The vibration module on the edge: readings and waveforms in; alerts, windows, waveforms and samples out."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from modules.common.edge import Edge
from modules.common.messages import PACKED, BadMessage, Message, ReadingBatch, Waveform, packed, senml
from modules.common.methods import MethodError
from modules.common.snapshot import Snapshot
from modules.common.verbs import VERDICT, Verdicts
from modules.vibration.answers import Answers
from modules.vibration.lists import Lists
from modules.vibration.outgoing import MODULE, Answer, Outgoing
from modules.vibration.reporting import Anomalies, OnChange, sampled
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.window import WindowBatch
from modules.vibration.settings import VibrationSettings
from modules.vibration.sources import Sources
from modules.vibration.state import State
from modules.vibration.storm import Storms
from modules.vibration.timekeeping import synced
from modules.vibration.traffic import Traffic
from modules.vibration.views import Views
from modules.vibration.waveform.blocks import Block
from modules.vibration.waveform.core import BadBlockError, WaveformCore

log = logging.getLogger(__name__)

_TICK = 1.0
_SILENT = 5.0  # seconds without a block after which a waveform sensor's windows are summed up


class VibrationModule:
    """Wires the two cores to edgeHub. Everything runs in the event loop; only snapshots are written in a thread."""

    def __init__(self, edge: Edge[VibrationSettings], *, clock: Callable[[], float] = time.time) -> None:
        self._edge = edge
        self._clock = clock
        reporting = edge.settings.reporting
        self._on_change = OnChange(reporting.every, reporting.change)
        self._anomalies = Anomalies()
        self._sources = Sources()
        self._storms = Storms()
        self._began = clock()
        self._traffic = Traffic(edge.metrics)
        self._readings = Answers(self._send)
        self._waveforms = Answers(self._send)
        self._snapshot = Snapshot(edge.state_dir / "vibration.snapshot")
        self._changed = False
        self._lists = Lists(edge.state_dir, edge.settings.sensor_list)
        self._make_cores()
        self._restore()
        views = Views(self._scalar, self._waveform)
        edge.on_input("readings", self._on_readings)
        edge.on_input("waveforms", self._on_waveform)
        edge.on_input("commands", self._on_command)
        edge.on_method("relearn", self._relearn_method)
        self._verdicts = Verdicts(edge, MODULE)
        edge.on_method(VERDICT, self._verdicts.method)
        edge.on_settings(self._apply)
        edge.on_stop(self._stop)
        edge.background("ticks", self._ticks)
        edge.background("snapshots", self._snapshots)
        edge.background("lists", lambda: self._lists.report(edge.report))
        edge.view("sensors", views.sensors)
        edge.view("sensor", views.sensor)
        edge.view("spectrum", views.spectrum)
        edge.health(self._facts)

    def _make_cores(self) -> None:
        settings = self._edge.settings
        self._scalar = ScalarCore(
            settings.rules,
            settings.statistics,
            settings.aggregation,
            settings.limits,
            machines=settings.machines,
            listed=self._lists.rules,
        )
        self._waveform = WaveformCore(
            settings.waveform_rules,
            settings.cutting,
            every=settings.reporting.waveforms,
            least=settings.reporting.every,
            share=settings.reporting.sample_share,
        )

    async def _on_readings(self, message: Message) -> None:
        await self._readings.answer(message, self._judge_readings)

    async def _on_waveform(self, message: Message) -> None:
        await self._waveforms.answer(message, self._judge_waveform)

    def _judge_readings(self, message: Message) -> Sequence[Outgoing]:
        if message.kind != "readings":
            raise BadMessage("unknown_kind", message.kind)
        now = self._clock()
        batch = _unpacked(message, now)
        self._came(message)
        outcome = self._scalar.handle(
            batch.names,
            batch.values,
            batch.times,
            batch.units,
            seq=message.seq,
            lost=self._sources.lost_before(message.source, message.seq),
            now=now,
        )
        for reason, count in (*batch.rejected.items(), *outcome.rejected.items()):
            self._edge.reject("readings", reason, count)
        answer = self._answer(message, now)
        for finding in self._storms.pass_on(outcome.findings, now):
            answer.alert(finding)
        self._count(outcome)
        for windows in outcome.windows:
            self._report(answer, windows)
        if self._anomalies.due(now, self._edge.settings.reporting.anomalies):
            answer.anomalies(self._anomalies, now, self._scalar)
        return answer.messages

    def _judge_waveform(self, message: Message) -> Sequence[Outgoing]:
        wave = Waveform.of(message)
        now = self._clock()
        block = Block(
            samples=np.frombuffer(wave.samples, dtype="<f4"),
            rate_hz=wave.rate_hz,
            time=wave.time.timestamp(),
            seq=wave.seq,
            rpm=wave.rpm,
        )
        try:
            outcome = self._waveform.handle(wave.source, block, wave.unit, now=now)
        except BadBlockError as error:
            raise BadMessage(error.reason, wave.source) from error
        self._came(message)
        self._traffic.finished("waveforms", outcome.windows)
        answer = self._answer(message, now)
        for finding in outcome.findings:
            answer.alert(finding)
        for cut in outcome.cuts:
            answer.waveform(cut)
        answer.summaries(outcome.summaries)
        for cut in outcome.samples:
            answer.raw_waveform(cut)
        return answer.messages

    def _count(self, outcome: Outcome) -> None:
        flags = sum(each.sensor.size for each in outcome.flags)
        self._traffic.judged(readings=outcome.accepted, flags=flags, restamped=outcome.restamped)
        self._anomalies.readings += outcome.accepted
        for each in outcome.flags:
            self._anomalies.add(each)

    def _report(self, answer: Answer, windows: WindowBatch) -> None:
        self._traffic.finished("readings", len(windows))
        answer.windows(self._on_change.choose(windows), self._scalar)
        answer.raw_readings(sampled(windows, self._edge.settings.reporting.sample_share), self._scalar)

    def _answer(self, parent: Message | None, now: float) -> Answer:
        return Answer(parent, self._edge.next_seq, datetime.fromtimestamp(now, UTC))

    def _came(self, message: Message) -> None:
        self._traffic.came(message)
        self._changed = True

    async def _send(self, output: str, message: Message) -> None:
        await self._edge.send(output, message)
        self._traffic.goes(output, message)

    async def _ticks(self) -> None:
        """Tick once a second."""
        while True:
            await asyncio.sleep(_TICK)
            self.tick()

    def tick(self) -> None:
        """End what silent sensors left open."""
        now = self._clock()
        answer = self._answer(None, now)
        outcome = self._scalar.tick(now, self._began)
        for finding in self._storms.pass_on(outcome.findings, now):
            answer.alert(finding)
        for windows in outcome.windows:
            self._report(answer, windows)
        answer.summaries(self._waveform.tick(now, _SILENT))
        for output, message in answer.messages:
            self._edge.offer(output, message)
            self._traffic.goes(output, message)

    async def _snapshots(self) -> None:
        """Every few seconds, while something comes in: put the state on disk."""
        while True:
            await asyncio.sleep(self._edge.settings.snapshot_every)
            async with self._readings.whole, self._waveforms.whole:
                state = self._state() if self._changed else None
                self._changed = False
            if state is not None:
                await self._save(state)

    def _state(self) -> State:
        names, units = self._scalar.sensors.saved()
        return State(
            names=names,
            units=units,
            columns=self._scalar.saved(),
            sources=self._sources.saved(),
            handled=[*self._readings.handled, *self._waveforms.handled],
            waveforms=self._waveform.saved(),
            storms=self._storms.saved(),
        )

    async def _save(self, state: State) -> None:
        try:
            await asyncio.to_thread(lambda: self._snapshot.save(state.encode()))
        except OSError as error:  # a full disk must not stop the watch; the next snapshot may fit again
            log.warning("the state could not be saved, a restart would cost what was learned since: %s", error)

    async def _stop(self) -> None:
        if self._readings.busy or self._waveforms.busy:
            # A message was judged but not all it led to was sent. It comes again; judged from the state of the last
            # snapshot, it leads to the same once more.
            log.info("stopped in the middle of a message; the last snapshot stays")
            return
        await self._save(self._state())

    def _restore(self) -> None:
        body = self._snapshot.load()
        if body is None:
            return
        try:
            state = State.decode(body)
            self._scalar.restore(state.names, state.units, state.columns)
            self._waveform.restore(state.waveforms)
        except ValueError as error:
            log.error("%s cannot be used, everything is learned anew: %s", self._snapshot.path, error)  # noqa: TRY400 - the text says it all
            self._make_cores()
            return
        self._sources.restore(state.sources)
        self._storms.restore(state.storms)
        self._readings.remember(state.handled)
        self._waveforms.remember(state.handled)
        log.info("goes on with what was learned of %d sensors", len(self._scalar.sensors))

    def _apply(self, settings: VibrationSettings) -> None:
        """Take new settings; raises SettingsError, and takes nothing, when the list they name cannot be used."""
        reporting = settings.reporting
        self._lists.take(settings.sensor_list)
        self._scalar.configure(
            settings.rules,
            settings.statistics,
            settings.aggregation,
            settings.limits,
            machines=settings.machines,
            listed=self._lists.rules,
        )
        self._waveform.configure(
            settings.waveform_rules,
            settings.cutting,
            every=reporting.waveforms,
            least=reporting.every,
            share=reporting.sample_share,
        )
        self._on_change.configure(reporting.every, reporting.change)

    async def _on_command(self, message: Message) -> None:
        if await self._verdicts.command(message):
            return
        document = message.document()
        if document.get("verb") != "relearn":
            raise BadMessage("unknown_command", str(document.get("verb"))[:40])
        try:
            self._relearn(document.get("sensor"))
        except LookupError as error:
            raise BadMessage("unknown_sensor", str(error)[:80]) from error

    async def _relearn_method(self, payload: object) -> object:
        try:
            return {"relearning": self._relearn(payload.get("sensor") if isinstance(payload, dict) else None)}
        except LookupError as error:
            raise MethodError(404, f"no sensor {error}") from error

    def _relearn(self, name: object) -> str:
        """Forget what is normal for a sensor: after a repair its old normal is no longer right."""
        row = self._scalar.sensors.row(str(name))
        if row is None:
            raise LookupError(str(name))
        self._scalar.relearn(row)
        return str(name)

    def _facts(self) -> dict[str, object]:
        levels = self._scalar.levels.level[: len(self._scalar.sensors)]
        unbelieved = int(np.count_nonzero(self._scalar.clock.doubted))
        trouble: dict[str, object] = {}
        if "error" in self._lists.told:
            trouble = {"state": "warn", "text": f"list of sensors: {self._lists.told['error']}"}
        elif unbelieved:
            trouble = {"state": "warn", "text": f"sensors with a wrong clock: {unbelieved}"}
        return {
            **trouble,
            "clock": "synced" if synced() else "unsynced",
            "sensor_clocks_wrong": unbelieved,
            "sensor_list": self._lists.told or None,
            "sensors": len(self._scalar.sensors),
            "waveform_sensors": len(self._waveform),
            "open_summaries": self._waveform.open,
            "warning": int(np.count_nonzero(levels == 1)),
            "critical": int(np.count_nonzero(levels == 2)),
            "messages_lost": self._sources.lost,
            "repeats": self._readings.repeats + self._waveforms.repeats,
            **self._traffic.facts(),
        }


def _unpacked(message: Message, now: float) -> ReadingBatch:
    """The readings in a message, SenML unless its content type says that they are packed. Raises BadMessage."""
    if message.content_type == PACKED:
        return packed.decode(message.body)
    return senml.decode(message.body, now=now)
