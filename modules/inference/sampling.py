"""Which inputs go up as samples, so that a model can be taught better: uncertain ones, odd ones, and some at random.

Pure; time is passed in, in seconds. The rate is bounded per source and in all, whatever the models say: one dirty lens
must use up neither the link nor the other sources' share.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

_SAVED: Final = 6  # a token bucket holds what one sixth of an hour brings, and at least one
_SOURCES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rates:
    """How many at most, and how many of the inputs that nothing is remarkable about."""

    per_hour: float = 60.0
    source_per_hour: float = 20.0
    random_share: float = 0.0005


@dataclass(slots=True)
class Bucket:
    """A token bucket."""

    tokens: float = 1.0
    last: float | None = None

    def filled(self, now: float, per_hour: float) -> float:
        """Tokens there are now."""
        if self.last is not None:
            room = max(1.0, per_hour / _SAVED)
            self.tokens = min(room, self.tokens + max(0.0, now - self.last) * per_hour / 3600)
        self.last = now
        return self.tokens if per_hour > 0 else 0.0


@dataclass(slots=True)
class Sampling:
    """What was allowed so far."""

    _all: Bucket = field(default_factory=Bucket)
    _of: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    def allows(self, source: str, now: float, rates: Rates) -> bool:
        """Whether one more of `source` may go; it is counted then. A refused one costs no token."""
        bucket = self._of.pop(source, None) or Bucket()
        self._of[source] = bucket
        if len(self._of) > _SOURCES:
            self._of.popitem(last=False)
        theirs, everyones = bucket.filled(now, rates.source_per_hour), self._all.filled(now, rates.per_hour)
        if theirs < 1.0 or everyones < 1.0:
            return False
        bucket.tokens -= 1.0
        self._all.tokens -= 1.0
        return True


def reason(message_id: str, *, uncertain: bool, odd: bool, random_share: float, drifted: bool = False) -> str | None:
    """Why an input is worth keeping: `odd`, `drift`, `uncertain` or `random`; None when it is not.

    Chance is made of the id, so that an input that is handled again meets the same.
    """
    if odd:
        return "odd"
    if drifted:
        return "drift"
    if uncertain:
        return "uncertain"
    draw = int.from_bytes(blake2b(message_id.encode(), digest_size=8, person=b"sampling").digest(), "big")
    return "random" if draw < random_share * 2**64 else None
