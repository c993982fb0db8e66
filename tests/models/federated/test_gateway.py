"""A gateway's answer to a round: a head and a count and nothing of a sample; and what it does not answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("flwr", reason="needs Flower: make federated")

from flwr.app import ConfigRecord, Message, Metadata, RecordDict
from flwr.app.message.message import make_message
from flwr.common.serde import message_to_proto

from models.federated.gateway import Gateway
from models.federated.head import Head
from models.federated.network import Base, read_base
from models.federated.runtime import RefusedError
from models.federated.strategies import arrays_of
from tests.models.federated.conftest import Fill

PIECE = 16  # bytes: chance has one of them twice in no test


@pytest.fixture(scope="module")
def base() -> Base:
    return read_base(Path(__file__).resolve().parents[3] / "models" / "bearing")


def asked(package: Base, head: Head | None = None, **config: Any) -> Message:
    """A round, as the server asks for it."""
    facts = {"base": package.digest, "steps": 5, "pull": 0.01, "server-round": 1, **config}
    content = RecordDict({"head": arrays_of(head or package.home), "config": ConfigRecord(facts)})
    return make_message(Metadata(1, "question", 1, 2, "", "1", 0.0, 1e6, "train"), content)


def test_only_a_head_and_a_count_travel(base: Base, fill: Fill) -> None:
    folder = fill("press1", seed=1)
    told: list[str] = []
    content = Gateway(base, folder, told.append).reply(asked(base)).content
    assert set(content) == {"head", "counts"}
    assert dict(content["counts"]) == {"num-examples": 16}
    arrays = content["head"]
    assert {name: each.numpy().shape for name, each in arrays.items()} == {"weight": (4, 24), "bias": (4,)}
    assert not np.allclose(arrays["weight"].numpy(), base.home.weight)  # it has learnt something
    assert told == ["round 1: learnt of 16 samples"]


def test_no_piece_of_a_sample_is_in_what_travels(base: Base, fill: Fill) -> None:
    folder = fill("press1", seed=1)
    reply = Gateway(base, folder, lambda _text: None).reply(asked(base))
    wire = message_to_proto(reply).SerializeToString()
    assert len(wire) < 2000  # a head is 400 bytes, a sample 65,536
    pieces = {wire[start : start + PIECE] for start in range(len(wire) - PIECE + 1)}
    for path in folder.iterdir():
        kept = path.read_bytes()
        assert not any(kept[start : start + PIECE] in pieces for start in range(len(kept) - PIECE + 1))


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"base": "another"}, "another package"),
        ({"steps": 0}, "nobody learns"),
        ({"steps": 100_000}, "nobody learns"),
        ({"pull": -1.0}, "nobody learns"),
        ({"pull": float("nan")}, "nobody learns"),
    ],
)
def test_a_round_that_is_none_of_ours_is_not_answered(base: Base, fill: Fill, config: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        Gateway(base, fill("press1", seed=1)).reply(asked(base, **config))


def test_a_head_that_does_not_fit_and_too_few_samples_are_refused(base: Base, fill: Fill) -> None:
    gateway = Gateway(base, fill("press1", seed=1, each=2))
    with pytest.raises(RefusedError, match="does not fit"):
        gateway.reply(asked(base, Head(np.zeros((4, 23)), np.zeros(4))))
    with pytest.raises(RefusedError, match="8 judged samples are here, and 10 are the least"):
        gateway.reply(asked(base))
