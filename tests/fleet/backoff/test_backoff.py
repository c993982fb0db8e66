from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.backoff import FIRST_S, LONGEST_S, asked, pause

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JITTER = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), st.floats(0, 3600), JITTER)
def test_what_the_hub_asked_for_is_kept_to(attempt: int, seconds: float, jitter: float) -> None:
    assert seconds <= pause(attempt, seconds, jitter) <= seconds * 1.25


@given(st.integers(1, 10_000), JITTER)
def test_a_pause_of_our_own_is_bounded_and_never_nothing(attempt: int, jitter: float) -> None:
    assert FIRST_S / 2 <= pause(attempt, None, jitter) <= LONGEST_S


def test_pauses_double() -> None:
    assert [pause(attempt, None, 0) * 2 / FIRST_S for attempt in range(1, 6)] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
        ({"Retry-After": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert asked(headers, NOW) == seconds
