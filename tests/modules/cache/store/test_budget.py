import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.cache.store.budget import BASE_FRAMES, LEAST_BOUND, PAGE, SMALL_FILES, Budget, frames_for, leaves_for


@given(st.integers(LEAST_BOUND, 1 << 42))
def test_the_shares_are_the_bound(bound: int) -> None:
    budget = Budget.of(bound)
    assert 0 <= bound - (budget.pages * PAGE + budget.wal + budget.ballast + SMALL_FILES) < PAGE
    assert budget.pages * PAGE >= bound // 2


def test_too_small_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="below the least"):
        Budget.of(LEAST_BOUND - 1)


def test_the_largest_record_fits_one_transaction_of_the_smallest_store() -> None:
    assert BASE_FRAMES + frames_for(leaves_for([330 * 1024]), 1) <= Budget.of(LEAST_BOUND).most_frames
