"""When an accepted id may be forgotten (pure): by age on the store's clock, and by how many came after it.

Ids that were delivered may not crowd out records that were not, so they are never more than have room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

ERAS = 24  # notes of (seq, tick) taken within one horizon: how finely it is kept


@dataclass(frozen=True, slots=True)
class Era:
    """`seq` was the newest when the store's clock showed `tick` ms."""

    seq: int
    tick: int


@dataclass(slots=True)
class Memory:
    """The notes, oldest first, and the hand that goes round the ids looking for those to forget."""

    eras: list[Era] = field(default_factory=list)
    hand: bytes | str = ""
    owed: int = 0  # ids accepted since the hand last moved
    quiet: int = 0  # no note is due before the store's clock shows this
    passed: int = 0  # ids that the hand met in this round ...
    passed_bytes: int = 0
    last_length: float | None = None  # ... and their mean length in the one before
    known: int = 0  # ids taken over from an earlier store

    def length(self) -> float | None:
        """Bytes of an id, on average; None as long as the hand has met none."""
        if self.last_length is None and self.passed:
            return self.passed_bytes / self.passed
        return self.last_length

    def meet(self, n: int, size: int) -> None:
        """The hand moves on over `n` ids of `size` bytes together."""
        self.passed += n
        self.passed_bytes += size

    def begin_round(self) -> None:
        """The hand is behind the last id, and begins anew."""
        if self.passed:
            self.last_length = self.passed_bytes / self.passed
        self.hand, self.passed, self.passed_bytes = "", 0, 0


def due(eras: Sequence[Era], tick: int, horizon_ms: int) -> bool:
    """Whether it is time for the next note."""
    return not eras or tick - eras[-1].tick >= horizon_ms // ERAS


def cutoff(eras: Sequence[Era], newest_seq: int, tick: int, *, horizon_ms: int, horizon_ids: int) -> int:
    """Ids with a seq up to this one may be forgotten."""
    by_number = newest_seq - horizon_ids
    old = [era.seq for era in eras if era.tick <= tick - horizon_ms]
    return max(0, by_number, old[-1] if old else 0)


def outdated(eras: Sequence[Era], tick: int, horizon_ms: int) -> list[Era]:
    """Notes that no cut will need again: all but the newest of those that are older than the horizon."""
    return [era for era in eras if era.tick <= tick - horizon_ms][:-1]
