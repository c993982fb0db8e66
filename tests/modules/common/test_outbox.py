from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import KINDS
from modules.common.outbox import RULES, Outbox, Rule

KEEP = {
    "frame": Rule(3, 100, drop="oldest", urgency=4),
    "health": Rule(1, 100, urgency=1),
    "alert": Rule(3, 100, drop="newest", urgency=0),
}
PUTS = st.lists(st.tuples(st.sampled_from(sorted(KEEP)), st.integers(1, 120)), max_size=40)


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == KINDS


@given(PUTS)
def test_nothing_vanishes_and_no_bound_is_passed(puts: list[tuple[str, int]]) -> None:
    outbox: Outbox[int] = Outbox(KEEP)
    dropped: list[int] = []
    for number, (kind, size) in enumerate(puts):
        room = outbox.room(kind, size)
        gone = outbox.put(kind, number, size)
        assert room == (not gone)
        dropped += gone
        assert outbox.size <= sum(rule.size for rule in KEEP.values())
        assert len(outbox) <= sum(rule.items for rule in KEEP.values())
    taken: list[int] = []
    while (item := outbox.take()) is not None:
        taken.append(item)
    assert sorted(taken + dropped) == list(range(len(puts)))
    assert (len(outbox), outbox.size) == (0, 0)
    for kind in KEEP:
        of_kind = [number for number in taken if puts[number][0] == kind]
        assert of_kind == sorted(of_kind)
    urgencies = [KEEP[puts[number][0]].urgency for number in taken]
    assert urgencies == sorted(urgencies)


@given(st.lists(st.integers(1, 20), min_size=4, max_size=20))
def test_the_newest_frames_stay_and_the_oldest_alerts_stay(sizes: list[int]) -> None:
    frames: Outbox[int] = Outbox(KEEP)
    alerts: Outbox[int] = Outbox(KEEP)
    for number, size in enumerate(sizes):
        frames.put("frame", number, size)
        alerts.put("alert", number, size)
    assert [frames.take() for _ in range(3)] == list(range(len(sizes)))[-3:]
    assert [alerts.take() for _ in range(3)] == [0, 1, 2]


def test_what_can_never_fit_drops_only_itself() -> None:
    outbox: Outbox[str] = Outbox(KEEP)
    assert outbox.put("frame", "small", 10) == []
    assert outbox.put("frame", "huge", 101) == ["huge"]
    assert outbox.take() == "small"
