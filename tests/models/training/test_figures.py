"""The figures of a card against SciPy's, and against maps whose answer is plain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.training.figures import at_most, even_odds, placed


@given(total=st.integers(1, 3000), data=st.data())
def test_the_bound_is_clopper_and_pearson_s(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, min(total, 40)))
    exact = 1.0 if count == total else float(stats.beta.ppf(0.95, count + 1, total - count))
    assert at_most(count, total) == pytest.approx(exact, abs=1e-6)


def test_nothing_seen_in_few_trials_bounds_little() -> None:
    assert at_most(0, 1) == pytest.approx(0.95)
    assert at_most(0, 14) == pytest.approx(0.193, abs=1e-3)


def test_a_map_meets_its_mask_where_it_is_hottest() -> None:
    mask = np.zeros((6, 8))
    mask[1:3, 2:4] = 1.0
    elsewhere = np.zeros((6, 8))
    elsewhere[5, 7] = 9.0
    found = placed([mask * 5, elsewhere], [mask, mask])
    assert (found["peak_in_mask"]["right"], found["peak_in_mask"]["total"]) == (1, 2)
    assert placed([mask * 5], [mask])["cell_auroc"] == 1.0
    assert placed([-mask], [mask])["cell_auroc"] == 0.0


def test_a_peak_beside_the_mask_meets_it_and_one_further_off_does_not() -> None:
    mask, heat = np.zeros((5, 5)), np.zeros((5, 5))
    mask[2, 2] = 0.2
    heat[2, 3] = 1.0
    assert placed([heat], [mask])["peak_in_mask"]["right"] == 1
    assert placed([np.roll(heat, 1, axis=1)], [mask])["peak_in_mask"]["right"] == 0


@given(offset=st.floats(-20, 20), unit=st.floats(0.05, 20), seed=st.integers(0, 2**32 - 1))
def test_evidence_is_scaled_to_the_odds_it_was_drawn_by(offset: float, unit: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    odds = random.normal(0, 3, 4000)
    positive = random.random(4000) < 1 / (1 + np.exp(-odds))
    found = even_odds(offset + unit * odds, positive)
    assert found[0] == pytest.approx(offset, abs=0.3 * unit)
    assert found[1] == pytest.approx(unit, rel=0.2, abs=1e-3)


def test_evidence_that_parts_the_two_wholly_has_a_scale() -> None:
    offset, unit = even_odds(np.array([0.0, 1.0, 2.0, 8.0, 9.0]), np.array([False, False, False, True, True]))
    assert 2 < offset < 8
    assert 0 < unit < 5
