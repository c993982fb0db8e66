"""Waveforms in: windows cut from them, one condition per source, and an alert when it changes."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

import orjson

from modules.common.edge import Edge
from modules.common.messages import BadMessage, Message, Waveform
from modules.common.snapshot import Snapshot
from modules.inference import alerts
from modules.inference.card import WavePrepare
from modules.inference.decision import Condition, step
from modules.inference.judging import Judging
from modules.inference.outgoing import NAME, Outgoing, Subject
from modules.inference.packages import Entry
from modules.inference.parts import Parts
from modules.inference.recent import Recent
from modules.inference.settings import InferenceSettings
from modules.inference.shown import Last, Shown
from modules.inference.trials.trials import Asked, Said
from modules.inference.windows import BYTES, Stretch, Window


@dataclass(frozen=True, slots=True)
class _Cut:
    """One block, the windows that it completes, and what is left for the next."""

    part: Message
    entry: Entry
    windows: list[Window]
    stretch: Stretch


class Waves:
    """The input `waveforms`: a block, or a batch of several; all windows for one model are judged in one run."""

    def __init__(
        self, edge: Edge[InferenceSettings], judging: Judging, outgoing: Outgoing, recent: Recent, shown: Shown
    ) -> None:
        self._edge, self._judging, self._outgoing = edge, judging, outgoing
        self._recent, self._shown = recent, shown
        self._parts = Parts(edge, "waveforms", "waveform")
        self._stretches: dict[str, Stretch] = {}
        self._raised = Snapshot(edge.state_dir / "raised")
        # Conditions that stood raised when the module ended still stand: they are not raised a second time.
        found: dict[str, str] = orjson.loads(self._raised.load() or b"{}")
        self._conditions = {source: Condition(raised=label) for source, label in found.items()}

    @property
    def raised(self) -> dict[str, str]:
        """The label that each source stands raised with."""
        return {source: each.raised for source, each in self._conditions.items() if each.raised}

    async def handle(self, message: Message) -> None:
        """Judge the windows that are full now. Raises BadMessage for a lone bad block."""
        said: dict[str, list[Said]] = {}
        took = 0.0
        async with self._judging.steady():
            cuts = self._cut(message)
            groups: dict[str, list[_Cut]] = {}
            for cut in cuts:
                groups.setdefault(cut.entry.name, []).append(cut)
            for group in groups.values():
                items = [(window.samples, _facts(window)) for cut in group for window in cut.windows]
                begin = time.perf_counter()
                asked = [Asked(cut.part, index) for cut in group for index in range(len(cut.windows))]
                answers = iter(await self._judging.ask(group[0].entry, items, asked) if items else [])
                took = (time.perf_counter() - begin) / max(1, len(items))
                for cut in group:
                    said[cut.part.message_id] = [next(answers) for _ in cut.windows]
        for cut in cuts:
            errors = await self._conclude(cut, said[cut.part.message_id], took)
            self._stretches[cut.part.source] = cut.stretch
            for error in errors[:1]:
                self._parts.refuse(message, cut.part, error)

    def _cut(self, message: Message) -> list[_Cut]:
        """The blocks of a message in their order; nothing is remembered yet: an attempt that fails changes nothing."""
        stretches: dict[str, Stretch] = {}
        cuts: dict[str, _Cut] = {}
        for part in self._parts.of(message):
            try:
                block = Waveform.of(part)
                entry, card = self._judging.choose("waveform", block.source)
            except BadMessage as error:
                self._parts.refuse(message, part, error)
                continue
            how = card.prepare
            assert isinstance(how, WavePrepare)
            known = stretches.get(block.source) or self._stretches.get(block.source, Stretch())
            stretch, windows = known.take(block, how.seconds, how.hop)
            stretches[block.source] = stretch
            cuts.setdefault(part.message_id, _Cut(part, entry, windows, stretch))
        return list(cuts.values())

    async def _conclude(self, cut: _Cut, said: list[Said], took: float) -> list[BadMessage]:
        """Send what the windows of one block change, then remember it; what could not be judged."""
        source, part = cut.part.source, cut.part
        condition = before = self._conditions.get(source, Condition())
        errors: list[BadMessage] = []
        judged: list[tuple[Window, Subject]] = []
        for index, (window, each) in enumerate(zip(cut.windows, said, strict=True)):
            if isinstance(each, BadMessage):
                errors.append(each)
                continue
            card, answer = each
            result = step(condition, answer.probabilities, card)
            alert = None
            if result.change is not None:
                found = alerts.of_source(card, source, result, condition.raised, window.sampled)
                seq = self._edge.next_seq(source)
                sent = found.message(part, module=NAME, output="alerts", index=index, seq=seq, model=card.id)
                await self._edge.send("alerts", sent)
                alert = sent.message_id
            condition = result.condition
            begin = window.sampled - timedelta(seconds=(len(window.samples) // BYTES - 1) / window.rate_hz)
            subject = Subject(
                message=part,
                index=index,
                body=window.samples,
                time=begin,
                verdict=result.verdict,
                answer=answer,
                card=card,
                alert=alert,
            )
            judged.append((window, subject))
        self._conditions[source] = condition
        if condition.raised != before.raised:
            await asyncio.to_thread(self._raised.save, orjson.dumps(self.raised))
        for window, subject in judged:
            item = part.properties.get("item")
            document = self._recent.add(
                source, item, subject.card.id, subject.verdict, window.sampled, odd=subject.answer.odd
            )
            self._shown.note(source, Last({**document, "alert": subject.alert}, cut.entry.name))
            drifted = self._outgoing.count(cut.entry.name, source, subject.card, subject.verdict, subject.answer, took)
            await self._outgoing.keep(subject, drifted)
        return errors


def _facts(window: Window) -> dict[str, float]:
    facts = {"rate": window.rate_hz}
    if window.rpm is not None:
        facts["rpm"] = window.rpm
    return facts
