"""The cache's figures as Prometheus metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.cache.record import PRIORITIES

if TYPE_CHECKING:
    from prometheus_client import Counter

    from modules.cache.drain import Drain
    from modules.cache.store import Stats
    from modules.common.metrics import Metrics


class Meters:
    """Brought up to date by `show`; only `duplicates` is counted where it happens."""

    def __init__(self, metrics: Metrics) -> None:
        self.duplicates = metrics.counter("millwatch_cache_duplicates_total", "Ids that were known")
        self._depth = metrics.gauge("millwatch_cache_depth", "Records that wait", "priority")
        self._bytes = metrics.gauge("millwatch_cache_bytes", "Sealed bytes that wait", "priority")
        self._dropped = metrics.gauge("millwatch_cache_dropped", "Records dropped", "priority", "reason")
        self._files = metrics.gauge("millwatch_cache_file_bytes", "Bytes on disk")
        self._metered = metrics.counter(
            "millwatch_cache_metered_total", "Units of 4 KB sent, which is what IoT Hub bills", "priority"
        )
        self._metered_apart = metrics.counter(
            "millwatch_cache_metered_apart_total", "Units of 4 KB that would have been without batches", "priority"
        )
        self._written = metrics.counter(
            "millwatch_cache_written_bytes_total", "Bytes written to flash, in blocks of 4 KB"
        )
        self._stored = metrics.counter("millwatch_cache_stored_bytes_total", "Sealed bytes accepted")
        self._counted: dict[Counter, int] = {}

    def show(self, stats: Stats, drain: Drain) -> None:
        """Take these figures."""
        for priority in PRIORITIES:
            self._depth.labels(str(priority)).set(stats.priorities[priority].depth)
            self._bytes.labels(str(priority)).set(stats.priorities[priority].bytes)
            self._count(self._metered.labels(str(priority)), drain.metered[priority])
            self._count(self._metered_apart.labels(str(priority)), drain.metered_apart[priority])
        for drop in stats.dropped:
            self._dropped.labels(str(drop.priority), drop.reason).set(drop.n)
        self._files.set(stats.file_bytes)
        self._count(self._written, stats.written_bytes)
        self._count(self._stored, stats.appended_bytes)

    def _count(self, counter: Counter, total: int) -> None:
        """Bring a counter up to a total that may have begun anew with another store."""
        before = self._counted.get(counter, 0)
        counter.inc(total - before if total >= before else total)
        self._counted[counter] = total
