"""What can be seen of the models: health, reported properties, and the views for the page (docs/formats/view.md)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from modules.common.edge import Edge
from modules.inference.engine import Engine
from modules.inference.errors import BadInputError, ChildGoneError, ModelError, without_paths
from modules.inference.kept import Kept
from modules.inference.labelled import Labelled
from modules.inference.loading import Loading
from modules.inference.packages import Entry
from modules.inference.recent import Recent
from modules.inference.settings import InferenceSettings
from modules.inference.shown import Shown
from modules.inference.sizing import Machine
from modules.inference.trials.trials import Trials
from modules.inference.updates.updating import Updating
from modules.inference.waves import Waves

_JSON = "application/json"
UPDATE: Final = ("wanted", "state", "step", "done", "of", "reason", "text")
TRIAL: Final = ("challenger", "mode", "state", "because", "n", "agreement", "mean_ms", "champion_ms")


class Telling:
    """Reads what the other parts know."""

    def __init__(
        self,
        edge: Edge[InferenceSettings],
        engine: Engine,
        loading: Loading,
        machine: Machine,
        recent: Recent,
        shown: Shown,
        updating: Updating,
        trials: Trials,
    ) -> None:
        self._edge, self._engine, self._loading, self._machine = edge, engine, loading, machine
        self._recent, self._shown, self._updating = recent, shown, updating
        self._changed = asyncio.Event()
        self._trials = trials
        self._reported: dict[str, set[str]] = {}  # names by reported property

    def register(self, waves: Waves, kept: Kept, labelled: Labelled) -> None:
        """Serve the views, tell health, report what changes."""
        self._edge.view("verdicts", lambda query: (_JSON, orjson.dumps({"verdicts": self._recent.select(query)})))
        self._edge.view("models", lambda _query: (_JSON, orjson.dumps(self.models())))
        self._edge.view("last", lambda query: (_JSON, orjson.dumps(self.last(query))))
        self._edge.view("heatmap", self._heatmap)
        self._edge.health(lambda: self.facts(waves, kept, labelled))
        self._edge.background("report", self._report)
        gauges = (
            (
                "millwatch_model_restarts",
                "Restarts of the process that holds the models",
                lambda: self._engine.restarts,
            ),
            ("millwatch_model_process_bytes", "Memory of that process", lambda: self._engine.rss_bytes),
        )
        for name, text, read in gauges:
            self._edge.metrics.gauge(name, text).set_function(lambda read=read: float(read()))  # type: ignore[misc]  # a default argument carries the loop's value

    def changed(self) -> None:
        """Something about the models is worth knowing."""
        self._changed.set()
        self._edge.beat()

    def facts(self, waves: Waves, kept: Kept, labelled: Labelled) -> dict[str, object]:
        """What health tells about the models."""
        entries = self._loading.entries
        failed = [f"{name}: {entry.error}" for name, entry in entries.items() if not entry.usable]
        instead = [f"{name} runs the last good one" for name, entry in entries.items() if "instead_of" in entry.loaded]
        facts: dict[str, object] = {
            "models": {name: short(entry) for name, entry in entries.items()},
            "updates": self._updating.reports,
            "trials": self._trial_documents(),
            "engine": self.engine(),
            "model_restarts": self._engine.restarts,
            "conditions": waves.raised,
            "kept": {"alerts": len(kept), "bytes": kept.size, "labelled": len(labelled)},
        }
        refused = [
            f"update of {name} to {each['wanted']} is refused: {each['reason']}: {each['text']}"
            for name, each in self._updating.reports.items()
            if each.get("state") == "refused"
        ]
        returned = [
            f"challenger {each.trial.challenger} of {name} was taken back: {each.because}"
            for name, each in self._trials.running.items()
            if each.state == "returned"
        ]
        if troubles := failed + instead + refused + returned:
            facts.update(state="warn", text="; ".join(troubles)[:500])
        return facts

    def engine(self) -> dict[str, object]:
        """How large the models may grow here, and how large they are."""
        sizing = self._engine.sizing
        return {
            "threads": sizing.threads,
            "cores": self._machine.cores,
            "arena": sizing.arena,
            "batch": sizing.batch,
            "memory_mb": self._engine.memory_mb,
            "rss_mb": round(self._engine.rss_bytes / 1e6),
            "restarts": self._engine.restarts,
        }

    def models(self) -> dict[str, object]:
        """`view/models`: what runs, how quick it is, and each model's whole card."""
        documents = {
            name: {
                **entry.summary(),
                "latency": self._engine.latency(name),
                "card": entry.card.model_dump(mode="json") if entry.card else None,
            }
            for name, entry in self._loading.entries.items()
        }
        return {
            "models": documents,
            "updates": self._updating.reports,
            "trials": self._trial_documents(),
            "trying": self._loading.trying,
            "engine": self.engine(),
        }

    def last(self, query: Mapping[str, str]) -> dict[str, object]:
        """`view/last`: the newest verdict of a source, and whether `view/heatmap` has a picture. Raises LookupError."""
        last = self._shown.of(query.get("source", ""))
        return {**last.document, "heat": bool(last.picture) and self._has_heat(last.model)}

    def _has_heat(self, model: str) -> bool:
        entry = self._loading.entries.get(model)
        return entry is not None and entry.usable and entry.card is not None and entry.card.output.heat is not None

    async def _heatmap(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        last = self._shown.of(query.get("source", ""))
        if not last.picture or not self._has_heat(last.model):
            raise LookupError("no heat map")
        try:
            picture = await self._engine.heat(last.model, last.picture)
        except (BadInputError, ModelError, ChildGoneError) as error:
            raise LookupError(without_paths(error)) from error
        if picture is None:
            raise LookupError("no heat map")
        return "image/jpeg", picture

    async def _report(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            models = {name: short(entry) for name, entry in self._loading.entries.items()}
            updates = self._now("updates", UPDATE, self._updating.reports)
            trials = self._now("trials", TRIAL, self._trial_documents())
            await self._edge.report({"models": models, "updates": updates, "trials": trials})

    def _now(self, what: str, facts: Sequence[str], found: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
        """As it is now; a name or a fact that is gone is taken out of the twin, where it would stay."""
        told = {name: {key: each.get(key) for key in facts} for name, each in found.items()}
        gone = dict.fromkeys(self._reported.get(what, set()) - set(told))
        self._reported[what] = set(told)
        return {**told, **gone}

    def _trial_documents(self) -> dict[str, dict[str, object]]:
        return {name: each.document() for name, each in self._trials.running.items()}


def short(entry: Entry) -> dict[str, object]:
    """A line for reported properties, where a twin holds 32 KB in all."""
    summary = entry.summary()
    names = ("state", "version", "precision", "provider", "error", "instead_of", "because")
    return {key: summary[key] for key in names if summary.get(key) is not None}
