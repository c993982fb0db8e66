"""The cache's store beside what it competes with, the disk itself, plain SQLite, persist-queue, Redis; and its line.

Every peer does the same work in the same run, in turns of some milliseconds, so that a disk that others use slows all
alike. What was appended is counted afterwards in the reopened store: a bench of writes that were not made fails.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import apsw

from bench._intake import intake
from bench.claim import Claim
from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import Append, Appended, Limits, Store, schema
from modules.cache.store.budget import MIB

SIZE = 1024
GROUP = 100
KEYS = {1: b"k" * 32}
SMALL_BOUND = 8 * MIB
_PLAIN = (
    "plain SQLite, the same pragmas: INSERT of id and body, unsealed, into one table with an index on the id,"
    " each in a transaction of its own, checkpoints by itself"
)
Work = Callable[[list[Record]], None]


def run(*, quick: bool) -> dict[str, Claim]:
    """All claims that can be measured here; peers that are not installed leave theirs out."""
    singles, groups = (300, 20) if quick else (4000, 150)
    with tempfile.TemporaryDirectory(prefix="bench-cache-") as name:
        folder = Path(name)
        alone = _single(folder, singles) | _group(folder, groups) | _bound(folder, 150 if quick else 1500)
        return alone | _line(folder, 1 if quick else 5)


def _records(n: int) -> list[Record]:
    """Fresh ones, each with a UUIDv7 as the modules make them."""
    now = time.time_ns() // 1_000_000
    return [
        Record(
            message_id=str(uuid.UUID(int=now << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(7)))),
            priority=1,
            kind="window",
            source="press4/bearing1",
            source_seq=number,
            payload=os.urandom(SIZE),
        )
        for number in range(n)
    ]


def _in_turns(works: dict[str, Work], rounds: int, per_round: int) -> dict[str, list[float]]:
    """Seconds that each of the works took for `per_round` records, `rounds` times, done in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work(_records(per_round))  # files made, caches warm
    for number in range(rounds):
        order = list(works)[number % len(works) :] + list(works)[: number % len(works)]
        for name in order:
            records = _records(per_round)
            begun = time.perf_counter()
            works[name](records)
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def _times_as_fast(seconds: dict[str, list[float]], peer: str) -> float:
    """How many times as fast as a peer the store is: the median of the rounds, so that no stall of the disk decides."""
    return median(theirs / ours for theirs, ours in zip(seconds[peer], seconds["store"], strict=True))


def _single(folder: Path, n: int) -> dict[str, Claim]:
    per_round = 25
    rounds = n // per_round
    with ExitStack() as stack:
        works: dict[str, Work] = {
            "store": stack.enter_context(_store_one_by_one(folder / "single")),
            "fdatasync": stack.enter_context(_fdatasync(folder / "raw", (n + 2 * per_round) * SIZE)),
            "sqlite": stack.enter_context(_sqlite(folder / "plain.db")),
        }
        seconds = _in_turns(works, rounds, per_round)
    _check(folder / "single", (rounds + 1) * per_round)
    raw, plain = _times_as_fast(seconds, "fdatasync"), _times_as_fast(seconds, "sqlite")
    one = f"; {1e6 * median(seconds['fdatasync']) / per_round:.0f} us a sync here"
    return {
        "single_vs_fdatasync": Claim(raw, "x", 0.4, 0.6, f"pwrite + fdatasync into a preallocated file{one}"),
        "single_vs_sqlite": Claim(plain, "x", 0.7, 0.9, _PLAIN),
    }


def _group(folder: Path, rounds: int) -> dict[str, Claim]:
    with ExitStack() as stack:
        works: dict[str, Work] = {"store": stack.enter_context(_store_in_groups(folder / "group"))}
        if importlib.util.find_spec("persistqueue"):
            works["persist-queue"] = stack.enter_context(_persist_queue(folder / "persist-queue"))
        if importlib.util.find_spec("redis") and shutil.which("redis-server"):
            works["redis"] = stack.enter_context(_redis(folder / "redis"))
        seconds = _in_turns(works, rounds, GROUP)
    _check(folder / "group", (rounds + 1) * GROUP)
    claims = {"group_per_s": Claim(GROUP / median(seconds["store"]), "records/s", 20_000, 60_000)}
    if "persist-queue" in seconds:
        ratio = _times_as_fast(seconds, "persist-queue")
        claims["vs_persist_queue"] = Claim(ratio, "x", 3, 10, "persist-queue's SQLiteQueue, put one by one")
    if "redis" in seconds:
        ratio = _times_as_fast(seconds, "redis")
        claims["vs_redis"] = Claim(ratio, "x", 0.7, 1.5, "Redis, appendfsync always, pipelines of 100")
    return claims


def _bound(folder: Path, n: int) -> dict[str, Claim]:
    """The most that the files ever took over a small bound, while eight times as much comes as fits."""
    place = folder / "bound"
    place.mkdir()
    store = Store.open(place, Sealer(KEYS), limits=Limits(bound=SMALL_BOUND))
    over = 0
    for number in range(n):
        records = [
            Record(
                message_id=f"{number} {index}",
                priority=1 + number % 2,
                kind="window",
                source="s",
                source_seq=index,
                payload=os.urandom((number * 7919) % 40_000 // (1 + index)),
            )
            for index in range(1 + number % 5)
        ]
        store.apply([Append(records)])
        over = max(over, sum(item.stat().st_size for item in place.iterdir()) - SMALL_BOUND)
    store.close()
    return {"over_bound_bytes": Claim(max(0, over), "bytes", 0, 0, lower_is_better=True)}


def _line(folder: Path, times: int) -> dict[str, Claim]:
    """Into the real module through localhub, and out of it to the cloud."""
    (place := folder / "line").mkdir()
    with intake(place) as line:
        one = line.records_per_s(1, 300 * times)
        out = line.drained_per_s()
        ten = line.records_per_s(10, 150 * times)
        hundred = line.records_per_s(100, 60 * times)
    peer = "the module through localhub and the SDK, one message in flight, messages of"
    return {
        "line1_per_s": Claim(one, "records/s", 300, 700, f"{peer} 1 record of 0.45 KB"),
        "line10_per_s": Claim(ten, "records/s", 2_500, 6_000, f"{peer} 10 records"),
        "line100_per_s": Claim(hundred, "records/s", 10_000, 30_000, f"{peer} 100 records"),
        "drain_per_s": Claim(
            out, "records/s", 200, 600, "to the cloud, unbatched; the SDK sends 1,100 messages/s at most"
        ),
    }


def _open(place: Path) -> Store:
    place.mkdir(exist_ok=True)
    return Store.open(place, Sealer(KEYS), limits=Limits(bound=512 * MIB))


def _check(place: Path, n: int) -> None:
    store = _open(place)
    found = store.stats().priorities[1].depth
    damaged = store.check_file()
    store.close()
    if found != n or damaged:
        raise RuntimeError(f"{n} records were measured and {found} are there {damaged or ''}")


@contextmanager
def _store_one_by_one(place: Path) -> Iterator[Work]:
    store = _open(place)

    def work(records: list[Record]) -> None:
        for record in records:
            store.apply([Append([record])])

    yield work
    commits, stored = store.stats().commits, store.stats().priorities[1].depth
    store.close()
    if commits < stored:
        raise RuntimeError(f"{stored} records in {commits} commits: not one by one")


@contextmanager
def _store_in_groups(place: Path) -> Iterator[Work]:
    store = _open(place)

    def work(records: list[Record]) -> None:
        (result,) = store.apply([Append(records)])
        if result != Appended(len(records)):
            raise RuntimeError(f"not stored: {result}")

    yield work
    store.close()


@contextmanager
def _fdatasync(path: Path, size: int) -> Iterator[Work]:
    """The least that durable can cost: the bytes, in order, into a file whose blocks are already there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(descriptor, bytes(size), 0)  # written, not only allocated: no metadata changes with a later write
    os.fsync(descriptor)
    place = 0

    def work(records: list[Record]) -> None:
        nonlocal place
        for record in records:
            os.pwrite(descriptor, record.payload, place)
            os.fdatasync(descriptor)
            place += SIZE

    yield work
    os.close(descriptor)


@contextmanager
def _sqlite(path: Path) -> Iterator[Work]:
    connection = apsw.Connection(str(path))
    schema.set_pragmas(connection)
    connection.execute("CREATE TABLE record(seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB)")

    def work(records: list[Record]) -> None:
        for record in records:
            connection.execute("INSERT INTO record(id, body) VALUES(?,?)", (record.message_id, record.payload))

    yield work
    connection.close()


@contextmanager
def _persist_queue(folder: Path) -> Iterator[Work]:
    import persistqueue  # noqa: PLC0415 -- a peer that need not be there

    waiting = persistqueue.SQLiteQueue(str(folder), auto_commit=True)

    def work(records: list[Record]) -> None:
        for record in records:
            waiting.put(record.payload)

    yield work
    waiting.close()


@contextmanager
def _redis(folder: Path) -> Iterator[Work]:
    import redis  # noqa: PLC0415 -- a peer that need not be there

    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    durable = ["--appendonly", "yes", "--appendfsync", "always"]
    with subprocess.Popen(["redis-server", *options, *durable], stdout=subprocess.DEVNULL) as server:
        client: Any = redis.Redis(port=port)
        _until_answers(client, redis.exceptions.ConnectionError)

        def work(records: list[Record]) -> None:
            with client.pipeline(transaction=False) as pipeline:
                for record in records:
                    pipeline.rpush("queue", record.payload)
                pipeline.execute()

        try:
            yield work
        finally:
            client.close()
            server.terminate()


def _until_answers(client: Any, refused: type[Exception]) -> None:
    for _ in range(200):
        try:
            client.ping()
        except refused:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("redis-server does not answer")
