"""A process to be killed: `python tests/crash/appender.py FOLDER`; each number on its input starts one more child.

A child begins behind its number, works on the store as fast as it can and says what is done, a line each: `a ID`
before and `A ID` after an append is acknowledged, `c ID` and `C ID` likewise for the delivery of everything up to that
record. It imports only the store.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from modules.cache.record import Record
from modules.cache.sealing import Sealer
from modules.cache.store import LEAST_BOUND, Append, Appended, Confirm, Hand, Limits, Store

LIMITS = Limits(bound=LEAST_BOUND)
KEYS = {1: b"k" * 32}


def say(what: str, message_id: str = "") -> None:
    os.write(1, f"{what} {message_id}\n".encode())


def record(number: int) -> Record:
    return Record(
        message_id=f"id {number:08}",
        priority=number % 3,
        kind="window",
        source="s",
        source_seq=number,
        payload=number.to_bytes(4, "big") * (50 + number % 700),
    )


def work(folder: Path, number: int) -> None:
    store = Store.open(folder, Sealer(KEYS), limits=LIMITS)
    say("open")
    while True:
        number += 1
        say("a", record(number).message_id)
        (result,) = store.apply([Append([record(number)])])
        assert isinstance(result, Appended)
        assert not result.dropped
        say("A", record(number).message_id)
        if number % 7 == 0:
            priority = number // 7 % 3
            found = store.peek(priority, store.flight(priority).handed, most=20, most_bytes=1 << 20)
            if found:
                store.apply([Hand(priority, found[-1].seq, 0)])
                say("c", found[-1].message_id)
                store.apply([Confirm(priority, found[-1].seq)])
                say("C", found[-1].message_id)
        store.upkeep()


def main() -> None:
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(folder, int(line))
        say("pid", str(child))
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
