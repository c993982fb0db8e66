"""How the server makes one head of many: Flower's own strategies, behind a door that no single answer passes by force.

Flower refuses the whole round where one answer is not like the others, and takes a number that is no number into its
mean. So what `answers` does not believe is left out first, and said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, Metadata, MetricRecord, RecordDict
from flwr.app.message.message import make_message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, FedMedian, FedTrimmedAvg

from models.federated.answers import BIAS, EXAMPLES, WEIGHT, fault, too_far
from models.federated.head import Head

log = logging.getLogger(__name__)

ARRAYS: Final = "head"
COUNTS: Final = "counts"

FAR: Final = "its head is too far from where the round began"

PLAIN: Final = "mean"
ROBUST: Final = "trimmed"
NAMES: Final = (PLAIN, ROBUST, "median")


def strategy(name: str, gateways: int, liars: int, home: Head) -> Any:
    """The strategy of that name for so many gateways, of which so many may lie. Raises ValueError where it cannot be.

    Trimmed mean and median need more honest gateways than liars (Yin et al., ICML 2018); the mean promises nothing.
    """
    if name not in NAMES:
        raise ValueError(f"no strategy {name}; there are {', '.join(NAMES)}")
    need = 1 if name == PLAIN else 2 * liars + 1
    if liars < 0 or gateways < need:
        raise ValueError(f"{name} needs {need} gateways for {liars} that may lie, not {gateways}")
    kind = {PLAIN: FedAvg, ROBUST: FedTrimmedAvg}.get(name, FedMedian)
    return _checked(kind)(
        home,
        need,
        liars,
        fraction_evaluate=0.0,
        min_train_nodes=gateways,
        min_available_nodes=gateways,
        weighted_by_key=EXAMPLES,
        arrayrecord_key=ARRAYS,
    )


def _checked(kind: Any) -> type[Any]:
    """The strategy with a door before it."""

    class Checked(kind):  # type: ignore[misc]  # one of Flower's, whichever
        """Leaves out what is no answer."""

        def __init__(self, home: Head, least: int, liars: int, **options: Any) -> None:
            super().__init__(**options)
            self.home, self.least, self.liars = home, least, liars
            self.start = home  # the head that the round began with
            self.left_out: list[str] = []
            self.good, self.examples = 0, 0

        def configure_train(
            self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
        ) -> Iterable[Message]:
            """As Flower does it."""
            self.start = head_of(arrays)
            asked: Iterable[Message] = super().configure_train(server_round, arrays, config, grid)
            return asked

        def aggregate_train(
            self, server_round: int, replies: Iterable[Message]
        ) -> tuple[ArrayRecord | None, MetricRecord | None]:
            """As Flower does it, of the answers that are some."""
            good = self._believed(server_round, list(replies))
            self.good = len(good)
            self.examples = sum(int(reply.content.metric_records[COUNTS][EXAMPLES]) for reply in good)
            if self.good < self.least:  # as many as the promise about liars needs
                self.left_out.append(f"round {server_round}: {self.good} answers, and {self.least} are the least")
                return None, None
            if kind is FedTrimmedAvg:  # it cuts int(beta x answers) at either end, and answers may be missing
                self.beta = (self.liars + 0.01) / self.good
            arrays, metrics = super().aggregate_train(server_round, good)
            return arrays, metrics

        def _believed(self, number: int, replies: list[Message]) -> list[Message]:
            wrong = [reply.error.reason if reply.has_error() else _fault(reply.content, self.home) for reply in replies]
            some = [place for place, why in enumerate(wrong) if not why]
            heads = [head_of(replies[place].content.array_records[ARRAYS]) for place in some]
            for place, far in zip(some, too_far(heads, self.start), strict=True):
                wrong[place] = FAR if far else ""
            for reply, why in zip(replies, wrong, strict=True):
                if why:  # a gateway may have written it: it is cut
                    self.left_out.append(f"round {number}, gateway {reply.metadata.src_node_id}: {why[:200]!a}")
                    log.warning("left out: %s", self.left_out[-1])
            return [reply for reply, why in zip(replies, wrong, strict=True) if not why]

    return Checked


def _fault(content: RecordDict, home: Head) -> str:
    """Why an answer is none; empty where it is one."""
    if set(content) != {ARRAYS, COUNTS} or set(content.array_records) != {ARRAYS}:
        return f"it holds {', '.join(sorted(content)) or 'nothing'}"
    try:
        arrays = {name: each.numpy().astype(np.float64) for name, each in content.array_records[ARRAYS].items()}
    except (ValueError, TypeError, OSError, EOFError) as error:
        return f"its arrays cannot be read: {error}"
    return fault(arrays, content.metric_records.get(COUNTS, MetricRecord()), home)


def arrays_of(head: Head) -> ArrayRecord:
    """A head as Flower carries it, in float32."""
    return ArrayRecord({WEIGHT: Array(head.weight.astype(np.float32)), BIAS: Array(head.bias.astype(np.float32))})


def head_of(arrays: ArrayRecord) -> Head:
    """The head in an array record. Raises ValueError, TypeError, KeyError where it is none."""
    return Head(*(arrays[name].numpy().astype(np.float64) for name in (WEIGHT, BIAS)))


def answer(head: Head, examples: int) -> RecordDict:
    """What a gateway sends, and all of it: the head it learnt, and of how many samples."""
    return RecordDict({ARRAYS: arrays_of(head), COUNTS: MetricRecord({EXAMPLES: examples})})


def joined(name: str, home: Head, start: Head, answers: Sequence[tuple[Head, int]], liars: int = 1) -> Head:
    """One round without processes: what the strategy makes of these heads and counts. Raises ValueError for none."""
    made = strategy(name, len(answers), liars, home)
    made.start = start
    replies = [_reply(number, answer(*each)) for number, each in enumerate(answers, 1)]
    arrays, _ = made.aggregate_train(1, replies)
    if arrays is None:
        raise ValueError("no answer was one")
    return head_of(arrays)


def _reply(number: int, content: RecordDict) -> Message:
    metadata = Metadata(1, f"answer {number}", number, 1, f"question {number}", "1", 0.0, 1e6, "train")
    return make_message(metadata, content)
