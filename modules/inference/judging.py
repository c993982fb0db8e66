"""Asking the models, and going on when one fails: a new child, the last good model, or one item at a time."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from modules.common.messages import BadMessage
from modules.inference.card import Card
from modules.inference.engine import Engine, Items
from modules.inference.errors import BadInputError, ChildGoneError, ModelError
from modules.inference.gate import Gate
from modules.inference.loading import SUSPECT, Loading
from modules.inference.packages import Entry, choose
from modules.inference.trials.trials import Asked, Said, Trials

_SECONDS: Final = 20.0  # for one message: edgeHub takes one that is not acknowledged in 30 s for lost


class Judging:
    """Which model judges a source, and what it says."""

    def __init__(
        self, engine: Engine, loading: Loading, gate: Gate, trials: Trials, changed: Callable[[], None]
    ) -> None:
        self._engine, self._loading, self._gate, self._trials = engine, loading, gate, trials
        self._changed = changed

    def steady(self) -> AbstractAsyncContextManager[None]:
        """While within, no model is exchanged: what `choose` found is what `ask` asks."""
        return self._gate.through()

    def choose(self, task: str, source: str) -> tuple[Entry, Card]:
        """The package that judges `source`. Raises BadMessage: no_model, model_failed."""
        entry = choose(self._loading.entries, task, source)
        if entry is None or entry.card is None:
            raise BadMessage("no_model", f"{source}: no package for this {task} is loaded")
        if not entry.usable:
            raise BadMessage("model_failed", f"{entry.name}: {entry.error}")
        return entry, entry.card

    async def ask(self, entry: Entry, items: Items, asked: Sequence[Asked]) -> list[Said]:
        """What is said of each item, with the card of the model that said it, or why there is no verdict.

        `asked` says where each came from: a challenger may be heard beside, or instead.
        """
        begin = time.perf_counter()
        said = await self._champion(entry, items)
        took_s = (time.perf_counter() - begin) / max(1, len(items))
        return await self._trials.beside(entry.name, items, asked, said, took_s)

    async def _champion(self, entry: Entry, items: Items) -> list[Said]:
        """What the package's own model says.

        All items are one batch. Where that fails they are asked one by one, for one of them may be to blame; where
        that fails twice in a row the last good model takes over and is asked the same.
        """
        begin = time.monotonic()
        said = await self._try(entry, items)
        if said is not None:
            return said
        answers: list[Said] = []
        for item in items:
            answer = None
            for _ in range(SUSPECT + 1):
                if not entry.usable or time.monotonic() - begin > _SECONDS:
                    break
                answer = await self._try(entry, [item])
                if answer is not None:
                    break
            answers += answer or [BadMessage("model_failed", f"{entry.name} did not answer")]
        return answers

    async def _try(self, entry: Entry, items: Items) -> list[Said] | None:
        """One attempt; None when the model failed, which is noted against it."""
        try:
            answers = await self._engine.judge(entry.name, items)
        except (ChildGoneError, ModelError) as error:
            await self._loading.failed(entry, error)
            self._changed()
            return None
        entry.answered()
        card = entry.card
        assert card is not None
        return [
            BadMessage(each.reason, str(each)) if isinstance(each, BadInputError) else (card, each) for each in answers
        ]
