from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from fleet.table import lines

COLUMNS = [("name", 6), ("n", 3), ("rest", 4)]


def test_rows_stand_below_their_headings_and_what_is_too_wide_is_cut_visibly() -> None:
    assert list(lines(COLUMNS, [["a", "1", "all of it"], ["longer than six", "12345", ""]])) == [
        "name    n    rest",
        "a       1    all of it",
        "longe…  12…",
    ]


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=3))
def test_no_cell_breaks_a_line_or_steers_the_terminal(rows: list[tuple[str, str, str]]) -> None:
    found = list(lines(COLUMNS, rows))
    assert len(found) == len(rows) + 1
    assert all(line.isprintable() for line in found)


def test_rows_are_drawn_one_at_a_time() -> None:
    def endless() -> Iterator[list[str]]:
        while True:
            yield ["x", "y", "z"]

    drawn = lines(COLUMNS, endless())
    assert [next(drawn) for _ in range(3)][1:] == ["x       y    z"] * 2
