"""Kill -9 at seeded points of download, verify, unpack, load, switch and return: a good model always comes up."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LIFE = Path(__file__).with_name("life.py")
GOOD, BAD = "picture/made-up/1.1.0", "picture/made-up/1.2.0"
LAST = "up 1.1.0 ok"
LONGEST_S = 3600  # a machine that is busy otherwise is no failure; pytest has a bound of its own


class Life:
    """One process of the module, and the lines that it has said."""

    def __init__(self, state: Path, settings: dict[str, Any], picture: Path, **variables: str) -> None:
        job = {"state": str(state), "settings": settings, "picture": str(picture)}
        self.process = subprocess.Popen(
            [sys.executable, str(LIFE), json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **variables},
        )
        self.lines: list[str] = []
        self._guard = threading.Timer(LONGEST_S, self.process.kill)
        self._guard.daemon = True  # a test that has failed may leave it behind
        self._guard.start()

    def until(self, stop: Callable[[str], bool]) -> bool:
        """Read until a line stops it; False when the process ended first."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if stop(self.lines[-1]):
                return True
        return False

    def tell(self, **settings: Any) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(settings) + "\n")
            self.process.stdin.flush()

    def end(self, how: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, how)
        self.process.wait()
        self._guard.cancel()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def play(seed: int, state: Path, settings: dict[str, Any], picture: Path) -> str:
    """A life that is killed at a point of the seed's choice, and one after it; where it was killed.

    The wish goes from what ships to a good version, to one that does not load, and back.
    """
    rng = random.Random(seed)
    point, late = rng.randrange(1, 16), rng.random() * 0.15
    wishes = [BAD, GOOD]
    life = Life(state, {**settings, "versions": {"tile": GOOD}}, picture)
    wanted, seen = GOOD, 0
    ran = False

    def reached(line: str) -> bool:
        nonlocal wanted, seen, ran
        seen += 1
        if line.startswith("up"):
            ran = ran or line == LAST
            if seen < point and wishes:
                wanted = wishes.pop(0)
                life.tell(versions={"tile": wanted})
            elif not wishes:
                return True
        return seen >= point

    assert life.until(reached), life.lines
    threading.Event().wait(late)
    life.end()
    after = Life(state, {**settings, "versions": {"tile": wanted}}, picture)
    try:
        assert after.until(lambda line: line.startswith("up")), (seed, life.lines, after.lines)
        said = after.lines[-1]
        # What was seen running is there again, whatever was wished for since.
        assert said == LAST if ran else said in (LAST, "up 1.0.0 ok"), (seed, life.lines, after.lines)
    finally:
        after.end()
    if wanted == GOOD:  # a kill while it was being loaded makes one start wary of it, and not for ever
        again = Life(state, {**settings, "versions": {"tile": wanted}}, picture)
        try:
            assert again.until(lambda line: line == LAST), (seed, life.lines, after.lines, again.lines)
        finally:
            again.end()
    return life.lines[-1]


def test_a_good_model_comes_up_after_a_kill(line: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    play(2, tmp_path / "state", *line)


@pytest.mark.soak
def test_a_good_model_comes_up_after_each_of_many_kills(
    line: tuple[dict[str, Any], Path], tmp_path: Path, show: Callable[[str], None]
) -> None:
    kills = int(os.environ.get("MILLWATCH_KILLS", "200"))
    first = int(os.environ.get("MILLWATCH_SEED", "1000"))
    places: dict[str, int] = {}
    for seed in range(first, first + kills):
        place = play(seed, tmp_path / f"state{seed}", *line)
        places[place] = places.get(place, 0) + 1
        shutil.rmtree(tmp_path / f"state{seed}")
        if (seed + 1 - first) % 20 == 0:
            show(f"{seed + 1 - first} kills so far, seeds from {first} on")
    told = "\n".join(f"{count:5} after {place!r}" for place, count in sorted(places.items(), key=lambda each: -each[1]))
    show(f"{kills} kills, seeds {first} to {first + kills - 1}: a good model came up after each\n{told}")
