"""edgeHub is played by a list; whatever it does, nothing is confirmed that it still holds or has lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.cache.flight import Flight, Reading, Verdict


def handed(n: int, *, instance: str = "a") -> Flight:
    flight = Flight(100, 1 << 20, 3600.0, instance)
    for seq in range(1, n + 1):
        flight.hand(seq, 10, float(seq))
    return flight


def test_the_window_is_of_records_and_of_bytes() -> None:
    flight = Flight(2, 100, 3600.0)
    assert flight.room(1000), "one message always may go"
    flight.hand(1, 60, 0.0)
    assert flight.room(40)
    assert not flight.room(41)
    flight.hand(2, 1, 0.0)
    assert not flight.room(1)
    flight.confirm(1)
    assert flight.room(99)


def test_what_the_queue_no_longer_holds_is_confirmed() -> None:
    flight = handed(5)
    finding = flight.judge(Reading(2, "a"), flight.newest, 10.0)
    assert (finding.verdict, finding.seq, finding.n) == (Verdict.DRAINED, 3, 3)


def test_a_queue_longer_than_what_was_handed_confirms_nothing() -> None:
    flight = handed(5)
    assert flight.judge(Reading(9, "a"), flight.newest, 10.0).verdict is Verdict.WAIT


def test_what_was_handed_while_it_was_read_is_not_counted() -> None:
    flight = handed(5)
    newest = flight.newest
    flight.hand(6, 10, 6.0)
    finding = flight.judge(Reading(0, "a"), newest, 10.0)
    assert finding.seq == 5


def test_another_edgehub_with_a_short_queue_has_lost_it() -> None:
    flight = handed(5)
    assert flight.judge(Reading(4, "b"), flight.newest, 10.0).verdict is Verdict.LOST
    assert flight.instance == "a", "until it is handed again"


def test_another_edgehub_that_still_holds_all_of_it_has_kept_its_store() -> None:
    flight = handed(5)
    assert flight.judge(Reading(5, "b"), flight.newest, 10.0).verdict is Verdict.WAIT
    assert flight.judge(Reading(1, "b"), flight.newest, 10.0).seq == 4


def test_what_had_lain_as_long_as_the_routes_time_to_live_may_have_expired() -> None:
    flight = handed(5)
    assert flight.judge(Reading(0, "a"), flight.newest, 3601.5).verdict is Verdict.LOST


@pytest.mark.parametrize("trouble", ["other", "lose"])
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_nothing_is_confirmed_that_was_not_delivered(trouble: str, data: st.DataObject) -> None:
    """A first-in-first-out queue and restarts of edgeHub: others use the queue too, or edgeHub loses its store.

    Not both: then no figure of edgeHub's tells whose messages are in a long queue (docs/formats/cache.md, Send again).
    """
    flight = Flight(20, 1 << 20, 1e9, "0")
    queue: list[int] = []  # seqs; 0 stands for another sender's
    delivered: set[int] = set()
    instance, seq = 0, 0
    for _ in range(60):
        step = data.draw(st.sampled_from(("hand", "deliver", "look", "restart", "late", trouble)))
        if step == "hand" and flight.room(1):
            seq += 1
            queue.append(seq)
            flight.hand(seq, 1, 0.0)
        elif step == "other":
            queue.append(0)
        elif step == "deliver" and queue:
            delivered.add(queue.pop(0))
        elif step in {"restart", "lose"}:
            instance += 1
            if step == "lose":
                queue.clear()
        elif step in {"look", "late"}:
            newest = flight.newest
            if step == "late" and flight.room(1):  # one is handed between asking and the answer
                seq += 1
                queue.append(seq)
                flight.hand(seq, 1, 0.0)
            finding = flight.judge(Reading(len(queue), str(instance)), newest, 0.0)
            if finding.verdict is Verdict.DRAINED:
                confirmed = [item.seq for item in flight.handed if item.seq <= finding.seq]
                assert len(confirmed) == finding.n
                assert set(confirmed) <= delivered
                flight.confirm(finding.seq)
            elif finding.verdict is Verdict.LOST:
                again = [item.seq for item in flight.handed]
                assert len(again) <= 20
                flight.clear(str(instance))
                for number in again:
                    queue.append(number)
                    flight.hand(number, 1, 0.0)
