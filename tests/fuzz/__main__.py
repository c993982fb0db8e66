"""`python -m tests.fuzz [--seconds 60] [--seed N]`: fuzz the hub's packet input.

With atheris, where it has a wheel, mutations are kept that reach new lines of ours; elsewhere, or with `--plain`, our
own mutator draws them blindly. Either way an input that does harm ends the run with its bytes and a traceback, and so
does memory that grows.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.corpus import seeds
from tests.fuzz.mutator import mutate

GROWTH_BYTES = 64 << 20  # beside what a few thousand inputs take
SETTLED = 2_000  # inputs after which memory is looked at for the first time
MEMORY_LIMIT_MB = 600
LONGEST_INPUT = 8_192


def main() -> int:
    """Fuzz for the time that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument("--plain", action="store_true", help="without atheris")
    arguments = parser.parse_args()
    if arguments.plain or importlib.util.find_spec("atheris") is None:
        return plainly(arguments.seconds, arguments.seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for number, seed in enumerate(seeds()):
            for way in (0, 0x85):
                (Path(folder) / f"{number}-{way}").write_bytes(bytes((way,)) + seed)
        command = [sys.executable, "-m", "tests.fuzz.guided", f"-max_total_time={arguments.seconds}"]
        command += [f"-seed={arguments.seed}", f"-rss_limit_mb={MEMORY_LIMIT_MB}", f"-max_len={LONGEST_INPUT}"]
        command += ["-print_final_stats=1", "-verbosity=0", "-timeout=60"]
        command += [f"-artifact_prefix={tempfile.gettempdir()}/", folder]
        print(f"fuzzing with atheris for {arguments.seconds} s, seed {arguments.seed}", flush=True)
        return subprocess.run(command, check=False).returncode


def plainly(seconds: float, seed: int) -> int:
    """Draw inputs for so many seconds."""
    from tests.fuzz.target import Target  # noqa: PLC0415 - not before atheris where that is used

    print(f"fuzzing without atheris for {seconds} s, seed {seed}", flush=True)
    dice, corpus, target = random.Random(seed), seeds(), Target()
    end, count, settled = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        data = bytes((dice.randrange(256),)) + mutate(dice.choice(corpus), corpus, dice)
        try:
            target.feed(data)
        except BaseException:
            print(f"input {count} of seed {seed}: {data[:400].hex()}", file=sys.stderr)
            raise
        count += 1
        if count == SETTLED:
            settled = resident()
    target.close()
    grown = resident() - settled if settled else 0
    print(f"{count} inputs, {target.packets} packets, {target.refused} refused, {grown / 1e6:.1f} MB grown")
    if grown > GROWTH_BYTES:
        print(f"memory grew by {grown} bytes", file=sys.stderr)
        return 1
    return 0


def resident() -> int:
    """Bytes of this process in memory."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except FileNotFoundError:  # macOS: the most it ever was
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
