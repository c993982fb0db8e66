"""How long to wait before the next try: exponential, with jitter, so that modules do not come back all at once."""

import random
from collections.abc import Iterator


def backoff(
    *, first: float, factor: float = 2.0, longest: float, jitter: random.Random | None = None
) -> Iterator[float]:
    """Seconds to wait before each further try, without end.

    Each is drawn between half of and the whole of `first * factor ** n`, at most `longest`.
    """
    draw = (jitter or random.Random()).uniform  # noqa: S311 - spreads load, guards nothing
    step = first
    while True:
        yield draw(step / 2, step)
        step = min(step * factor, longest)
