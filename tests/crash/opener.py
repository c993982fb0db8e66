"""`python tests/crash/opener.py FOLDER`: open a store, use it, and print what that took as JSON.

`ready_s`: from the start of this process to the first record taken and the first one peeked, its figures asked for too.
`rss_mb`: the most memory it had, after two thousand records more had been taken, handed and confirmed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from modules.cache.record import PRIORITIES, Record
from modules.cache.sealing import Sealer
from modules.cache.store import Append, Confirm, Hand, Store
from tests.crash.bulk import KEYS, LIMITS


def record(number: int) -> Record:
    return Record(
        message_id=f"new {number}", priority=number % 3, kind="k", source="s", source_seq=number, payload=bytes(900)
    )


def age_s() -> float:
    """Seconds since this process began (proc(5), stat field 22)."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def most_memory_mb() -> float:
    """The most this process had (proc(5), VmHWM); getrusage would give that of the one that started it."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def main() -> None:
    store = Store.open(Path(sys.argv[1]), Sealer(KEYS), limits=LIMITS)
    store.apply([Append([record(0)])])
    waiting = sum(depth.depth for depth in store.stats().priorities)
    first = store.peek(1, store.flight(1).handed, most=32, most_bytes=1 << 20)
    ready_s = age_s()
    for number in range(1, 2000):
        store.apply([Append([record(number)])])
    for priority in PRIORITIES:
        found = store.peek(priority, store.flight(priority).handed, most=100, most_bytes=1 << 20)
        store.apply([Hand(priority, found[-1].seq, 0)])
        store.apply([Confirm(priority, found[-1].seq)])
    while store.upkeep():
        pass
    store.abandon()
    rss_mb = most_memory_mb()
    document = {"ready_s": ready_s, "rss_mb": rss_mb, "waiting": waiting, "peeked": len(first)}
    sys.stdout.write(json.dumps(document))


if __name__ == "__main__":
    main()
