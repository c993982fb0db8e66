"""Models exchanged under traffic, and what a challenger in shadow costs.

The steel model that ships, and copies of it under other versions, run in the module itself, fed with one picture at a
time at 50 a second. Each exchange loads a whole child beside the one at work. A gap is the time between two
acknowledgements; without an exchange it is 20 ms.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import time
from pathlib import Path

import orjson

from bench._swapping import Line
from bench.claim import Claim
from modules.inference.golden import read_golden

STEEL = Path(__file__).resolve().parents[1] / "models" / "steel"
RATE = 50.0


def _copy(folder: Path, version: str) -> Path:
    """The steel model under another version: every label of it is a finding, so that each picture leads to an alert."""
    made = Path(shutil.copytree(STEEL, folder / version))
    card = orjson.loads((made / "card.json").read_bytes())
    card["version"] = version
    (made / "card.json").write_bytes(orjson.dumps(card))
    return made


async def _swaps(folder: Path, count: int) -> dict[str, float]:
    packages = [_copy(folder, "1.0.0"), _copy(folder, "1.0.1")]
    picture = read_golden(STEEL)[0].body
    settings = {"packages": {"steel": {"path": str(packages[0]), "sources": ["camera/*"]}}, "score_s": 3600}
    async with Line(folder / "state", settings) as line:
        stop = asyncio.Event()
        pacing = asyncio.create_task(line.pace(picture, RATE, stop))
        for number in range(1, count + 1):
            wanted = packages[number % 2]
            line.feed.change(packages={"steel": {"path": str(wanted)}})
            await line.until(lambda wanted=wanted: line.version == wanted.name)
            await asyncio.sleep(0.2)
        stop.set()
        ids = await pacing
        came = line.feed.acknowledged
        return {
            "gap_ms": max(b - a for a, b in itertools.pairwise(came)) * 1e3,
            "lost": sum(line.feed.alerts[each] == 0 for each in ids),
            "twice": sum(line.feed.alerts[each] > 1 for each in ids),
            "messages": len(ids),
        }


def _cpu_s(*pids: int | None) -> float:
    """CPU seconds of processes so far."""
    total = 0.0
    for pid in pids:
        if pid is not None:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / 100
    return total


async def _shadow(folder: Path, seconds: float) -> float:
    """CPU that a challenger in shadow costs for a message, in units of what that message costs without one."""
    champion, challenger = _copy(folder, "2.0.0"), _copy(folder, "2.0.1")
    picture = read_golden(STEEL)[0].body
    settings = {"packages": {"steel": {"path": str(champion), "sources": ["camera/*"]}}, "score_s": 3600}
    costs = []
    async with Line(folder / "shadow", settings) as line:
        for trial in (None, {"path": str(challenger)}):
            line.feed.change(trials={"steel": trial})
            if trial is not None:
                await line.until(lambda: line.challengers.names)
            await asyncio.sleep(0.5)
            pids = (line.engine.pid, line.challengers.pid)
            own, before, stop = time.process_time(), _cpu_s(*pids), asyncio.Event()
            pacing = asyncio.create_task(line.pace(picture, RATE, stop))
            await asyncio.sleep(seconds)
            stop.set()
            count = len(await pacing)
            costs.append((time.process_time() - own + _cpu_s(*pids) - before) / count)
    return (costs[1] - costs[0]) / costs[0]


async def _measure(*, quick: bool) -> tuple[dict[str, float], float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return await _swaps(folder, 5 if quick else 100), await _shadow(folder, 3.0 if quick else 20.0)


def run(*, quick: bool) -> dict[str, Claim]:
    """The claims."""
    swaps, shadow = asyncio.run(_measure(quick=quick))
    what = f"{5 if quick else 100} exchanges, {swaps['messages']:.0f} pictures at {RATE:g} a second"
    return {
        "swap_gap_ms": Claim(swaps["gap_ms"], "ms", 100, 40, what, lower_is_better=True),
        "swap_lost": Claim(swaps["lost"], "messages", 0, 0, "without an alert", lower_is_better=True),
        "swap_twice": Claim(swaps["twice"], "messages", 0, 0, "with two", lower_is_better=True),
        "shadow_cost": Claim(
            shadow, "of a message", 1.05, 1.0, "CPU of the challenger, the same model", lower_is_better=True
        ),
    }
