"""Helpers for the cache's tests: records, messages, stores on a real folder, and a workload API of our own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Clock, Limits, Store
from modules.cache.store.house import House
from modules.cache.workload import WorkloadRefusedError
from modules.common.messages import Message, new_id


class KeyStore:
    """What edged does with a key: wraps it under one of its own, and refuses what another wrapped."""

    def __init__(self, secret: bytes = b"s" * 32) -> None:
        self.secret = secret

    def encrypt(self, plaintext: bytes, iv: bytes) -> bytes:
        return AESGCM(self.secret).encrypt(iv, plaintext, b"cache")

    def decrypt(self, ciphertext: bytes, iv: bytes) -> bytes:
        try:
            return AESGCM(self.secret).decrypt(iv, ciphertext, b"cache")
        except Exception as error:
            raise WorkloadRefusedError("decryption failed", 500) from error


@pytest.fixture
def key_store() -> KeyStore:
    return KeyStore()


@pytest.fixture
def make_record() -> Callable[..., Record]:
    numbers = itertools.count(1)

    def make(
        priority: int = 1,
        payload: bytes = b"payload",
        message_id: str = "",
        source: str = "press4/bearing1",
        kind: str = "window",
    ) -> Record:
        number = next(numbers)
        return Record(
            message_id=message_id or f"id {number}",
            priority=priority,
            kind=kind,
            source=source,
            source_seq=number,
            payload=payload,
        )

    return make


@pytest.fixture
def make_message() -> Callable[..., Message]:
    numbers = itertools.count()

    def make(kind: str = "alert", body: bytes = b'{"value": 1}', **facts: object) -> Message:
        values: dict[str, object] = {
            "body": body,
            "kind": kind,
            "source": "press4/bearing1",
            "seq": next(numbers),
            "time": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
            "message_id": new_id(),
            "content_type": "application/json",
            "content_encoding": "utf-8",
        }
        return Message(**(values | facts))  # type: ignore[arg-type]

    return make


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens the store of this test, as often as it is called; the earlier one must be closed or abandoned."""
    opened: list[Store] = []

    def make(limits: Limits | None = None, keys: dict[int, bytes] | None = None, clock: Clock | None = None) -> Store:
        sealer = Sealer(keys or {1: b"k" * 32})
        opened.append(Store.open(tmp_path, sealer, limits=limits or Limits(bound=LEAST_BOUND), clock=clock))
        return opened[-1]

    yield make
    for store in opened:
        store.abandon()


class Hands:
    """Both clocks of a store, moved by the test; in ms."""

    def __init__(self) -> None:
        self.wall = 1_767_323_045_000
        self.running = 0

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.wall, monotonic=lambda: self.running)

    def advance(self, seconds: float) -> None:
        self.wall += round(1000 * seconds)
        self.running += round(1000 * seconds)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def house(tmp_path: Path, key_store: KeyStore, said: list[str]) -> House:
    return House(
        tmp_path / "state",
        key_store,
        say=said.append,
        limits=Limits(bound=LEAST_BOUND),
        patience_s=2.0,
        sleep=lambda _seconds: None,
    )
