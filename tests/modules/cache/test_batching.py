from hypothesis import given, settings
from hypothesis import strategies as st

from modules.cache.batching import MOST_MEMBERS, divide
from modules.common.messages import METERED


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(1, 9000), max_size=600), most=st.integers(4096, 60_000))
def test_all_are_in_their_order_and_none_is_too_large(sizes: list[int], most: int) -> None:
    full, rest = divide(sizes, most)
    assert sum(full) + rest == len(sizes)
    place = 0
    for n in [*full, rest]:
        members = sizes[place : place + n]
        place += n
        assert n <= MOST_MEMBERS
        assert n == 1 or sum(members) <= most
        assert n == 1 or max(members, default=0) <= METERED
    assert not rest or sum(sizes[-rest:]) <= most


def test_only_what_is_full_is_made_up() -> None:
    assert divide([1000] * 3, 4096) == ([], 3)
    assert divide([1000] * 9, 4096) == ([4, 4], 1)
    assert divide([100, 5000, 100], 8000) == ([1, 1], 1)
