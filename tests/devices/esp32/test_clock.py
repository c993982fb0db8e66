"""Unix time from a clock that counts from 2000 or 1970, and only when it was set."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.esp32.conftest import Refused

if TYPE_CHECKING:
    from tests.devices.esp32.conftest import Served

IN_2026 = 1_780_000_000_000
SECONDS_1970_TO_2000 = 946_684_800
ASKED = b"question"


@pytest.mark.parametrize(("year", "since"), [(1970, 0), (2000, SECONDS_1970_TO_2000)])
def test_both_epochs_give_unix_time(leaf: Served, year: int, since: int) -> None:
    assert leaf("now", year, (IN_2026 - since * 1000) * 1_000_000) == [IN_2026, True]


def test_a_clock_that_was_never_set_is_not_known(leaf: Served) -> None:
    assert leaf("now", 2000, 3600 * 10**9) == [SECONDS_1970_TO_2000 * 1000 + 3_600_000, False]
    assert leaf("now", 1970, 0) == [0, False]


def answer(seconds: float, first: int = 0x24, stratum: int = 2, repeats: bytes = ASKED) -> bytes:
    """What an NTP server says at ``seconds`` since 1900 (RFC 5905, figure 8)."""
    whole = int(seconds)
    part = int((seconds - whole) * 2**32)
    head = bytes((first, stratum, 0, 0)) + bytes(20)
    return head + repeats + bytes(8) + struct.pack(">II", whole % 2**32, part)


@given(ms=st.integers(IN_2026, IN_2026 + 40 * 365 * 86_400_000))
@settings(max_examples=40)
def test_ntp_also_after_its_era_ends_in_2036(leaf: Served, ms: int) -> None:
    assert leaf("ntp", answer(ms / 1000 + 2_208_988_800), ASKED) == pytest.approx(ms, abs=1)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        answer(4e9)[:47],
        answer(4e9, repeats=b"somebody"),  # not asked by us
        answer(4e9, first=0x23),  # a question
        answer(4e9, first=0xE4),  # not synchronised
        answer(4e9, stratum=0),  # kiss of death
        answer(4e9, stratum=16),
    ],
)
def test_answers_that_are_not_to_be_believed(leaf: Served, wrong: bytes) -> None:
    with pytest.raises(Refused) as caught:
        leaf("ntp", wrong, ASKED)
    assert caught.value.kind == "OSError"
