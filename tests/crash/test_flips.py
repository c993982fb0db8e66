"""Bits flip and files are cut: found, counted, and no more lost than must be."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from modules.cache.record import PRIORITIES, Record
from modules.cache.store import LEAST_BOUND, Append, Appended, Limits, Store, StoreDamagedError
from modules.cache.store.budget import PAGE
from modules.cache.store.house import House

N = 60


class NoKeyStore:
    """Wraps nothing: what is tested here is the store."""

    def encrypt(self, plaintext: bytes, _iv: bytes) -> bytes:
        return plaintext

    def decrypt(self, ciphertext: bytes, _iv: bytes) -> bytes:
        return ciphertext


def house_in(root: Path) -> House:
    return House(root, NoKeyStore(), say=lambda _line: None, limits=Limits(bound=LEAST_BOUND))


def payload(n: int) -> bytes:
    return random.Random(n).randbytes(200 + 977 * (n % 9))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The database of a closed store with N records, and its keys."""
    house = house_in(tmp_path_factory.mktemp("whole"))
    store = house.open()
    for n in range(N):
        record = Record(message_id=f"id {n}", priority=n % 3, kind="k", source="s", source_seq=n, payload=payload(n))
        assert store.apply([Append([record])]) == [Appended(1)]
    store.close()
    return (house.live / "queue.db").read_bytes(), (house.live / "keys.json").read_bytes()


def recovered(root: Path, raw: bytes, keys: bytes) -> tuple[set[int], int, int]:
    """What comes out of a damaged file, all told: numbers delivered whole, drops counted, stores set aside."""
    house = house_in(root)
    house.live.mkdir(parents=True)
    (house.live / "keys.json").write_bytes(keys)
    (house.live / "queue.db").write_bytes(raw)
    store = house.open()
    found: set[int] = set()
    while True:
        try:
            for priority in PRIORITIES:
                found |= delivered(store, priority)
            drops = sum(drop.n for drop in store.stats().dropped)
            new = Record(message_id="new", priority=0, kind="k", source="s", source_seq=0, payload=b"")
            assert store.apply([Append([new])]) == [Appended(1)], "the gateway goes on"
        except StoreDamagedError as error:
            store.abandon()
            store = house.replace(error)
        else:
            break
    store.abandon()
    return found, drops, len(house.set_aside())


def delivered(store: Store, priority: int) -> set[int]:
    found: set[int] = set()
    after = 0
    while records := store.peek(priority, after, most=7, most_bytes=1 << 20):
        for record in records:
            assert record.seq > after, "reordered"
            after = record.seq
            if record.message_id == "new":
                continue
            number = int(record.message_id.removeprefix("id "))
            assert record.payload == payload(number), "a damaged record was delivered"
            found.add(number)
    return found


def flip(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def check_flips(whole: tuple[bytes, bytes], root: Path, seed: int, flips: int) -> None:
    raw, keys = whole
    dice = random.Random(seed)
    for number in range(flips):
        bit = dice.randrange(8 * len(raw))
        found, drops, aside = recovered(root / str(number), flip(raw, bit), keys)
        lost = N - len(found)
        assert lost <= 1, f"bit {bit} of page {bit // 8 // PAGE} cost {lost} records"
        assert not lost or drops or aside, "lost without a word"


def test_a_flipped_bit_costs_at_most_its_record(whole: tuple[bytes, bytes], quick_folder: Path) -> None:
    check_flips(whole, quick_folder, 1, 200)


def test_a_flipped_bit_in_the_keys_costs_nothing(whole: tuple[bytes, bytes], quick_folder: Path) -> None:
    raw, keys = whole
    dice = random.Random(3)
    for number in range(40):
        damaged = flip(keys, dice.randrange(8 * len(keys)))
        found, drops, aside = recovered(quick_folder / str(number), raw, damaged)
        assert (len(found), drops, aside) == (N, 0, 0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_flipped_bits(whole: tuple[bytes, bytes], quick_folder: Path) -> None:
    check_flips(whole, quick_folder, 2, 1000)


def test_a_file_cut_at_any_page_gives_what_is_left(whole: tuple[bytes, bytes], quick_folder: Path) -> None:
    raw, keys = whole
    pages = len(raw) // PAGE
    before = -1
    for cut in range(1, pages):  # an empty file is what a first start leaves that was interrupted
        found, _, aside = recovered(quick_folder / str(cut), raw[: cut * PAGE], keys)
        assert aside or len(found) == N
        assert len(found) >= before - 12, "more of the file, fewer records"
        before = len(found)
    assert before > N // 2
