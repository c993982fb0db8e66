"""Rows as lines of a table, one at a time: widths are given, not found, so that no row waits for the last. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

Column = tuple[str, int]  # heading, width; the last column is as wide as it is
_CUT: Final = "…"


def lines(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The heading, then a line for each row; what is wider than its column is cut, and says so with an ellipsis."""
    yield _line(columns, [heading for heading, _ in columns])
    for row in rows:
        yield _line(columns, row)


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    *first, last = cells
    fitted = [_fitted(cell, width) for cell, (_, width) in zip(first, columns, strict=False)]
    return "  ".join((*fitted, _plain(last))).rstrip()


def _fitted(cell: str, width: int) -> str:
    cell = _plain(cell)
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + _CUT


def _plain(cell: str) -> str:
    """Without line breaks and control characters: what a gateway reports does not steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in cell)
