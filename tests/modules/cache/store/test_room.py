from hypothesis import given
from hypothesis import strategies as st

from modules.cache.store.room import Occupancy, Source, Victim, next_victim

counts = st.dictionaries(st.sampled_from((0, 1, 2)), st.integers(0, 3))


def test_what_was_delivered_goes_first_the_lowest_first() -> None:
    full = Occupancy(kept={0: 1, 1: 1, 2: 1}, quarantined=1, stored={0: 1, 1: 1, 2: 1})
    assert next_victim(0, full) == Victim(Source.KEPT, 2)
    assert next_victim(0, Occupancy({0: 1}, 1, {2: 1})) == Victim(Source.KEPT, 0)
    assert next_victim(0, Occupancy({}, 1, {2: 1})) == Victim(Source.QUARANTINE, 0)


def test_the_lowest_priority_goes_before_the_others() -> None:
    assert next_victim(0, Occupancy({}, 0, {0: 1, 1: 1, 2: 1})) == Victim(Source.STORED, 2)
    assert next_victim(0, Occupancy({}, 0, {0: 1, 1: 1})) == Victim(Source.STORED, 1)
    assert next_victim(2, Occupancy({}, 0, {0: 1, 1: 1})) is None, "a sample displaces no aggregate"
    assert next_victim(1, Occupancy({}, 0, {0: 1, 1: 1})) == Victim(Source.STORED, 1)


@given(st.sampled_from((0, 1, 2)), counts, st.integers(0, 2), counts)
def test_a_stored_alert_never_goes(
    incoming: int, kept: dict[int, int], quarantined: int, stored: dict[int, int]
) -> None:
    victim = next_victim(incoming, Occupancy(kept, quarantined, stored))
    assert victim != Victim(Source.STORED, 0)
    if victim is not None and victim.source is Source.STORED:
        assert victim.priority >= incoming
        assert not any(kept.values())
