"""`python -m tests.fuzz.guided LIBFUZZER-OPTIONS CORPUS`: one process of coverage-guided fuzzing."""

from __future__ import annotations

import random
import sys

import atheris  # type: ignore[import-untyped,unused-ignore]  # where there is a wheel of it

from tests.fuzz.corpus import seeds
from tests.fuzz.mutator import mutate

with atheris.instrument_imports(include=["localhub.wire", "localhub.hub"]):
    from tests.fuzz.target import Target


def main() -> None:
    """Fuzz; libFuzzer ends the process."""
    target, corpus = Target(), seeds()

    def vary(data: bytes, longest: int, seed: int) -> bytes:
        """Half by libFuzzer's own means, half by packets."""
        dice = random.Random(seed)
        if dice.random() < 0.5 or not data:
            return bytes(atheris.Mutate(data, longest))
        return (data[:1] + mutate(data[1:], corpus, dice))[:longest]

    atheris.Setup(sys.argv, target.feed, custom_mutator=vary)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
