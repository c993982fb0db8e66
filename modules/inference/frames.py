"""Pictures in: a verdict on each, and an alert for each that is not OK."""

import time
from datetime import datetime

from modules.common.edge import Edge
from modules.common.messages import BadMessage, Message, parse_time
from modules.inference import alerts
from modules.inference.card import Card
from modules.inference.engine import Answer
from modules.inference.judging import Judging
from modules.inference.outgoing import NAME, Outgoing, Subject
from modules.inference.packages import Entry
from modules.inference.parts import Parts
from modules.inference.recent import Recent
from modules.inference.settings import InferenceSettings
from modules.inference.shown import Last, Shown
from modules.inference.trials.trials import Asked, Said
from modules.inference.verdict import judge


class Frames:
    """The input `frames`: one picture, or a batch of several, which are judged in one run of the network."""

    def __init__(
        self, edge: Edge[InferenceSettings], judging: Judging, outgoing: Outgoing, recent: Recent, shown: Shown
    ) -> None:
        self._edge, self._judging, self._outgoing = edge, judging, outgoing
        self._recent, self._shown = recent, shown
        self._parts = Parts(edge, "frames", "frame")

    async def handle(self, message: Message) -> None:
        """Judge what has had no verdict yet: a redelivery finds none left. Raises BadMessage for a lone bad picture."""
        asked: list[tuple[Entry, list[Message], list[Said], float]] = []
        async with self._judging.steady():
            for entry, parts in self._groups(message).values():
                begin = time.perf_counter()
                said = await self._judging.ask(
                    entry, [(part.body, {}) for part in parts.values()], [Asked(part, 0) for part in parts.values()]
                )
                asked.append((entry, list(parts.values()), said, (time.perf_counter() - begin) / len(parts)))
        for entry, judged, said, took in asked:
            for part, answer in zip(judged, said, strict=True):
                try:
                    if isinstance(answer, BadMessage):
                        raise answer
                    await self._conclude(entry, part, *answer, took)
                except BadMessage as error:
                    self._parts.refuse(message, part, error)

    def _groups(self, message: Message) -> dict[str, tuple[Entry, dict[str, Message]]]:
        """What has had no verdict yet, by the package that is to judge it."""
        groups: dict[str, tuple[Entry, dict[str, Message]]] = {}
        for part in self._parts.of(message):
            if self._recent.seen(part.message_id):
                continue
            try:
                entry, _ = self._judging.choose("picture", part.source)
            except BadMessage as error:
                self._parts.refuse(message, part, error)
            else:
                groups.setdefault(entry.name, (entry, {}))[1][part.message_id] = part
        return groups

    async def _conclude(self, entry: Entry, part: Message, card: Card, answer: Answer, took: float) -> None:
        verdict = judge(answer.probabilities, card)
        captured = _captured(part)
        item = part.properties.get("item")
        alert = None
        if not verdict.ok:
            seq = self._edge.next_seq(part.source)
            found = alerts.of_picture(card, part.source, item, verdict, captured)
            sent = found.message(part, module=NAME, output="alerts", index=0, seq=seq, model=card.id)
            await self._edge.send("alerts", sent)
            alert = sent.message_id
        self._recent.mark(part.message_id)
        document = self._recent.add(part.source, item, card.id, verdict, captured, odd=answer.odd)
        self._shown.note(part.source, Last({**document, "alert": alert}, entry.name, part.body))
        subject = Subject(
            message=part,
            index=0,
            body=part.body,
            time=part.time,
            verdict=verdict,
            answer=answer,
            card=card,
            alert=alert,
        )
        drifted = self._outgoing.count(entry.name, part.source, card, verdict, answer, took)
        await self._outgoing.keep(subject, drifted)


def _captured(message: Message) -> datetime:
    """When the picture was taken: the camera says, else the message's own time."""
    try:
        return parse_time(message.properties["captured"])
    except KeyError:
        return message.time
    except ValueError as error:
        raise BadMessage("wrong_shape", f"captured: {error}") from error
