"""Challengers at work: loaded in a process of their own, asked what the champion was asked, and taken back or promoted.

A challenger that hangs, crashes or eats its memory costs its own process; the champion's is another. What became of a
trial is on disk before it is told, and a trial that took the module down while it was being loaded is over.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from modules.common.messages import BadMessage, Message
from modules.common.snapshot import Snapshot
from modules.inference.card import Card, CardError, WavePrepare, read_card
from modules.inference.engine import Answer, Engine, Items
from modules.inference.errors import ChildGoneError, ModelError, without_paths
from modules.inference.packages import Entry
from modules.inference.settings import InferenceSettings, Package
from modules.inference.trials.settings import Trial
from modules.inference.trials.share import chosen
from modules.inference.trials.standing import Decision, Standing
from modules.inference.verdict import Verdict, judge

log = logging.getLogger(__name__)

_WAITING: Final = 32  # batches that wait for a challenger; more are skipped, so that it never holds anybody up

Said = tuple[Card, Answer] | BadMessage


@dataclass(frozen=True, slots=True)
class Asked:
    """Where one input came from."""

    message: Message
    index: int  # among the windows of that message


@dataclass(frozen=True, slots=True)
class Compared:
    """One input that both have judged, and who has spoken."""

    asked: Asked
    body: bytes
    champion: tuple[Card, Answer, Verdict]
    challenger: tuple[Card, Answer, Verdict]
    took_s: float  # by whoever did not speak
    spoke: str  # champion or challenger

    @property
    def agrees(self) -> bool:
        """Whether both name the same label."""
        return self.champion[2].label == self.challenger[2].label


class Listener(Protocol):
    """Whoever is told of each comparison."""

    def compared(self, what: Compared) -> None:
        """Count it, and keep it where the two disagree."""


@dataclass(slots=True)
class Running:
    """One trial of the settings."""

    name: str
    trial: Trial
    state: str = "waiting"  # waiting, loading, running, returned, promoted
    because: str = ""
    card: Card | None = None
    folder: Path | None = None
    standing: Standing = field(default_factory=Standing)

    def document(self) -> dict[str, Any]:
        """For health, reported properties and the view."""
        told = {"challenger": self.trial.challenger, "mode": self.trial.mode, "state": self.state}
        return {**told, "because": self.because or None, **self.standing.document()}


class Trials:
    """The trials of the settings. `changed` is called when one's state has, `promoted` when a rule promotes."""

    def __init__(
        self,
        state: Path,
        *,
        listener: Listener,
        changed: Callable[[], None],
        promoted: Callable[[], None],
        engine: Engine | None = None,
    ) -> None:
        self.running: dict[str, Running] = {}
        self.engine = engine or Engine()
        self._listener, self._changed, self._promoted = listener, changed, promoted
        self._remembered = Snapshot(state / "trials")
        self._known: dict[str, dict[str, Any]] = orjson.loads(self._remembered.load() or b"{}")  # by name
        self._queue: asyncio.Queue[tuple[Running, Items, Sequence[Asked], Sequence[Said], float]]
        self._queue = asyncio.Queue(_WAITING)

    # Which trials there are.

    def packages(self, packages: Mapping[str, Package]) -> dict[str, Package]:
        """The packages to run: those that a rule has promoted in place of their champions."""
        changed = dict(packages)
        for name, each in self.running.items():
            if each.state == "promoted" and each.folder is not None:
                base = changed.get(name)
                changed[name] = base.model_copy(update={"path": each.folder}) if base else Package(path=each.folder)
        return changed

    def wants(self, settings: InferenceSettings, folder_of: Callable[[str], Path | None]) -> None:
        """Take up the settings' trials; nothing is loaded yet."""
        for name in [name for name, each in self.running.items() if settings.trials.get(name) != each.trial]:
            del self.running[name]
        for name, trial in settings.trials.items():
            running = self.running.setdefault(name, self._recalled(name, trial))
            running.folder = trial.path if trial.target is None else folder_of(trial.target)
        known = {name: each for name, each in self._known.items() if name in settings.trials}
        if known != self._known:
            self._known = known
            self._save()

    async def load(self, champions: Mapping[str, Card | None]) -> None:
        """Load the challengers that are here and not loaded, drop the others."""
        at_work = {name for name, each in self.running.items() if each.state == "running"}
        for name in [name for name in self.engine.names if name not in at_work]:
            await self.engine.drop(name)
        for name, running in self.running.items():
            if running.state == "waiting" and running.folder is not None:
                await self._load(running, champions.get(name))
        if not self.engine.names:
            await self.engine.close()

    def settle(self, entries: Mapping[str, Entry]) -> None:
        """A promoted challenger that does not load, or fails at work, is taken back: its champion is the last good."""
        for name, each in self.running.items():
            entry = entries.get(name)
            if each.state != "promoted" or entry is None or entry.folder != each.folder:
                continue
            if because := str(entry.loaded.get("because") or entry.error):
                self._enter(each, "returned", f"after its promotion: {because}")

    async def close(self) -> None:
        """Keep what was counted, end the process."""
        self.save()
        await self.engine.close()

    def save(self) -> None:
        """Keep what was counted. Blocks for a synced write where something is new."""
        before = orjson.dumps(self._known)
        for name, each in self.running.items():
            self._note(name, each)
        if orjson.dumps(self._known) != before:
            self._save()

    # Asking.

    async def beside(
        self, name: str, items: Items, asked: Sequence[Asked], said: list[Said], champion_s: float
    ) -> list[Said]:
        """What is said after all of these inputs, which the champion has judged in `champion_s` each."""
        running = self.running.get(name)
        if running is None or running.state != "running":
            return said
        if running.trial.mode == "shadow":
            try:
                self._queue.put_nowait((running, items, asked, said, champion_s))
            except asyncio.QueueFull:
                running.standing.skipped += len(items)
            return said
        speaks = [chosen(each.message.source, running.trial.challenger, running.trial.share) for each in asked]
        places = [place for place, mine in enumerate(speaks) if mine and not isinstance(said[place], BadMessage)]
        if not places:
            return said
        own = await self._compare(
            running,
            [items[place] for place in places],
            [asked[place] for place in places],
            [said[place] for place in places],
            champion_s,
            spoke="challenger",
        )
        spoken = list(said)
        for place, answer in zip(places, own, strict=True):
            if answer is not None:
                spoken[place] = answer
        return spoken

    async def run(self) -> None:
        """Ask the shadows, one batch after the other, for ever."""
        while True:
            running, items, asked, said, champion_s = await self._queue.get()
            if running.state == "running" and self.running.get(running.name) is running:
                await self._compare(running, items, asked, said, champion_s, spoke="champion")

    async def _compare(
        self,
        running: Running,
        items: Items,
        asked: Sequence[Asked],
        said: Sequence[Said],
        champion_s: float,
        *,
        spoke: str,
    ) -> list[tuple[Card, Answer] | None]:
        """What the challenger says of each input; None where the champion's word stands."""
        nothing: list[tuple[Card, Answer] | None] = [None] * len(items)
        begin = time.perf_counter()
        try:
            answers = await self.engine.judge(running.name, items)
        except (ChildGoneError, ModelError) as error:
            self._decide(running, running.standing.threw(without_paths(error)))
            return nothing
        took_s = (time.perf_counter() - begin) / max(1, len(items))
        card = running.card
        assert card is not None
        for place, (answer, theirs) in enumerate(zip(answers, said, strict=True)):
            if isinstance(theirs, BadMessage) or not isinstance(answer, Answer):
                continue
            champion = (*theirs, judge(theirs[1].probabilities, theirs[0]))
            challenger = (card, answer, judge(answer.probabilities, card))
            compared = Compared(
                asked[place],
                items[place][0],
                champion,
                challenger,
                took_s if spoke == "champion" else champion_s,
                spoke,
            )
            self._listener.compared(compared)
            nothing[place] = (card, answer)
            decision = running.standing.answered(
                agrees=compared.agrees, took_s=took_s, champion_s=champion_s, guard=running.trial.guard
            )
            if decision is not None or (decision := running.standing.fulfils(running.trial.rule)) is not None:
                self._decide(running, decision)
                if decision.what == "returned":
                    return [None] * len(items)  # what ended the trial is not heard any more
                break
        return nothing

    def _decide(self, running: Running, decision: Decision | None) -> None:
        if decision is None or running.state != "running":
            return
        self._enter(running, decision.what, decision.because)
        if decision.what == "promoted":
            self._promoted()

    # Loading and remembering.

    async def _load(self, running: Running, champion: Card | None) -> None:
        assert running.folder is not None
        self._enter(running, "loading")
        try:
            card = read_card(running.folder)
            if champion is not None and (why := unlike(card, champion)):
                self._enter(running, "returned", why)
                return
            await self.engine.load(running.name, running.folder)
        except (CardError, ModelError) as error:
            self._enter(running, "returned", f"it does not load: {without_paths(error, running.folder)}")
            return
        running.card = card
        self._enter(running, "running")

    def _enter(self, running: Running, state: str, because: str = "") -> None:
        running.state, running.because = state, because
        self._note(running.name, running)
        self._save()
        log.info("trial of %s for %s: %s %s", running.trial.challenger, running.name, state, because)
        self._changed()

    def _note(self, name: str, running: Running) -> None:
        self._known[name] = {
            "challenger": running.trial.challenger,
            "state": running.state,
            "because": running.because,
            "counts": running.standing.counts(),
        }

    def _save(self) -> None:
        self._remembered.save(orjson.dumps(self._known))

    def _recalled(self, name: str, trial: Trial) -> Running:
        """As it stood before a restart."""
        known = self._known.get(name, {})
        if known.get("challenger") != trial.challenger:
            return Running(name, trial)
        running = Running(name, trial, standing=Standing(**known["counts"]))
        if known["state"] == "loading":
            running.state, running.because = "returned", "loading it took the module down last time"
        elif known["state"] in ("returned", "promoted"):
            running.state, running.because = known["state"], known["because"]
        return running


def unlike(challenger: Card, champion: Card) -> str:
    """Why two models cannot be compared answer by answer; nothing when they can."""
    if challenger.task != champion.task:
        return f"it judges a {challenger.task}, the champion a {champion.task}"
    if challenger.labels != champion.labels or challenger.ok_label != champion.ok_label:
        return "its labels are not the champion's"
    ours, theirs = challenger.prepare, champion.prepare
    if not isinstance(ours, WavePrepare) or not isinstance(theirs, WavePrepare):
        return ""
    same = (ours.seconds, ours.hop) == (theirs.seconds, theirs.hop)
    return "" if same else "its windows are not as long as the champion's"
