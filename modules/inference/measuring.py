"""How quick and how large a loaded package is, on this machine."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modules.inference.golden import GoldenCase
from modules.inference.prepare import prepare
from modules.inference.runner import Runner

_ROUNDS: Final = 30
_SECONDS: Final = 3.0  # for each figure: a slow model is run less often


def measure(runner: Runner, cases: list[GoldenCase]) -> dict[str, Any]:
    """Medians in ms: the `network` alone, `batch_item` of a full batch, and the `whole` way of a golden case.

    `peak_mb` is the largest memory of this process so far. Raises ModelError.
    """
    inputs = np.repeat(_one(runner, cases), runner.model.batch, axis=0)
    found: dict[str, Any] = {"network": _median(lambda: runner.model.run(inputs[:1]))}
    if len(inputs) > 1:
        found |= {"batch": len(inputs), "batch_item": _median(lambda: runner.model.run(inputs)) / len(inputs)}
    if cases:
        found["whole"] = _median(lambda: runner.judge([(cases[0].body, cases[0].facts)]))
    found["peak_mb"] = _peak_mb()
    return found


def _peak_mb() -> int:
    """Largest resident memory of this process's own image; getrusage on Linux counts the parent's from before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _one(runner: Runner, cases: list[GoldenCase]) -> NDArray[np.generic]:
    """A prepared golden case, or noise where there is none, shape (1, ...)."""
    if cases:
        return runner.inputs([prepare(cases[0].body, cases[0].facts, runner.card)])
    dtype = runner.card.input.dtype
    noise = np.random.default_rng(0).random((1, *runner.card.input.shape))
    return (noise * (255 if dtype == "uint8" else 1)).astype(dtype)


def _median(work: Callable[[], object]) -> float:
    work()  # the first run allocates
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _ROUNDS and (time.perf_counter() < end or not times):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return sorted(times)[len(times) // 2]
