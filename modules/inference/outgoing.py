"""What leaves the module besides alerts: scores, samples, and the records of people's verdicts."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from modules.common.edge import Edge
from modules.common.messages import MAX_PACKET, Message, OperatorVerdict, derived_id, json_message
from modules.common.snapshot import Snapshot
from modules.common.verbs import Evidence
from modules.inference import alerts
from modules.inference.card import Card
from modules.inference.drift.watching import Change, Watching
from modules.inference.engine import Answer
from modules.inference.kept import Kept
from modules.inference.labelled import Labelled
from modules.inference.sampling import Rates, Sampling, reason
from modules.inference.scores import Tally
from modules.inference.settings import InferenceSettings
from modules.inference.trials.trials import Compared
from modules.inference.verdict import Verdict, judge

log = logging.getLogger(__name__)

NAME: Final = "inference"

Drifted = tuple[Change | None, bool]  # what has begun or ended, and whether the input shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One judged picture or window, and what was said of it."""

    message: Message  # that it came in
    index: int  # among the windows of that message
    body: bytes
    time: datetime  # of its first sample
    verdict: Verdict
    answer: Answer
    card: Card
    alert: str | None = None  # id of the alert it led to


class Outgoing:
    """Counts, samples and keeps."""

    def __init__(self, edge: Edge[InferenceSettings], clock: Callable[[], float]) -> None:
        self._edge = edge
        self._clock = clock
        self._tallies: dict[tuple[str, str], tuple[Card, Tally]] = {}  # by model and source
        self._sampling = Sampling()
        self._drift = Snapshot(edge.state_dir / "drift")
        self.watching = Watching(orjson.loads(self._drift.load() or b"{}"))
        self._drift_kept = b""
        self.kept = Kept(edge.state_dir / "alerts")
        self.labelled = Labelled(edge.state_dir / "labelled")
        self._judged = edge.metrics.counter("millwatch_verdicts_total", "Verdicts", "model", "label")
        self._samples = edge.metrics.counter("millwatch_samples_total", "Inputs kept as samples", "reason")

    # Scores.

    def count(self, name: str, source: str, card: Card, verdict: Verdict, answer: Answer, took_s: float) -> Drifted:
        """Take a verdict of package `name` into the tallies and the watch for drift: what has changed by it."""
        tally = self._tallies.setdefault((card.id, source), (card, Tally()))[1]
        tally.add(verdict, answer.probabilities, took_s)
        tally.odd += bool(answer.odd)
        self._judged.labels(name, verdict.label).inc()
        score = judge(answer.probabilities, card).not_ok  # of this input alone, as the card's reference has it
        return self.watching.take(card, source, score, answer.looks, self._edge.settings.drift)

    def offer_scores(self, trials: Mapping[str, Mapping[str, object]]) -> None:
        """Send what was counted since the last time; `trials`: how a challenger stands, by its card's id."""
        tallies, self._tallies = self._tallies, {}
        for (model, source), (card, tally) in tallies.items():
            document = tally.document(model, card.labels)
            document["drift"] = self.watching.document(model, source)
            if model in trials:
                document["trial"] = trials[model]
            self._edge.offer(
                "scores",
                json_message(
                    document,
                    kind="score",
                    source=source,
                    seq=self._edge.next_seq(f"scores of {source}"),
                    time=datetime.now(UTC),
                    model=model,
                ),
            )

    def compared(self, what: Compared) -> None:
        """A challenger's answer beside the champion's: who has not spoken is counted here, who has elsewhere."""
        message = what.asked.message
        card, answer, verdict = what.challenger if what.spoke == "champion" else what.champion
        self.count(f"{card.name} (silent)", message.source, card, verdict, answer, what.took_s)
        if what.agrees:
            return
        settings = self._edge.settings
        rates = Rates(settings.samples_per_hour, settings.source_samples_per_hour, settings.random_share)
        if not self._sampling.allows(message.source, self._clock(), rates):
            return
        sample = self._disagreement(what)
        if sample.packet_size("samples") > MAX_PACKET:
            self._edge.reject("samples", "oversize")
            return
        self._edge.offer("samples", sample)
        self._samples.labels("disagreement").inc()

    # Samples.

    async def keep(self, subject: Subject, drifted: Drifted) -> None:
        """Offer an input as a sample where it is worth one and the rate allows it; keep it where it raised an alert.

        An alert of drift goes out before.
        """
        change, shows = drifted
        if change is not None:
            await self._tell_drift(subject, change)
        settings, source = self._edge.settings, subject.message.source
        rates = Rates(settings.samples_per_hour, settings.source_samples_per_hour, settings.random_share)
        why = reason(
            f"{subject.message.message_id}/{subject.index}",
            uncertain=subject.verdict.uncertain,
            odd=bool(subject.answer.odd),
            drifted=shows,
            random_share=rates.random_share,
        )
        goes = why is not None and self._sampling.allows(source, self._clock(), rates)
        if not goes and subject.alert is None:
            return
        sample = self._sample(subject, why or "verdict")
        if sample.packet_size("samples") > MAX_PACKET:
            self._edge.reject("samples", "oversize")
            return
        if goes:
            self._edge.offer("samples", sample)
            self._samples.labels(why).inc()
        if subject.alert is not None:
            await self._on_disk(subject.alert, sample, sent=goes)

    async def evidence(self, said: OperatorVerdict) -> Evidence | None:
        """What shows the alert that a person judged; sent now if it has not been."""
        sample, sent = await asyncio.to_thread(self.kept.find, said.alert)
        await self._label(said)
        if sample is None:
            return Evidence(NAME, _sample_id(said.alert)) if sent else None
        await self._edge.send("samples", sample)
        self._samples.labels("verdict").inc()
        await asyncio.to_thread(self.kept.sent, said.alert)
        return Evidence(sample.source, sample.message_id)

    async def _label(self, said: OperatorVerdict) -> None:
        """Keep what was judged, where it is wanted: to learn from."""
        try:
            held = await asyncio.to_thread(self.kept.held, said.alert)
            megabytes = self._edge.settings.labelled_mb
            await asyncio.to_thread(self.labelled.judge, said.alert, said.verdict, held, megabytes=megabytes)
        except OSError as error:  # the verdict itself goes up
            log.warning("what was judged of alert %s could not be kept: %s", said.alert, error)

    async def forget(self) -> int:
        """Delete what alerts were about, judged or not; how many. Raises OSError."""
        return await asyncio.to_thread(self.kept.forget) + await asyncio.to_thread(self.labelled.forget)

    async def bound(self) -> None:
        """Let go what was kept too long."""
        settings = self._edge.settings
        try:
            await asyncio.to_thread(self.labelled.bound, settings.labelled_mb)
            await asyncio.to_thread(self.kept.bound, settings.kept_mb, settings.kept_hours)
        except OSError as error:
            log.warning("what alerts were about could not be deleted: %s", error)

    def remember(self) -> None:
        """Keep what is known of drift over a restart. Blocks for a synced write where something is new."""
        if (known := orjson.dumps(self.watching.remembered())) != self._drift_kept:
            self._drift.save(known)
            self._drift_kept = known

    async def _tell_drift(self, subject: Subject, change: Change) -> None:
        source, card = subject.message.source, subject.card
        found = alerts.of_drift(card, source, change, subject.time)
        seq = self._edge.next_seq(source)
        parent = subject.message
        await self._edge.send(
            "alerts",
            found.message(parent, module=NAME, output="drift", index=subject.index, seq=seq, model=card.id),
        )
        self.remember()

    async def _on_disk(self, alert: str, sample: Message, *, sent: bool) -> None:
        settings = self._edge.settings
        hold = settings.labelled_mb > 0
        try:
            await asyncio.to_thread(
                self.kept.add,
                alert,
                sample,
                sent=sent,
                megabytes=settings.kept_mb,
                hours=settings.kept_hours,
                hold=hold,
            )
        except OSError as error:  # the alert itself has gone out
            log.warning("what alert %s was about could not be kept: %s", alert, error)

    def _sample(self, subject: Subject, why: str) -> Message:
        message, alert = subject.message, subject.alert
        facts = {
            **message.properties,
            "of": message.kind,
            "reason": why,
            "label": subject.verdict.label,
            "not_ok": f"{subject.verdict.not_ok:.4f}",
        }
        if message.kind == "waveform":
            facts["count"] = str(len(subject.body) // 4)
        if subject.answer.odd:
            facts["odd"] = "; ".join(subject.answer.odd)
        if alert is not None:
            facts["alert"] = alert
        return Message(
            body=subject.body,
            kind="sample",
            source=message.source,
            seq=self._edge.next_seq(f"samples of {message.source}"),
            time=subject.time,
            message_id=_sample_id(alert) if alert else derived_id(message.message_id, NAME, "samples", subject.index),
            content_type=message.content_type,
            model=subject.card.id,
            trace_id=message.trace_id or message.message_id,
            properties=facts,
        )

    def _disagreement(self, what: Compared) -> Message:
        """The input on which two models disagree, with what each says of it."""
        message, (champion, _, theirs), (challenger, _, ours) = what.asked.message, what.champion, what.challenger
        facts = {
            **message.properties,
            "of": message.kind,
            "reason": "disagreement",
            "label": theirs.label,
            "not_ok": f"{theirs.not_ok:.4f}",
            "challenger": challenger.id,
            "challenger_label": ours.label,
            "challenger_not_ok": f"{ours.not_ok:.4f}",
        }
        if message.kind == "waveform":
            facts["count"] = str(len(what.body) // 4)
        return Message(
            body=what.body,
            kind="sample",
            source=message.source,
            seq=self._edge.next_seq(f"samples of {message.source}"),
            time=message.time,
            message_id=derived_id(message.message_id, NAME, "disagreements", what.asked.index),
            content_type=message.content_type,
            model=champion.id,
            trace_id=message.trace_id or message.message_id,
            properties=facts,
        )


def _sample_id(alert: str) -> str:
    """The id of the sample that shows an alert: whoever has the alert can name it."""
    return derived_id(alert, NAME, "samples", 0)
