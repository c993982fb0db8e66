"""What the cloud's database holds of waveform sensors: their summaries, merged by sensor."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.common.messages import BATCH, BadMessage, from_wire, members

_FIRST_ARRIVALS = "SELECT message_id, system, properties, body FROM arrivals WHERE repeat = 0 ORDER BY number"


class NoSummariesError(ValueError):
    """The file is no database of arrivals, or holds no summary of any waveform."""


@dataclass(slots=True)
class Summary:
    """One sensor over all its summaries: `windows` in number, levels in m/s2 and m/s RMS, `lines` by part."""

    sensor: str
    group: str
    parts: tuple[str, ...]
    windows: int = 0
    kurtosis: float = 0.0
    rms: float = 0.0
    velocity: float | None = None
    zone: str | None = None
    rpm: float | None = None
    bands: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    lines: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def add(self, told: Mapping[str, Any]) -> None:
        """Take one more summary in, weighted by its windows."""
        more = int(told["count"])
        old, new = self.windows / (self.windows + more), more / (self.windows + more)
        bands, lines = np.array(told["bands"], dtype=np.float64), np.array(told["orders"], dtype=np.float64)
        if not self.windows:
            self.bands, self.lines = np.zeros(bands.size), np.zeros(lines.size)
        self.kurtosis = old * self.kurtosis + new * float(told["kurtosis"])
        self.rms = float(np.sqrt(old * self.rms**2 + new * float(told["rms"]) ** 2))
        self.bands = np.sqrt(old * self.bands**2 + new * bands**2)
        self.lines = old * self.lines + new * lines
        if told["velocity"] is not None:
            self.velocity = max(self.velocity or 0.0, float(told["velocity"]))
        self.zone = max((zone for zone in (self.zone, told["zone"]) if zone), default=None)
        self.rpm = told["rpm"] or self.rpm
        self.windows += more


def read(database: Path) -> list[Summary]:
    """Return every waveform sensor that the cloud has heard of, by name. Raises NoSummariesError."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as file:
            rows = file.execute(_FIRST_ARRIVALS)
            found = merge(_windows(rows))
    except (sqlite3.Error, BadMessage) as error:
        raise NoSummariesError(f"{database}: {error}; it is to be the cloud's file of a localhub") from error
    if not found:
        raise NoSummariesError(f"{database} holds no summary of any waveform")
    return found


def merge(documents: Iterable[Mapping[str, Any]]) -> list[Summary]:
    """Merge the bodies of `window` messages, those of readings left out."""
    found: dict[str, Summary] = {}
    for document in documents:
        if document.get("of") != "waveforms":
            continue
        parts = tuple(document["parts"])
        for told in document["sensors"]:
            name = str(told["sensor"])
            found.setdefault(name, Summary(name, str(told["group"]), parts)).add(told)
    return [found[name] for name in sorted(found)]


def _windows(rows: Iterable[tuple[str, str, str, bytes]]) -> Iterator[dict[str, Any]]:
    """Return the bodies of window messages, those inside the cache's batches among them."""
    for message_id, system, properties, body in rows:
        facts, encoding = json.loads(properties), json.loads(system)
        if facts.get("kind") not in {"window", BATCH}:
            continue
        arrival = from_wire(
            body,
            facts,
            message_id=message_id,
            content_type=encoding.get("contentType"),
            content_encoding=encoding.get("contentEncoding"),
        )
        for message in members(arrival):
            if message.kind == "window":
                yield message.document()
