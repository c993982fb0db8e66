"""The two clocks a store is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` in ms since 1970, for people only; `monotonic` in ms, for every interval."""

    wall: Callable[[], int] = _wall_ms
    monotonic: Callable[[], int] = _monotonic_ms
