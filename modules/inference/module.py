"""The inference module on the edge: frames and waveforms in; alerts, scores and samples out."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from modules.common.edge import Edge
from modules.common.messages import BadMessage, Message, Waveform, derived_id, json_message, parse_time
from modules.common.snapshot import Snapshot
from modules.inference import alerts
from modules.inference.card import Card, WavePrepare
from modules.inference.decision import Condition, step
from modules.inference.engine import Engine
from modules.inference.errors import BadInputError, ChildGoneError, ModelError
from modules.inference.loading import SUSPECT, Loading
from modules.inference.packages import Entry, choose
from modules.inference.recent import Recent
from modules.inference.scores import Allowance, Tally
from modules.inference.settings import InferenceSettings
from modules.inference.verdict import Verdict, judge
from modules.inference.windows import Stretch, Window

log = logging.getLogger(__name__)

NAME: Final = "inference"
Items = Sequence[tuple[bytes, Mapping[str, float]]]


class InferenceModule:
    """All models of this module, and what is known of each source."""

    def __init__(
        self,
        edge: Edge[InferenceSettings],
        engine: Engine | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._edge = edge
        self._clock = clock
        self._engine = engine or Engine()
        self._loading = Loading(self._engine, edge.state_dir)
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._recent = Recent(edge.settings.verdicts_kept)
        self._conditions: dict[str, Condition] = {}
        self._stretches: dict[str, Stretch] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._allowances: dict[str, Allowance] = {}
        self._raised = Snapshot(edge.state_dir / "raised")
        self._restore()
        edge.on_settings(self.apply, from_start=True)
        edge.on_input("frames", self._frame)
        edge.on_input("waveforms", self._waveform)
        edge.view("verdicts", self._view_verdicts)
        edge.view("models", self._view_models)
        edge.health(self.facts)
        edge.background("scores", self._send_scores)
        edge.background("report", self._report)
        edge.on_stop(self._stop)
        self._judged = edge.metrics.counter("millwatch_verdicts_total", "Verdicts", "model", "label")
        self._restarts = edge.metrics.gauge("millwatch_model_restarts", "Restarts of the process that holds the models")
        self._restarts.set_function(lambda: float(self._engine.restarts))

    # Settings and models.

    async def apply(self, settings: InferenceSettings) -> None:
        """Load what is new or changed; messages that come meanwhile wait."""
        anew = self._engine.threads != settings.threads and bool(self._loading.entries)
        self._engine.threads, self._engine.memory_mb = settings.threads, settings.memory_mb
        self._engine.judge_s, self._engine.load_s = settings.judge_s, settings.load_s
        self._recent.resize(settings.verdicts_kept)
        self._ready.clear()
        try:
            await self._loading.apply(settings.packages, anew=anew)
        finally:
            self._ready.set()
        self._tell()

    # Inputs.

    async def _frame(self, message: Message) -> None:
        """One picture: a verdict, and an alert when it is not OK."""
        if message.kind != "frame":
            raise BadMessage("unknown_kind", message.kind)
        entry, _ = await self._choose("picture", message.source)
        if self._recent.seen(message.message_id):
            return
        begin = time.perf_counter()
        card, (probabilities,) = await self._ask(entry, [(message.body, {})])
        took = time.perf_counter() - begin
        verdict = judge(probabilities, card)
        captured = _captured(message)
        item = message.properties.get("item")
        if not verdict.ok:
            alert = alerts.of_picture(card, message.source, item, verdict, captured)
            seq = self._edge.next_seq(message.source)
            await self._edge.send(
                "alerts", alert.message(message, module=NAME, output="alerts", index=0, seq=seq, model=card.id)
            )
        self._recent.mark(message.message_id)
        self._recent.add(message.source, item, card.id, verdict, captured)
        self._count(entry, message.source, verdict, probabilities, took)
        if verdict.uncertain:
            self._keep(entry, message, message.body, verdict, 0)

    async def _waveform(self, message: Message) -> None:
        """One block: the windows it completes are judged together; alerts when the source's condition changes."""
        block = Waveform.of(message)
        entry, card = await self._choose("waveform", block.source)
        how = card.prepare
        assert isinstance(how, WavePrepare)
        stretch, windows = self._stretches.get(block.source, Stretch()).take(block, how.seconds, how.hop)
        if windows:
            begin = time.perf_counter()
            items = [(window.samples, _facts(window)) for window in windows]
            card, answers = await self._ask(entry, items)
            took = (time.perf_counter() - begin) / len(windows)
            await self._conclude(message, entry, card, list(zip(windows, answers, strict=True)), took)
        self._stretches[block.source] = stretch

    async def _conclude(
        self, message: Message, entry: Entry, card: Card, judged: list[tuple[Window, list[float]]], took: float
    ) -> None:
        """Send what the windows of one message change, then remember it: an attempt that fails changes nothing."""
        condition = before = self._conditions.get(message.source, Condition())
        verdicts: list[Verdict] = []
        for index, (window, probabilities) in enumerate(judged):
            result = step(condition, probabilities, card)
            verdicts.append(result.verdict)
            if result.change is not None:
                alert = alerts.of_source(card, message.source, result, condition.raised, window.sampled)
                seq = self._edge.next_seq(message.source)
                await self._edge.send(
                    "alerts", alert.message(message, module=NAME, output="alerts", index=index, seq=seq, model=card.id)
                )
            condition = result.condition
        self._conditions[message.source] = condition
        if condition.raised != before.raised:
            await asyncio.to_thread(self._raised.save, self._raised_now())
        for index, ((window, probabilities), verdict) in enumerate(zip(judged, verdicts, strict=True)):
            self._recent.add(message.source, message.properties.get("item"), card.id, verdict, window.sampled)
            self._count(entry, message.source, verdict, probabilities, took)
            if verdict.uncertain:
                self._keep(entry, message, window.samples, verdict, index)

    async def _choose(self, task: str, source: str) -> tuple[Entry, Card]:
        await self._ready.wait()
        entry = choose(self._loading.entries, task, source)
        if entry is None or entry.card is None:
            raise BadMessage("no_model", f"{source}: no package for this {task} is loaded")
        if not entry.usable:
            raise BadMessage("model_failed", f"{entry.name}: {entry.error}")
        return entry, entry.card

    async def _ask(self, entry: Entry, items: Items) -> tuple[Card, list[list[float]]]:
        """Ask the model, again in a new process when the first was lost, then the last good one.

        What it said, and the card of the model that said it. Raises BadMessage.
        """
        for _ in range(SUSPECT + 1):
            try:
                answer = await self._engine.judge(entry.name, items)
            except BadInputError as error:
                raise BadMessage(error.reason, str(error)) from error
            except ChildGoneError as error:
                await self._loading.crashed(entry, error)
                self._tell()
                if not entry.usable:
                    break
            except ModelError as error:
                raise BadMessage("model_failed", str(error)) from error
            else:
                entry.crashes = 0
                assert entry.card is not None
                return entry.card, answer
        raise BadMessage("model_failed", f"{entry.name} did not answer")

    # What goes out besides alerts.

    def _count(self, entry: Entry, source: str, verdict: Verdict, probabilities: list[float], took: float) -> None:
        self._tallies.setdefault((entry.name, source), Tally()).add(verdict, probabilities, took)
        self._judged.labels(entry.name, verdict.label).inc()

    def _keep(self, entry: Entry, message: Message, body: bytes, verdict: Verdict, index: int) -> None:
        """Offer an uncertain input as a sample, as often as is allowed."""
        allowance = self._allowances.setdefault(entry.name, Allowance())
        if not allowance.take(self._clock(), self._edge.settings.samples_per_hour):
            return
        facts = {**message.properties, "of": message.kind, "label": verdict.label, "not_ok": f"{verdict.not_ok:.4f}"}
        if message.kind == "waveform":
            facts["count"] = str(len(body) // 4)
        self._edge.offer(
            "samples",
            Message(
                body=body,
                kind="sample",
                source=message.source,
                seq=self._edge.next_seq(f"samples of {message.source}"),
                time=message.time,
                message_id=derived_id(message.message_id, NAME, "samples", index),
                content_type=message.content_type,
                model=entry.card.id if entry.card else None,
                trace_id=message.trace_id or message.message_id,
                properties=facts,
            ),
        )

    async def _send_scores(self) -> None:
        while True:
            await asyncio.sleep(self._edge.settings.score_s)
            self.offer_scores()

    def offer_scores(self) -> None:
        """Send what was counted since the last time."""
        tallies, self._tallies = self._tallies, {}
        for (name, source), tally in tallies.items():
            entry = self._loading.entries.get(name)
            if entry is None or entry.card is None:
                continue
            self._edge.offer(
                "scores",
                json_message(
                    tally.document(entry.card.id, entry.card.labels),
                    kind="score",
                    source=source,
                    seq=self._edge.next_seq(f"scores of {source}"),
                    time=datetime.now(UTC),
                    model=entry.card.id,
                ),
            )

    # What can be seen.

    def _tell(self) -> None:
        self._changed.set()
        self._edge.beat()

    async def _report(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._edge.report({"models": {name: _short(entry) for name, entry in self._loading.entries.items()}})

    def facts(self) -> dict[str, object]:
        """What health tells about the models."""
        entries = self._loading.entries
        failed = [f"{name}: {entry.error}" for name, entry in entries.items() if not entry.usable]
        instead = [f"{name} runs the last good one" for name, entry in entries.items() if "instead_of" in entry.loaded]
        facts: dict[str, object] = {
            "models": {name: _short(entry) for name, entry in entries.items()},
            "model_restarts": self._engine.restarts,
            "conditions": {source: each.raised for source, each in self._conditions.items() if each.raised},
        }
        if failed or instead:
            facts.update(state="warn", text="; ".join(failed + instead)[:500])
        return facts

    def _view_verdicts(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        return "application/json", orjson.dumps({"verdicts": self._recent.select(query)})

    def _view_models(self, _query: Mapping[str, str]) -> tuple[str, bytes]:
        documents = {
            name: {**entry.summary(), "card": entry.card.model_dump(mode="json") if entry.card else None}
            for name, entry in self._loading.entries.items()
        }
        return "application/json", orjson.dumps({"models": documents, "restarts": self._engine.restarts})

    # Start and stop.

    def _restore(self) -> None:
        """Conditions that stood raised when the module ended still stand: they are not raised a second time."""
        found: dict[str, str] = orjson.loads(self._raised.load() or b"{}")
        self._conditions = {source: Condition(raised=label) for source, label in found.items()}

    def _raised_now(self) -> bytes:
        return orjson.dumps({source: each.raised for source, each in self._conditions.items() if each.raised})

    async def _stop(self) -> None:
        self.offer_scores()
        await self._engine.close()


def _facts(window: Window) -> dict[str, float]:
    facts = {"rate": window.rate_hz}
    if window.rpm is not None:
        facts["rpm"] = window.rpm
    return facts


def _captured(message: Message) -> datetime:
    """When the picture was taken: the camera says, else the message's own time."""
    try:
        return parse_time(message.properties["captured"])
    except KeyError:
        return message.time
    except ValueError as error:
        raise BadMessage("wrong_shape", f"captured: {error}") from error


def _short(entry: Entry) -> dict[str, object]:
    """A line for reported properties, where a twin holds 32 KB in all."""
    summary = entry.summary()
    names = ("state", "version", "precision", "error", "instead_of", "because")
    return {key: summary.get(key) for key in names if summary.get(key) is not None}
