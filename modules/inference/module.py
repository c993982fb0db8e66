"""The inference module on the edge: frames and waveforms in; alerts, scores and samples out."""

import asyncio
import logging
import time
from collections.abc import Callable

from modules.common.edge import Edge
from modules.common.messages import BadMessage, Message
from modules.common.verbs import COMMANDS, VERDICT, Verdicts
from modules.inference.engine import Engine
from modules.inference.frames import Frames
from modules.inference.gate import Gate
from modules.inference.judging import Judging
from modules.inference.loading import Loading
from modules.inference.outgoing import NAME, Outgoing
from modules.inference.recent import Recent
from modules.inference.settings import InferenceSettings
from modules.inference.shown import Shown
from modules.inference.sizing import Machine, Sizing, machine
from modules.inference.telling import Telling
from modules.inference.trials.trials import Trials
from modules.inference.updates.updating import Updating
from modules.inference.waves import Waves

log = logging.getLogger(__name__)


class InferenceModule:
    """Wires the parts to edgeHub, and loads the models that the settings name."""

    def __init__(
        self,
        edge: Edge[InferenceSettings],
        engine: Engine | None = None,
        challengers: Engine | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        here: Machine | None = None,
    ) -> None:
        self._edge = edge
        self._engine = engine or Engine()
        self._here = here or machine()
        gate = Gate()
        self.loading = Loading(self._engine, edge.state_dir, gate)
        self._ready = asyncio.Event()
        self._applying = asyncio.Lock()
        self._promoted = asyncio.Event()
        self._recent = Recent(edge.settings.verdicts_kept)
        shown = Shown()
        self._outgoing = Outgoing(edge, clock)
        self.updating = Updating(edge.state_dir, arrived=self._arrived, changed=self._told)
        self.trials = Trials(
            edge.state_dir, listener=self._outgoing, changed=self._told, promoted=self._promoted.set, engine=challengers
        )
        self.telling = Telling(
            edge, self._engine, self.loading, self._here, self._recent, shown, self.updating, self.trials
        )
        judging = Judging(self._engine, self.loading, gate, self.trials, self._changed)
        self._frames = Frames(edge, judging, self._outgoing, self._recent, shown)
        self._waves = Waves(edge, judging, self._outgoing, self._recent, shown)
        self._verdicts = Verdicts(edge, NAME, self._outgoing.evidence)
        edge.health(lambda: {"drift": self._outgoing.watching.drifting()})
        self.telling.register(self._waves, self._outgoing.kept, self._outgoing.labelled)
        edge.on_settings(self.apply, from_start=True)
        edge.on_input("frames", self._frame)
        edge.on_input("waveforms", self._waveform)
        edge.on_input(COMMANDS, self._command)
        edge.on_method(VERDICT, self._verdicts.method)
        edge.on_method("forgetAlerts", self._forget)
        edge.background("scores", self._send_scores)
        edge.background("updates", self.updating.run)
        edge.background("trials", self.trials.run)
        edge.background("promotions", self._promote)
        edge.on_stop(self._stop)

    async def apply(self, settings: InferenceSettings) -> None:
        """Load what is new or changed; messages that come meanwhile wait."""
        sizing = Sizing(self._here.threads(settings.threads), settings.arena, settings.batch, settings.providers)
        anew = self._engine.sizing != sizing and bool(self.loading.entries)
        self._engine.sizing, self._engine.memory_mb = sizing, self._here.child_mb(settings.memory_mb)
        self._engine.judge_s, self._engine.load_s = settings.judge_s, settings.load_s
        self._recent.resize(settings.verdicts_kept)
        async with self._applying:
            packages = await self.updating.apply(settings)
            self.trials.wants(settings, self.updating.folder)
            packages = self.trials.packages(packages)
            if anew or not self.loading.entries:
                self._ready.clear()  # nothing is at work that could go on
            try:
                await self.loading.apply(packages, anew=anew)
            finally:
                self._ready.set()
            await self._load_challengers(settings)
        self._changed()
        folders = self.loading.folders | {each.folder for each in self.trials.running.values() if each.folder}
        await asyncio.to_thread(self.updating.bound, folders)

    async def _load_challengers(self, settings: InferenceSettings) -> None:
        engine = self.trials.engine
        engine.sizing, engine.memory_mb = self._engine.sizing, self._engine.memory_mb
        engine.judge_s, engine.load_s = settings.judge_s, settings.load_s
        await self.trials.load({name: entry.card for name, entry in self.loading.entries.items()})

    async def _arrived(self) -> None:
        """A version that was missing is here."""
        await self.apply(self._edge.settings)

    async def _promote(self) -> None:
        """When a rule has promoted a challenger it is exchanged as any version, behind the message that decided."""
        while True:
            await self._promoted.wait()
            self._promoted.clear()
            await self.apply(self._edge.settings)

    def _changed(self) -> None:
        """Something about the models has changed."""
        self.updating.settle(self.loading.entries)
        self.trials.settle(self.loading.entries)
        self.telling.changed()

    def _told(self) -> None:
        """Something about updates has changed."""
        self.telling.changed()

    async def _frame(self, message: Message) -> None:
        await self._ready.wait()
        await self._frames.handle(message)

    async def _waveform(self, message: Message) -> None:
        await self._ready.wait()
        await self._waves.handle(message)

    async def _command(self, message: Message) -> None:
        if not await self._verdicts.command(message):
            raise BadMessage("unknown_command", str(message.document().get("verb"))[:40])

    async def _forget(self, _payload: object) -> object:
        """Delete what alerts were about: the pictures and windows that wait here for a person's verdict."""
        return {"forgotten": await self._outgoing.forget()}

    async def _send_scores(self) -> None:
        while True:
            await asyncio.sleep(self._edge.settings.score_s)
            self.offer_scores()
            self.trials.save()
            self._outgoing.remember()
            await self._outgoing.bound()

    def offer_scores(self) -> None:
        """Send what was counted since the last time."""
        standings = {
            each.card.id: {"of": name, **each.document()} for name, each in self.trials.running.items() if each.card
        }
        self._outgoing.offer_scores(standings)

    async def _stop(self) -> None:
        self.offer_scores()
        self._outgoing.remember()
        await self.trials.close()
        await self._engine.close()
