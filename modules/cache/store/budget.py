"""How a bound in bytes is divided among the store's files (pure arithmetic)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

PAGE = 4096
FRAME = PAGE + 24  # a page in the WAL
WAL_HEADER = 32
KIB = 1024
MIB = 1024 * KIB
SMALL_FILES = 64 * KIB  # keys.json, and room for it to be replaced
LEAST_BOUND = 4 * MIB  # below it a 256 KB message has no room beside the WAL

# A row up to this size shares its page; what a table leaf holds of a longer one, and what an overflow page holds.
_SHARES_PAGE = 1300
_OVERFLOW = PAGE - 4
_ROW_OVERHEAD = 200  # columns beside the body, at their longest usual
STEP_FRAMES = 120  # of a step of upkeep: some dozen rows or moved pages, and what leads to them
BASE_FRAMES = 32  # written once in a transaction at most: inner pages, splits, free lists, notes
FEW_PAGES = 6  # beside the leaves of a record or a few
RESERVE = 24  # pages kept free for the splits and the bookkeeping of deleting
_IDS_SHARE = 4  # remembered ids may take one page in so many
_ID_OVERHEAD = 14  # bytes beside an id in its row: its seq, lengths, types and where it lies in the page
_ID_SLACK = 2  # pages are two thirds full, and of four rows one waits for the hand that forgets it


@dataclass(frozen=True, slots=True)
class Budget:
    """The shares of one bound: bytes for the WAL and the ballast, pages for the database."""

    bound: int
    wal: int
    ballast: int
    pages: int
    frames: int
    """Pages that fit in the WAL's share."""
    most_frames: int
    """Pages that one transaction may write: the other half is what the WAL holds before it is checkpointed."""

    @classmethod
    def of(cls, bound: int) -> Self:
        """Divide `bound` bytes; raises ValueError below LEAST_BOUND."""
        if bound < LEAST_BOUND:
            raise ValueError(f"a bound of {bound} bytes is below the least, {LEAST_BOUND}")
        wal = min(max(bound // 8, MIB), 8 * MIB)
        ballast = min(max(bound // 32, 64 * KIB), 4 * MIB)
        pages = (bound - wal - ballast - SMALL_FILES) // PAGE
        frames = (wal - WAL_HEADER) // FRAME
        return cls(bound, wal, ballast, pages, frames, frames // 2)

    def most_ids(self, length: float) -> int:
        """How many ids of `length` bytes each, on average, may be remembered: the rest of the pages is for records."""
        return int(self.pages * PAGE / _IDS_SHARE / _ID_SLACK / (length + _ID_OVERHEAD))


def pages_for(size: int) -> int:
    """Database pages that a record of `size` sealed bytes may take, at most, in 1/16 of a page."""
    row = size + _ROW_OVERHEAD
    if row <= _SHARES_PAGE:
        return -(-row * 16 // _SHARES_PAGE)
    return 16 * (1 + row // _OVERFLOW)


def pages_for_all(leaves: int, n: int) -> int:
    """Pages that `n` records take at most, their ids and the inner pages of the trees included."""
    return leaves + leaves // 50 + n // 50 + FEW_PAGES


def frames_for(leaves: int, n: int) -> int:
    """Pages that storing `n` records writes at most, beside BASE_FRAMES: each id may lie on a page of its own."""
    return leaves + n


def leaves_for_one(size: int) -> int:
    """No less than `leaves_for` says of one record, a fiftieth of it included, and quicker to say."""
    return size // KIB + 2


def leaves_for(sizes: Sequence[int]) -> int:
    """Pages that the records themselves take at most."""
    if not sizes or max(sizes) > _OVERFLOW - _ROW_OVERHEAD:
        return sum(map(pages_for, sizes)) // 16 + 1
    return (sum(sizes) + len(sizes) * _ROW_OVERHEAD) // _SHARES_PAGE + 1  # no less, and quicker to say
