"""False alarms at most at the stated rate, and changes that are found within a window."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.inference.drift.core import Reference, Window, compare, critical_distance, stability

RATE = 0.02
EDGES = tuple(np.linspace(0, 1, 21).tolist())


def reference(values: np.ndarray) -> Reference:
    counts = np.histogram(values, EDGES)[0]
    return Reference(EDGES, tuple((counts / len(values)).tolist()), len(values))


shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=12)


@given(shares, st.integers(50, 3000), st.integers(50, 5000))
def test_a_window_of_the_reference_s_own_shares_does_not_drift(some: list[float], n: int, m: int) -> None:
    expected = np.array(some) / sum(some)
    counts = np.floor(expected * n).astype(int)
    counts[0] += n - counts.sum()
    found = compare(counts.tolist(), Reference(tuple(range(len(some) + 1)), tuple(some), m), rate=0.05, psi=0.0)
    assert found.n == n
    assert found.distance <= len(some) / n
    assert math.isclose(sum(found.shares), 1)


@given(shares, st.integers(100, 3000))
def test_what_lies_in_a_bin_that_was_empty_drifts(some: list[float], n: int) -> None:
    told = Reference(tuple(range(len(some) + 2)), (*some, 0.0), 1000)
    found = compare([0] * len(some) + [n], told, rate=0.001, psi=0.25)
    assert found.drifts
    assert found.grown == {len(some)}


@given(st.integers(50, 5000), st.integers(50, 5000), st.floats(1e-6, 0.2))
def test_larger_windows_and_references_need_less(n: int, m: int, rate: float) -> None:
    here = critical_distance(n, m, rate)
    assert critical_distance(2 * n, m, rate) < here
    assert critical_distance(n, 2 * m, rate) < here
    assert critical_distance(n, m, rate / 2) > here


def test_the_index_is_the_published_one() -> None:
    """Two bins, 0.5 and 0.5 against 0.6 and 0.4: (0.1 ln 1.2) + (-0.1 ln 0.8)."""
    expected = 0.1 * math.log(1.2) - 0.1 * math.log(0.8)
    assert math.isclose(stability([600, 400], [0.5, 0.5], 1000), expected, rel_tol=1e-9)
    assert stability([500, 500], [0.5, 0.5], 1000) == 0
    assert math.isfinite(stability([1000, 0], [0.0, 1.0], 1000))


@pytest.mark.parametrize("m", [300, 1000])
@pytest.mark.parametrize("shape", ["even", "peaked", "two"])
def test_false_alarms_stay_below_the_stated_rate(m: int, shape: str) -> None:
    """By simulation, the reference drawn anew each time: of 1,000 windows 20 are allowed, 33 are 3 sigma."""
    rng = np.random.default_rng(7)
    draws: dict[str, Callable[[int], np.ndarray]] = {
        "even": rng.random,
        "peaked": lambda count: rng.beta(0.3, 8, count),
        "two": lambda count: np.where(rng.random(count) < 0.1, rng.beta(9, 2, count), rng.beta(2, 9, count)),
    }
    drawn = draws[shape]
    alarms = 0
    for _ in range(1000):
        counts = np.histogram(drawn(200), EDGES)[0].tolist()
        alarms += compare(counts, reference(drawn(m)), rate=RATE, psi=0.0).drifts
    assert alarms < 33


@pytest.mark.parametrize("shift", [0.15, -0.15])
def test_a_shift_is_found_within_one_window(shift: float) -> None:
    rng = np.random.default_rng(8)
    told = reference(rng.normal(0.5, 0.1, 1000))
    found = 0
    for _ in range(200):
        window = Window(told)
        findings = [window.take(value, n=200, rate=0.001, psi=0.1) for value in rng.normal(0.5 + shift, 0.1, 200)]
        assert findings[:-1] == [None] * 199
        assert findings[-1] is not None
        found += findings[-1].drifts
    assert found == 200


def test_values_outside_fall_into_the_first_and_last_bin() -> None:
    told = Reference((0.0, 1.0, 2.0), (0.5, 0.5), 100)
    assert [told.bin_of(value) for value in (-5, 0, 0.99, 1, 2, 9)] == [0, 0, 0, 1, 1, 1]
