from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from modules.cache.record import Record
from modules.cache.store import (
    LEAST_BOUND,
    Append,
    Appended,
    Confirm,
    Hand,
    Limits,
    Rewind,
    Store,
    StoreBusyError,
    StoreDamagedError,
    StoreForeignError,
    StoreFullError,
)
from modules.cache.store.budget import MIB

Make = Callable[..., Record]
Open = Callable[..., Store]


def store_of(path: Path) -> int:
    return sum(item.stat().st_size for item in path.iterdir())


def raw(path: Path, statement: str, *values: object) -> None:
    """Damage a closed store with SQL."""
    connection = apsw.Connection(str(path / "queue.db"))
    connection.execute(statement, values)
    connection.close()


def ids(store: Store, priority: int = 1) -> list[str]:
    return [entry.message_id for entry in store.inspect(priority, most=10_000)]


def test_an_id_is_known_over_restarts_and_after_delivery(open_store: Open, make_record: Make) -> None:
    store = open_store()
    record = make_record(message_id="01a2016f-e661-7786-87cd-ecc56a0f2bf2")
    assert store.apply([Append([record])]) == [Appended(1)]
    assert store.apply([Append([record])]) == [Appended(0, 1)]
    store.apply([Hand(1, 1, 0), Confirm(1, 1)])
    store.abandon()
    store = open_store()
    assert ids(store) == []
    assert store.apply([Append([record])]) == [Appended(0, 1)]


def test_a_batch_with_known_and_doubled_ids_stores_each_once(open_store: Open, make_record: Make) -> None:
    store = open_store()
    one, two = make_record(), make_record()
    store.apply([Append([one])])
    assert store.apply([Append([two, one, two])]) == [Appended(1, 2)]
    assert ids(store) == [one.message_id, two.message_id]


def test_many_appends_are_one_commit(open_store: Open, make_record: Make) -> None:
    store = open_store()
    before = store.stats().commits
    assert store.apply([Append([make_record()]) for _ in range(20)]) == [Appended(1)] * 20
    assert store.stats().commits == before + 1


def test_a_message_too_large_for_one_commit_is_stored_in_several(open_store: Open, make_record: Make) -> None:
    store = open_store()
    assert store.apply([Append([make_record(payload=b"x" * 3000) for _ in range(200)])]) == [Appended(200)]
    assert store.stats().priorities[1].depth == 200


def test_nothing_is_in_clear(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    store.apply([Append([make_record(payload=b"a secret of the line" * 20)])])
    assert all(b"secret" not in item.read_bytes() for item in tmp_path.iterdir())
    store.close()
    assert all(b"secret" not in item.read_bytes() for item in tmp_path.iterdir())


def test_a_full_store_refuses_alerts_and_drops_what_may_not_displace(open_store: Open, make_record: Make) -> None:
    store = open_store()
    large = b"x" * 200_000
    results = [store.apply([Append([make_record(0, large)])])[0] for _ in range(20)]
    refused = [result for result in results if isinstance(result, StoreFullError)]
    assert refused
    assert not refused[0].disk
    kept = ids(store, 0)
    assert len(kept) == 20 - len(refused)
    assert store.apply([Append([make_record(2, large)])]) == [Appended(0, 0, 1)]
    assert ids(store, 0) == kept
    assert [(drop.priority, drop.reason, drop.n) for drop in store.stats().dropped] == [(2, "full", 1)]


def test_an_alert_displaces_samples_then_aggregates(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    for priority in (2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1):
        store.apply([Append([make_record(priority, b"x" * 200_000)])])
    first = ids(store, 1)
    while ids(store, 2):
        assert ids(store, 1) == first
        assert store.apply([Append([make_record(0, b"x" * 200_000)])]) == [Appended(1)]
        assert store_of(tmp_path) <= LEAST_BOUND
    store.apply([Append([make_record(0, b"x" * 200_000)]), Append([make_record(0, b"x" * 200_000)])])
    assert ids(store, 1) == first[-len(ids(store, 1)) :], "the oldest go first"
    assert len(ids(store, 1)) < len(first)


def test_what_edgehub_may_hold_or_is_about_to_get_is_not_evicted(open_store: Open, make_record: Make) -> None:
    store = open_store()
    for _ in range(12):
        store.apply([Append([make_record(2, b"x" * 200_000)])])
    oldest = ids(store, 2)[:4]
    store.apply([Hand(2, store.inspect(2)[1].seq, 0)])
    store.peek(2, store.flight(2).handed, most=2, most_bytes=1 << 30)
    for _ in range(12):
        store.apply([Append([make_record(2, b"x" * 200_000)])])
    assert ids(store, 2)[:4] == oldest
    assert store.stats().dropped[0].n > 5


def test_audit_copies_go_before_anything_that_waits(open_store: Open, make_record: Make) -> None:
    store = open_store(Limits(bound=LEAST_BOUND, retention_ms=(10**9,) * 3))
    for _ in range(6):
        store.apply([Append([make_record(1, b"x" * 200_000)])])
    store.apply([Confirm(1, store.inspect(1)[3].seq)])
    assert store.stats().priorities[1].kept == 4
    waiting = ids(store)[4:]
    for _ in range(9):
        store.apply([Append([make_record(1, b"x" * 200_000)])])
    assert [entry.message_id for entry in store.inspect(1) if entry.state == "stored"][:2] == waiting
    assert store.stats().priorities[1].kept < 4
    assert not store.stats().dropped


def test_sent_again_comes_in_the_old_order_and_is_counted(open_store: Open, make_record: Make) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(5)])])
    first = [record.message_id for record in store.peek(1, 0, most=3, most_bytes=1 << 20)]
    store.apply([Hand(1, 3, 0)])
    store.apply([Rewind(1)])
    again = store.peek(1, store.flight(1).handed, most=5, most_bytes=1 << 20)
    assert [record.message_id for record in again][:3] == first
    assert [record.attempts for record in again] == [1, 1, 1, 0, 0]


def test_a_damaged_record_is_quarantined_and_the_next_one_goes(
    open_store: Open, make_record: Make, tmp_path: Path
) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(4)])])
    store.close()
    raw(tmp_path, "UPDATE record1 SET body = zeroblob(length(body)) WHERE seq = 1")
    raw(tmp_path, "UPDATE record1 SET source = 'another' WHERE seq = 2")
    raw(tmp_path, "UPDATE record1 SET kind = CAST(x'ff' AS TEXT) WHERE seq = 3")
    store = open_store()
    assert [record.seq for record in store.peek(1, 0, most=10, most_bytes=1 << 20)] == [4]
    stats = store.stats()
    assert stats.quarantined == 3
    assert stats.priorities[1].depth == 1
    assert [(drop.reason, drop.n) for drop in stats.dropped] == [("damaged", 3)]


def test_all_damaged_is_nothing_left(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(70)])])
    store.close()
    raw(tmp_path, "UPDATE record1 SET body = zeroblob(length(body))")
    store = open_store()
    assert store.peek(1, 0, most=16, most_bytes=1 << 20) == []
    assert store.stats().quarantined == 70


def test_a_mark_that_was_altered_is_not_believed(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(4)])])
    store.apply([Hand(1, 2, 0), Confirm(1, 1)])
    store.close()
    raw(tmp_path, "UPDATE mark SET confirmed = 4, handed = 4 WHERE priority = 1")
    store = open_store()
    assert store.stats().priorities[1].depth == 3
    assert [record.seq for record in store.peek(1, store.flight(1).handed, most=9, most_bytes=1 << 20)] == [2, 3, 4]


def test_records_that_are_counted_and_not_there_are_damage(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store()
    store.apply([Append([make_record() for _ in range(4)])])
    store.close()
    raw(tmp_path, "DELETE FROM record1 WHERE seq = 2")
    store = open_store()
    last = store.peek(1, 0, most=9, most_bytes=1 << 20)[-1]
    with pytest.raises(StoreDamagedError):
        store.peek(1, last.seq, most=9, most_bytes=1 << 20)


def test_space_is_given_back(open_store: Open, make_record: Make, tmp_path: Path) -> None:
    store = open_store(Limits(bound=4 * LEAST_BOUND))
    for _ in range(40):
        store.apply([Append([make_record(1, b"x" * 200_000)])])
    full = (tmp_path / "queue.db").stat().st_size
    store.apply([Confirm(1, store.inspect(1, most=100)[-1].seq)])
    while store.upkeep():
        pass
    assert (tmp_path / "queue.db").stat().st_size < full / 4


def test_two_processes_cannot_hold_it(open_store: Open) -> None:
    open_store()
    with pytest.raises(StoreBusyError):
        open_store()


def test_another_program_s_database_is_refused(open_store: Open, tmp_path: Path) -> None:
    raw(tmp_path, "CREATE TABLE notes(text)")
    with pytest.raises(StoreForeignError):
        open_store()


@pytest.mark.parametrize("size", [10, 5000])
def test_no_database_at_all_is_damage(open_store: Open, tmp_path: Path, size: int) -> None:
    (tmp_path / "queue.db").write_bytes(b"not a database, whatever its name" * size)
    with pytest.raises(StoreDamagedError):
        open_store()


@pytest.mark.parametrize("facts", [{"message_id": "x" * 129}, {"payload": b"x" * 400_000}, {"priority": 3}])
def test_what_no_store_can_hold_is_an_error(open_store: Open, make_record: Make, facts: dict[str, object]) -> None:
    store = open_store()
    with pytest.raises(ValueError, match=r"priority|message id|bytes"):
        store.apply([Append([make_record(**facts)])])


def test_opening_a_large_store_scans_nothing(open_store: Open, make_record: Make) -> None:
    store = open_store(Limits(bound=64 * LEAST_BOUND))
    for _ in range(30):
        store.apply([Append([make_record(1, b"x" * 1000) for _ in range(200)])])
    store.close()
    store = open_store(Limits(bound=64 * LEAST_BOUND))
    status = store._state.connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)[0]
    assert status < 60, "pages read at opening"
    assert store.stats().priorities[1].depth == 6000


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel's own count is Linux's")
@pytest.mark.parametrize("group", [1, 20])
def test_wear_is_what_the_kernel_counts(open_store: Open, make_record: Make, group: int) -> None:
    def written() -> int:
        rows = dict(row.split(": ") for row in Path("/proc/self/io").read_text().splitlines())
        return int(rows["write_bytes"])

    store = open_store(Limits(bound=64 * MIB))
    kernel, mine = written(), store.stats().written_bytes
    for number in range(0, 400, group):
        store.apply([Append([make_record(payload=b"x" * 1000) for _ in range(group)])])
        if number % 100 == 0:
            store.apply([Hand(1, number + 1, 0), Confirm(1, number + 1)])
    kernel, mine = written() - kernel, store.stats().written_bytes - mine
    if not kernel:
        pytest.skip("a file system in memory writes nothing")
    assert mine == pytest.approx(kernel, rel=0.1)
    assert store.stats().appended_bytes == 400 * 1029


def test_fewer_commits_write_less(open_store: Open, make_record: Make) -> None:
    def wear(group: int) -> float:
        store = open_store(Limits(bound=64 * MIB))
        for _ in range(0, 400, group):
            store.apply([Append([make_record(payload=b"x" * 1000) for _ in range(group)])])
        stats = store.stats()
        store.abandon()
        return stats.written_bytes / stats.appended_bytes

    assert wear(20) < wear(5) < wear(1) / 2
