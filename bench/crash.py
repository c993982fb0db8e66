"""What kills and power cuts cost the cache: ids missing, and ids that come again beyond what was in flight.

The same crashes as in tests/crash, with other seeds: a writing process killed, and the power lost under the store on a
disk that forgets, tears and reorders what was not synced.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import tempfile
from pathlib import Path

from bench.claim import Claim


def run(*, quick: bool) -> dict[str, Claim]:
    """Both counts, over all crashes."""
    _find_tests()
    from tests.crash import houses, kills, points  # noqa: PLC0415 -- can be imported only now

    lives, places = (50, 60) if quick else (1000, 600)
    with tempfile.TemporaryDirectory(prefix="bench-crash-") as folder:
        (killed := Path(folder) / "killed").mkdir()
        tally = kills.kill(killed, 77, lives)
        tally.add(houses.crash_houses(Path(folder), seed=77, moves=40, points=places))
    for seed, kind in enumerate(points.LIVES, start=7000):
        tally.add(points.crash(kind, seed, places))
    total = tally.total()
    struck = f"{total.crashes} kills and crash points"
    return {
        "missing": Claim(total.missing, "ids", 0, 0, struck, lower_is_better=True),
        "repeats_over": Claim(total.repeats, "ids", 0, 0, struck, lower_is_better=True),
    }


def _find_tests() -> None:
    """A peer of another bench has installed a package called `tests`: say which one is meant here."""
    if "tests" not in sys.modules:
        spec = importlib.machinery.ModuleSpec("tests", None, is_package=True)
        spec.submodule_search_locations = [str(Path(__file__).resolve().parents[1] / "tests")]
        sys.modules["tests"] = importlib.util.module_from_spec(spec)
