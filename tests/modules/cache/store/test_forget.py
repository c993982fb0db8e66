from hypothesis import given
from hypothesis import strategies as st

from modules.cache.store.forget import ERAS, Era, cutoff, due, outdated

HORIZON = 24_000


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=200), st.integers(1, 500))
def test_no_id_within_the_horizon_is_forgotten_and_none_lives_much_longer(steps: list[int], ids: int) -> None:
    eras: list[Era] = []
    ticks: list[int] = []
    tick = 0
    for seq, step in enumerate(steps, 1):
        tick += step
        ticks.append(tick)
        if due(eras, tick, HORIZON):
            eras.append(Era(seq, tick))
            for era in outdated(eras, tick, HORIZON):
                eras.remove(era)
        cut = cutoff(eras, seq, tick, horizon_ms=HORIZON, horizon_ids=ids)
        for known in range(1, seq + 1):
            age, newer = tick - ticks[known - 1], seq - known
            if known <= cut:
                assert age >= HORIZON or newer >= ids
            elif newer >= ids:
                raise AssertionError("too many ids are remembered")
    assert len(eras) <= ERAS + 3
