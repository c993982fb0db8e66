"""``python -m devices.replay DIR``: real recordings as if their machines ran now.

Each recording becomes a sensor named after its file; all play side by side at their true pace (or ``--speed`` times
that) in blocks of equally spaced samples. A file that cannot be used is counted by reason, named, and left out.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from devices.dataset import RECORDINGS, discover
from devices.leaf import Leaf, LeafError, stop_on_signals
from devices.recording import BadRecording, Recording, read
from modules.common.messages import Message, Waveform

log = logging.getLogger("replay")

BLOCK = 4096  # samples: a third of a second at 12 kHz, 16 KB


@dataclass(frozen=True, slots=True)
class Block:
    """Samples ``start`` to ``stop`` of a recording; ``due_s`` after the beginning the last of them is there."""

    sensor: str
    seq: int
    start: int
    stop: int
    due_s: float


def schedule(recordings: Mapping[str, Recording], *, block: int = BLOCK, speed: float = 1.0) -> Iterator[Block]:
    """The blocks of all recordings in the order in which they are due.

    Each recording begins a little after the one before it, all within one block: real sensors do not keep step.
    """
    count = len(recordings)
    return heapq.merge(
        *(
            _blocks(name, each, block, speed, begins_s=number / count * block / (each.rate_hz * speed))
            for number, (name, each) in enumerate(recordings.items())
        ),
        key=lambda each: each.due_s,
    )


def _blocks(name: str, recording: Recording, block: int, speed: float, *, begins_s: float) -> Iterator[Block]:
    for seq, start in enumerate(range(0, recording.samples.size, block), 1):
        stop = min(start + block, recording.samples.size)
        yield Block(name, seq, start, stop, begins_s + stop / (recording.rate_hz * speed))


def load(
    folder: Path, *, rate_hz: float | None = None, rpm: float | None = None
) -> tuple[dict[str, Recording], Counter[str]]:
    """The usable recordings below ``folder`` by sensor name, and the others counted by reason."""
    usable: dict[str, Recording] = {}
    bad: Counter[str] = Counter()
    for each in discover(folder).recordings:
        try:
            usable[each.name] = read(each.path, rate_hz=rate_hz, rpm=rpm)
        except BadRecording as error:
            bad[error.reason] += 1
            log.warning("left out: %s", error)
    return usable, bad


def message(recording: Recording, block: Block, began: datetime, speed: float, seq: int) -> Message:
    """The block as a message; its time is that of its first sample, had the machine run now."""
    first_s = began.timestamp() + block.due_s - (block.stop - block.start) / (recording.rate_hz * speed)
    return Waveform(
        samples=recording.samples[block.start : block.stop].astype("<f4").tobytes(),
        rate_hz=recording.rate_hz,
        unit=recording.unit,
        time=datetime.fromtimestamp(first_s, UTC),
        source=block.sensor,
        seq=seq,
        rpm=recording.rpm,
    ).message()


def play(leaf: Leaf, recordings: Mapping[str, Recording], speed: float, stopping: threading.Event, rounds: int) -> None:
    """Play all recordings ``rounds`` times (0: for ever), each block as soon as its last sample is due."""
    done = 0
    sent: Counter[str] = Counter()
    while not stopping.is_set() and (rounds == 0 or done < rounds):
        done += 1
        began, clock = datetime.now(UTC), time.monotonic()
        for block in schedule(recordings, speed=speed):
            if stopping.wait(max(0.0, clock + block.due_s - time.monotonic())):
                return
            sent[block.sensor] += 1
            leaf.send(message(recordings[block.sensor], block, began, speed, sent[block.sensor]))


def main(argv: list[str]) -> int:
    """Play; 0 when all was sent, 2 when there is nothing to play or nowhere to send it."""
    parser = argparse.ArgumentParser(prog="python -m devices.replay", description=__doc__)
    parser.add_argument("folder", type=Path, help="recordings in any folders below: .npz, .mat, .wav, .csv")
    parser.add_argument("--once", action="store_true", help="stop at the end instead of beginning again")
    parser.add_argument("--speed", type=float, default=1.0, help="times the true pace (default 1)")
    parser.add_argument("--rate", type=float, metavar="HZ", help="sampling rate of files that do not tell it")
    parser.add_argument("--rpm", type=float, help="shaft speed of files that do not tell it")
    wanted = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    if not wanted.speed > 0:
        parser.error("--speed must be above 0")
    try:
        recordings, bad = load(wanted.folder, rate_hz=wanted.rate, rpm=wanted.rpm)
        if not recordings:
            print(f"{wanted.folder} holds no usable recording ({', '.join(sorted(RECORDINGS))})", file=sys.stderr)
            return 2
        stopping = stop_on_signals()
        with Leaf.from_environment(stopping) as leaf:
            play(leaf, recordings, wanted.speed, stopping, int(wanted.once))
    except (FileNotFoundError, LeafError) as error:
        print(error, file=sys.stderr)
        return 2
    figures = {"recordings": len(recordings), "bad": dict(bad), "messages": leaf.sent, "bytes": leaf.sent_bytes}
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
