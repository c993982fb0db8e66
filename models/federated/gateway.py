"""What a gateway does in a round: look up what people said here, learn, answer with a head and a count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from flwr.app import Message
from numpy.typing import NDArray

from models.federated.head import Floats, Pace, learnt
from models.federated.network import Base
from models.federated.runtime import RefusedError
from models.federated.samples import judged, table
from models.federated.strategies import ARRAYS, answer, head_of

LEAST: Final = 10  # of fewer samples a head would tell too much, and too little
CONFIG: Final = "config"


class Gateway:
    """Answers the rounds of one package from one folder of samples."""

    def __init__(self, base: Base, folder: Path, told: Callable[[str], None] = print) -> None:
        self._base, self._folder, self._told = base, folder, told
        self._run = 0
        self._rows: tuple[Floats, NDArray[np.int64]] | None = None

    def reply(self, message: Message) -> Message:
        """The answer to a round. Raises RefusedError, ValueError, KeyError for one that is none of ours."""
        config = message.content.config_records[CONFIG]
        if config.get("base") != self._base.digest:
            raise RefusedError(f"the round is about another package than {self._base.card.id} here")
        start = head_of(message.content.array_records[ARRAYS])
        if not start.sound(self._base.home):
            raise RefusedError(f"the head of the round does not fit {self._base.card.id}")
        steps, pull = config.get("steps"), config.get("pull")
        if not isinstance(steps, int) or not isinstance(pull, float) or not Pace(steps, pull).possible():
            raise RefusedError(f"nobody learns with {steps} steps and a pull of {pull}")
        rows, truth = self._samples(message.metadata.run_id)
        if len(truth) < LEAST:
            raise RefusedError(f"{len(truth)} judged samples are here, and {LEAST} are the least")
        head = learnt(start, self._base.home, rows, truth, Pace(steps, pull))
        self._told(f"round {config.get('server-round')}: learnt of {len(truth)} samples")
        return Message(answer(head, len(truth)), reply_to=message)

    def _samples(self, run: int) -> tuple[Floats, NDArray[np.int64]]:
        """The samples as they were when the run began: features are what costs time."""
        if self._rows is None or self._run != run:
            self._rows, self._run = table(judged(self._folder, self._base.card), self._base), run
        return self._rows
