"""Totals of a run, over restarts of the hub, which counts from 0, and of a cloud that counts for ever. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_TOTALS = ("bytes_in", "bytes_out")
_PER_SECOND = ("in_per_s", "out_per_s")


class Carried:
    """Feed it every status of hub and cloud; it answers with the status of the whole run."""

    def __init__(self) -> None:
        self._generation = 0
        self._before: Json = {}
        self._last: Json = {}
        self._cloud_before: Json | None = None

    def hub(self, generation: int, status: Json | None) -> Json:
        """The hub's status with its counters since the start of the run.

        `generation` is another number for each process of the hub. While it does not answer (None), what it said last
        stands, but for what is only true while it runs.
        """
        if status is None:
            quiet = {name: {**rate, **dict.fromkeys(_PER_SECOND, 0.0)} for name, rate in _part(self._last, "rates")}
            return {**self._last, "clients": [], "rates": quiet, "link": {"state": "unknown"}}
        if generation != self._generation:
            self._generation, self._before = generation, self._last
        self._last = {
            **status,
            "counters": _added(self._before.get("counters", {}), status.get("counters", {})),
            "rates": _rates(self._before.get("rates", {}), status.get("rates", {})),
        }
        return self._last

    def cloud(self, status: Json | None) -> Json | None:
        """The cloud's status with its counters since the start of the run, and those for ever as `ever`."""
        if status is None:
            return None
        counters = {name: value for name, value in status.items() if isinstance(value, int)}
        if self._cloud_before is None:
            self._cloud_before = counters
        since = {name: value - self._cloud_before.get(name, 0) for name, value in counters.items()}
        return {**status, **since, "ever": counters}


def _part(document: Json, name: str) -> list[tuple[str, Json]]:
    return list(document.get(name, {}).items())


def _added(before: Json, now: Json) -> dict[str, Any]:
    """The sum of two nested dictionaries of counters."""
    summed = dict(before)
    for name, value in now.items():
        if isinstance(value, Mapping):
            summed[name] = _added(before.get(name, {}), value)
        else:
            summed[name] = before.get(name, 0) + value
    return summed


def _rates(before: Json, now: Json) -> dict[str, Any]:
    rates = {name: {**rate, **dict.fromkeys(_PER_SECOND, 0.0)} for name, rate in before.items()}
    for name, rate in now.items():
        earlier = before.get(name, {})
        rates[name] = {**rate, **{total: earlier.get(total, 0) + rate.get(total, 0) for total in _TOTALS}}
    return rates
