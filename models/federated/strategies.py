"""How the server makes one head of many: Flower's own strategies, behind a check that no single answer can trip.

Flower refuses the whole round where one answer is not like the others, and takes a number that is no number into its
mean. So answers that are no head of the right shape, are not finite, or claim an odd number of samples are left out
first, and said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, Message, Metadata, MetricRecord, RecordDict
from flwr.app.message.message import make_message
from flwr.serverapp.strategy import FedAvg, FedMedian, FedTrimmedAvg, Krum, MultiKrum

from models.federated.head import Head

log = logging.getLogger(__name__)

WEIGHT: Final = "weight"
BIAS: Final = "bias"
ARRAYS: Final = "head"
COUNTS: Final = "counts"
EXAMPLES: Final = "num-examples"  # Flower's name for it
MOST_EXAMPLES: Final = 100_000  # of one gateway; more is a claim that nobody believes

PLAIN: Final = "mean"
ROBUST: Final = "trimmed"
NAMES: Final = (PLAIN, ROBUST, "median", "krum", "multikrum")


def strategy(name: str, gateways: int, liars: int, home: Head) -> FedAvg:
    """The strategy of that name for so many gateways, of which so many may lie. Raises ValueError where it cannot be.

    Trimmed mean and median need fewer than half to lie; Krum needs n >= 2f + 3 (Blanchard et al., NeurIPS 2017).
    """
    if name not in NAMES:
        raise ValueError(f"no strategy {name}; there are {', '.join(NAMES)}")
    need = {PLAIN: 1, "krum": 2 * liars + 3, "multikrum": 2 * liars + 3}.get(name, 2 * liars + 1)
    if gateways < need:
        raise ValueError(f"{name} needs {need} gateways for {liars} that may lie, not {gateways}")
    common: dict[str, Any] = {
        "fraction_evaluate": 0.0,
        "min_train_nodes": gateways,
        "min_available_nodes": gateways,
        "weighted_by_key": EXAMPLES,
        "arrayrecord_key": ARRAYS,
    }
    kinds: dict[str, Callable[[], FedAvg]] = {
        PLAIN: lambda: _checked(FedAvg)(home, need, liars, **common),
        ROBUST: lambda: _checked(FedTrimmedAvg)(
            home,
            need,
            liars,
            **common,
        ),
        "median": lambda: _checked(FedMedian)(home, need, liars, **common),
        "krum": lambda: _checked(Krum)(home, need, liars, **common, num_malicious_nodes=liars),
        "multikrum": lambda: _checked(MultiKrum)(home, need, liars, **common, num_malicious_nodes=liars),
    }
    return kinds[name]()


def _checked(kind: type[FedAvg]) -> type[Any]:
    """The strategy with a door before it."""

    class Checked(kind):  # type: ignore[misc, valid-type]  # one of Flower's, whichever
        """Leaves out what is no answer."""

        def __init__(self, home: Head, least: int, liars: int, **options: Any) -> None:
            super().__init__(**options)
            self.home, self.least, self.liars = home, least, liars
            self.left_out: list[str] = []
            self.good, self.examples = 0, 0

        def aggregate_train(
            self, server_round: int, replies: Iterable[Message]
        ) -> tuple[ArrayRecord | None, MetricRecord | None]:
            """As Flower does it, of the answers that are some."""
            good = []
            for reply in replies:
                wrong = reply.error.reason if reply.has_error() else fault(reply.content, self.home)
                if wrong:
                    self.left_out.append(f"round {server_round}, gateway {reply.metadata.src_node_id}: {wrong}")
                    log.warning("left out: %s", self.left_out[-1])
                else:
                    good.append(reply)
            self.good = len(good)
            self.examples = sum(int(reply.content.metric_records[COUNTS][EXAMPLES]) for reply in good)
            if self.good < self.least:  # as many as the promise about liars needs
                self.left_out.append(f"round {server_round}: {self.good} answers, and {self.least} are the least")
                return None, None
            if isinstance(self, FedTrimmedAvg):  # it cuts int(beta x answers) at either end, and answers may be missing
                self.beta = (self.liars + 0.01) / self.good
            if isinstance(self, MultiKrum) and not isinstance(self, Krum):
                self.num_nodes_to_select = self.good - self.liars - 2
            arrays, metrics = super().aggregate_train(server_round, good)
            return arrays, metrics

    return Checked


def fault(content: RecordDict, home: Head) -> str:
    """Why an answer is none; empty where it is one."""
    if set(content) != {ARRAYS, COUNTS} or set(content.array_records) != {ARRAYS}:
        return f"it holds {', '.join(sorted(content)) or 'nothing'}"
    arrays, counts = content.array_records[ARRAYS], content.metric_records.get(COUNTS, MetricRecord())
    if set(arrays) != {WEIGHT, BIAS} or set(counts) != {EXAMPLES}:
        return "it holds more, or less, than a head and a count"
    number = counts[EXAMPLES]
    if not isinstance(number, int) or not 1 <= number <= MOST_EXAMPLES:
        return f"{number} samples"
    try:
        head = head_of(arrays)
    except (ValueError, TypeError, OSError) as error:
        return f"its arrays cannot be read: {error}"
    return "" if head.sound(home) else "its head has other shapes, or numbers that are none"


def arrays_of(head: Head) -> ArrayRecord:
    """A head as Flower carries it, in float32."""
    return ArrayRecord({WEIGHT: Array(head.weight.astype(np.float32)), BIAS: Array(head.bias.astype(np.float32))})


def head_of(arrays: ArrayRecord) -> Head:
    """The head in an array record. Raises ValueError, TypeError, KeyError where it is none."""
    return Head(*(arrays[name].numpy().astype(np.float64) for name in (WEIGHT, BIAS)))


def answer(head: Head, examples: int) -> RecordDict:
    """What a gateway sends, and all of it: the head it learnt, and of how many samples."""
    return RecordDict({ARRAYS: arrays_of(head), COUNTS: MetricRecord({EXAMPLES: examples})})


def joined(name: str, home: Head, answers: Sequence[tuple[Head, int]], liars: int = 1) -> Head:
    """One round without processes: what the strategy makes of these heads and counts. Raises ValueError for none."""
    made = strategy(name, len(answers), liars, home)
    replies = [_reply(number, answer(*each)) for number, each in enumerate(answers, 1)]
    arrays, _ = made.aggregate_train(1, replies)
    if arrays is None:
        raise ValueError("no answer was one")
    return head_of(arrays)


def _reply(number: int, content: RecordDict) -> Message:
    metadata = Metadata(1, f"answer {number}", number, 1, f"question {number}", "1", 0.0, 1e6, "train")
    return make_message(metadata, content)
