"""A short round of fuzzing with a fixed seed: `make fuzz` goes on for a minute, by other seeds."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.fuzz.corpus import seeds
from tests.fuzz.mutator import mutate, packets
from tests.fuzz.target import LOGGED_IN, Target

INPUTS = 2_000


@pytest.fixture
def target() -> Iterator[Target]:
    """A broker to feed."""
    made = Target()
    yield made
    made.close()


def test_what_real_clients_send_is_understood(target: Target) -> None:
    corpus = seeds()
    for seed in corpus:
        for way in range(8):
            target.feed(bytes((LOGGED_IN | way,)) + seed)
    assert target.packets > len(corpus) * 8
    assert all(b"".join(packets(seed)) == seed for seed in corpus)


def test_nothing_that_a_client_can_send_does_harm(target: Target) -> None:
    dice, corpus = random.Random(1), seeds()
    for number in range(INPUTS):
        data = bytes((dice.randrange(256),)) + mutate(dice.choice(corpus), corpus, dice)
        try:
            target.feed(data)
        except BaseException as error:
            error.add_note(f"input {number}: {data[:400].hex()}")
            raise
    assert target.refused > INPUTS // 10
    assert target.packets > INPUTS
