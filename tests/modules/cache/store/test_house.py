from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from modules.cache.keyring import Keyring
from modules.cache.operatorkey import OperatorKey, PrivateKey
from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Append, Appended, Confirm, Hand, Limits, Store, StoreDamagedError
from modules.cache.store.house import House

Make = Callable[..., Record]


def test_a_store_opens_again_with_the_key_it_was_made_with(house: House, make_record: Make) -> None:
    store = house.open()
    store.apply([Append([make_record()])])
    store.close()
    store = house.open()
    assert store.stats().priorities[1].depth == 1
    store.abandon()
    assert house.set_aside() == []


def test_a_key_that_cannot_be_unwrapped_sets_the_store_aside(house: House, make_record: Make, said: list[str]) -> None:
    store = house.open()
    store.apply([Append([make_record()])])
    store.close()
    first, house.wrapper.secret = house.wrapper.secret, b"t" * 32  # type: ignore[attr-defined]
    store = house.open()
    assert store.stats().priorities[1].depth == 0
    assert store.apply([Append([make_record()])]) == [Appended(1)]
    store.close()
    (aside,) = house.set_aside()
    assert aside.reason == "key"
    assert aside.size > 0
    assert any("key of the store" in line for line in said)

    # What the advice says: with the old key store back, the folder can be the store again.
    house.wrapper.secret = first  # type: ignore[attr-defined]
    house.live.rename(house.root / "other")
    aside.folder.rename(house.live)
    store = house.open()
    assert store.stats().priorities[1].depth == 1
    store.abandon()


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_lost_keys_come_from_their_copy(house: House, make_record: Make, damage: str, said: list[str]) -> None:
    store = house.open()
    store.apply([Append([make_record(payload=b"kept")])])
    store.close()
    keys = house.live / "keys.json"
    keys.unlink() if damage == "gone" else keys.write_text(keys.read_text()[:40])
    store = house.open()
    assert store.peek(1, 0, most=1, most_bytes=1)[0].payload == b"kept"
    store.abandon()
    assert any("copy" in line for line in said)


def test_a_new_key_seals_and_the_old_one_still_opens(house: House, make_record: Make) -> None:
    store = house.open()
    store.apply([Append([make_record()])])
    changed = house.keys.rotate()
    store.rekey(changed.keys, changed.copy)
    store.apply([Append([make_record()])])
    store.abandon()
    store = house.open()
    assert len(store.peek(1, 0, most=9, most_bytes=1 << 20)) == 2
    store.abandon()


def test_a_damaged_file_is_set_aside_and_what_authenticates_is_saved(
    house: House, make_record: Make, said: list[str]
) -> None:
    store = house.open()
    records = [make_record(priority, b"x" * size) for priority in (0, 1, 2) for size in (10, 900, 9000, 40_000)]
    for record in records:
        store.apply([Append([record])])
    delivered = store.inspect(1)[0]
    store.apply([Hand(1, delivered.seq, 0), Confirm(1, delivered.seq)])
    store.close()
    database = house.live / "queue.db"
    raw = bytearray(database.read_bytes())
    raw[16:100] = bytes(84)  # the header is gone, the pages are not
    database.write_bytes(raw)
    store = house.open()
    saved = [
        record.message_id for priority in (0, 1, 2) for record in store.peek(priority, 0, most=99, most_bytes=1 << 30)
    ]
    assert saved == [record.message_id for record in records if record.message_id != delivered.message_id]
    again = next(record for record in records if record.message_id == delivered.message_id)
    assert store.apply([Append([again])]) == [Appended(0, 1)], "what was delivered is still known"
    store.abandon()
    assert [aside.reason for aside in house.set_aside()] == ["damaged"]
    assert any("11 records were saved" in line for line in said)


def test_a_full_store_that_is_damaged_is_replaced_though_not_all_its_ids_fit(
    house: House, make_record: Make, said: list[str]
) -> None:
    house.limits = Limits(bound=LEAST_BOUND)
    store = house.open()
    for start in range(0, 12_000, 1000):
        store.apply([Append([make_record(1, b"") for _ in range(1000)])])
        store.apply([Confirm(1, start + 1000)])
    while not store.stats().dropped:
        store.apply([Append([make_record(2, b"x" * 1000)])])
    waiting = store.stats().priorities[2].depth
    store.close()
    database = house.live / "queue.db"
    raw = bytearray(database.read_bytes())
    raw[16:100] = bytes(84)
    database.write_bytes(raw)
    store = house.open()
    assert store.stats().priorities[2].depth > 0.95 * waiting
    assert any("accepted once more" in line for line in said)
    assert store.apply([Append([make_record(0, b"x" * 1000)])]) == [Appended(1)]
    store.abandon()


def test_a_store_damaged_while_open_is_replaced_without_asking_for_keys(house: House, make_record: Make) -> None:
    store = house.open()
    store.apply([Append([make_record(payload=b"saved")])])
    store.abandon()
    house.wrapper.secret = b"?" * 32  # type: ignore[attr-defined]
    store = house.replace(StoreDamagedError("as if"))
    assert store.peek(1, 0, most=9, most_bytes=1 << 20)[0].payload == b"saved", "it was only in the WAL"
    store.abandon()


def test_two_stores_set_aside_in_one_second_have_names_of_their_own(house: House) -> None:
    for _ in range(3):
        house.open().abandon()
        house.replace(StoreDamagedError("as if")).abandon()
    assert len(house.set_aside()) == 3


def test_the_folder_is_for_its_owner_only(house: House) -> None:
    house.open().abandon()
    assert Path(house.live).stat().st_mode & 0o777 == 0o700
    assert (house.live / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_rotated_key_is_dropped_when_nothing_needs_it(house: House, make_record: Make) -> None:
    store = house.open()
    store.apply([Append([make_record(payload=b"old")])])
    changed = house.keys.rotate()
    store.rekey(changed.keys, changed.copy)
    store.apply([Append([make_record(payload=b"new")])])
    assert house.keys.retire(store.oldest_key()) is None, "a record is still sealed with it"
    store.apply([Hand(1, 1, 0), Confirm(1, 1)])
    fewer = house.keys.retire(store.oldest_key())
    assert fewer is not None
    assert list(fewer.keys) == [2]
    store.rekey(fewer.keys, fewer.copy)
    store.close()
    store = house.open()
    assert store.peek(1, 0, most=9, most_bytes=1 << 20)[0].payload == b"new"
    store.abandon()


def test_power_lost_while_the_key_is_rotated_costs_nothing(house: House, make_record: Make) -> None:
    store = house.open()
    store.apply([Append([make_record(payload=b"old")])])
    house.keys.rotate()  # keys.json has it, and the store never hears of it
    store.abandon()
    store = house.open()
    store.apply([Append([make_record(payload=b"new")])])
    assert [record.payload for record in store.peek(1, 0, most=9, most_bytes=1 << 20)] == [b"old", b"new"]
    assert store.oldest_key() == 1
    store.abandon()


def test_a_key_store_exchanged_while_the_cache_runs_costs_nothing(
    house: House, make_record: Make, said: list[str]
) -> None:
    store = house.open()
    store.apply([Append([make_record(payload=b"kept")])])
    assert house.keys.check() is None
    house.wrapper.secret = b"t" * 32  # type: ignore[attr-defined]
    changed = house.keys.check()
    assert changed is not None
    store.rekey(changed.keys, changed.copy)
    assert any("wrapped anew" in line for line in said)
    store.close()
    store = house.open()
    assert store.peek(1, 0, most=1, most_bytes=1)[0].payload == b"kept"
    assert house.set_aside() == []
    store.abandon()


def test_an_operator_s_key_opens_what_the_gateway_s_no_longer_does(house: House, make_record: Make) -> None:
    private = X25519PrivateKey.generate()
    store = house.open()
    store.apply([Append([make_record(payload=b"rescued")])])
    changed = house.keys.give(OperatorKey(private.public_key()))
    assert changed is not None
    assert house.keys.give(OperatorKey(private.public_key())) is None
    store.close()
    house.wrapper.secret = b"t" * 32  # type: ignore[attr-defined]
    house.open().abandon()
    (aside,) = house.set_aside()
    assert "--private-key" in aside.advice
    keys = Keyring.decode((aside.folder / "keys.json").read_text()).unwrap_as_operator(PrivateKey(private))
    store = Store.open(aside.folder, Sealer(keys), look=True)
    assert store.peek(1, 0, most=1, most_bytes=1)[0].payload == b"rescued"
    store.abandon()


def test_lost_keys_come_from_the_newest_copy(house: House, make_record: Make) -> None:
    """Also where the newest is only in the WAL, and with the long wrappings of RSA."""
    house.operator = OperatorKey(rsa.generate_private_key(65537, 4096).public_key())
    store = house.open()
    for number in range(3):
        changed = house.keys.rotate()
        store.rekey(changed.keys, changed.copy)
        store.apply([Append([make_record(payload=b"%d" % number)])])
    store.abandon()
    (house.live / "keys.json").unlink()
    store = house.open()
    assert [record.payload for record in store.peek(1, 0, most=9, most_bytes=1 << 20)] == [b"0", b"1", b"2"]
    store.abandon()


def test_replacing_that_failed_half_way_is_done_again(
    house: House, make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new store is whole and the damaged one set aside, but the disk refuses the last step."""
    store = house.open()
    store.apply([Append([make_record()])])
    store.abandon()
    whole = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name == "store.new":
            raise OSError("as if")
        return whole(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="as if"):
        house.replace(StoreDamagedError("as if"))
    assert not house.live.exists()
    monkeypatch.undo()
    store = house.replace(StoreDamagedError("as if"))
    assert store.stats().priorities[1].depth == 1
    assert len(house.set_aside()) == 1
    store.abandon()
