"""What a gateway learns from: the samples that people there have judged, as its inference module keeps them.

A file `ALERT.labelled` below `labelled` in the module's state is a sample message (docs/formats/batch.md) with a
property more, `verdict`. Of a right alert the label is the alert's, of a wrong one it is the OK label. This process
reads them and writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.federated.head import Floats
from models.federated.network import Base, Eyes
from modules.common.messages import BadMessage, Message, member
from modules.inference.card import Card
from modules.inference.errors import BadInputError
from modules.inference.labelled import SUFFIX

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """An input and what it is."""

    body: bytes
    facts: Mapping[str, float]
    truth: int  # position in the card's labels


def truth(message: Message, card: Card) -> int | None:
    """Position of the true label of a judged sample; None where the verdict does not tell it.

    A wrong alert says that all was well. A right one whose type the model could not tell says so only where there is
    one label beside the OK one.
    """
    verdict, label = message.properties.get("verdict"), message.properties.get("label", "")
    ok = card.ok_index
    if verdict == "false":
        return ok
    if verdict != "true":
        return None
    if label in card.labels:
        return card.labels.index(label)
    others = [number for number in range(len(card.labels)) if number != ok]
    return others[0] if ok is not None and len(others) == 1 else None


def judged(folder: Path, card: Card) -> Iterator[Sample]:
    """The samples in a folder that are of this model, whatever its version, and say what they are; in order of name."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            message = member(path.read_bytes())
            facts = {name: float(message.properties[name]) for name in ("rate", "rpm") if name in message.properties}
        except (OSError, BadMessage, ValueError) as error:  # let go meanwhile, or half of a file
            log.warning("%s is left out: %s", path.name, error)
            continue
        what = truth(message, card)
        if what is not None and (message.model or "").partition("/")[0] == card.name:
            yield Sample(message.body, facts, what)


def table(samples: Iterator[Sample], base: Base) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Scaled features (n, features) and positions of labels (n,); inputs that the model does not take are left out."""
    eyes = Eyes(base)
    rows, labels = [np.empty((0, len(base.scale.mean)))], []
    for sample in samples:
        try:
            rows.append(eyes([(sample.body, sample.facts)]))
        except BadInputError as error:
            log.warning("a sample is left out: %s", error)
            continue
        labels.append(sample.truth)
    return np.concatenate(rows), np.array(labels, np.int64)
