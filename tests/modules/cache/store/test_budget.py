import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.cache.store.budget import (
    BASE_FRAMES,
    FEW_PAGES,
    LEAST_BOUND,
    PAGE,
    SMALL_FILES,
    Budget,
    frames_for,
    leaves_for,
    leaves_for_one,
    pages_for_all,
)


@given(st.integers(LEAST_BOUND, 1 << 42))
def test_the_shares_are_the_bound(bound: int) -> None:
    budget = Budget.of(bound)
    assert 0 <= bound - (budget.pages * PAGE + budget.wal + budget.ballast + SMALL_FILES) < PAGE
    assert budget.pages * PAGE >= bound // 2


def test_too_small_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="below the least"):
        Budget.of(LEAST_BOUND - 1)


@given(st.integers(0, 330 * 1024))
def test_the_quick_estimate_for_one_record_is_never_short(size: int) -> None:
    leaves = leaves_for([size])
    assert leaves_for_one(size) >= leaves
    assert leaves_for_one(size) + FEW_PAGES >= pages_for_all(leaves, 1)


def test_the_largest_record_fits_one_transaction_of_the_smallest_store() -> None:
    assert BASE_FRAMES + frames_for(leaves_for([330 * 1024]), 1) <= Budget.of(LEAST_BOUND).most_frames
