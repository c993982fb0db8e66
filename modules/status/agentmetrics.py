"""What edgeAgent's metrics say of each module (doc/BuiltInMetrics.md of Azure/iotedge). Pure.

The Docker socket would say more, and is root on the gateway: it is not asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

_PREFIX: Final = "edgeAgent_"
_MOST_MODULES: Final = 100


@dataclass(slots=True)
class Container:
    """One module as edgeAgent sees it; None for what it does not say."""

    starts: float | None = None
    correct_s: float | None = None
    expected_s: float | None = None
    memory_bytes: float | None = None
    cpu_percent: float | None = None
    """Median of edgeAgent's recent samples."""
    cpu_percent_p99: float | None = None
    processes: float | None = None
    running: bool | None = None
    """Whether it ran correctly since the scrape before."""

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        expected = self.expected_s or 0.0
        return {
            "running": self.running,
            "restarts": None if self.starts is None else max(0, round(self.starts) - 1),
            "cpu_percent": None if self.cpu_percent is None else round(self.cpu_percent, 2),
            "cpu_percent_p99": None if self.cpu_percent_p99 is None else round(self.cpu_percent_p99, 2),
            "memory_bytes": None if self.memory_bytes is None else round(self.memory_bytes),
            "processes": None if self.processes is None else round(self.processes),
            "correct_share": round((self.correct_s or 0.0) / expected, 4) if expected > 0 else None,
        }


@dataclass(frozen=True, slots=True)
class Scrape:
    """One page of edgeAgent's metrics."""

    modules: Mapping[str, Container] = field(default_factory=dict)
    host: Mapping[str, float] = field(default_factory=dict)


_GAUGES: Final = {
    "total_time_running_correctly_seconds": "correct_s",
    "total_time_expected_running_seconds": "expected_s",
    "used_memory_bytes": "memory_bytes",
    "created_pids_total": "processes",
}
_HOST: Final = {
    "available_disk_space_bytes": "disk_free_bytes",
    "total_disk_space_bytes": "disk_total_bytes",
    "host_uptime_seconds": "host_uptime_s",
    "iotedged_uptime_seconds": "edge_uptime_s",
    "total_memory_bytes": "memory_total_bytes",
}
_QUANTILES: Final = {"0.5": "cpu_percent", "0.99": "cpu_percent_p99"}


def read(text: str) -> Scrape:
    """Read a page. Raises ValueError when it is not Prometheus' text format."""
    modules: dict[str, Container] = {}
    host: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix(_PREFIX)
            if sample.name == name:
                continue
            if name in _HOST:
                host[_HOST[name]] = max(host.get(_HOST[name], 0.0), sample.value)
            module = sample.labels.get("module_name", "")
            if not module or (module not in modules and len(modules) >= _MOST_MODULES):
                continue
            container = modules.setdefault(module, Container())
            if name in _GAUGES:
                setattr(container, _GAUGES[name], sample.value)
            elif name in ("module_start", "module_start_total"):
                container.starts = (container.starts or 0.0) + sample.value  # a row for each version of the module
            elif name == "used_cpu_percent" and (quantile := _QUANTILES.get(sample.labels.get("quantile", ""))):
                setattr(container, quantile, sample.value)
    return Scrape(modules, host)


def compared(before: Scrape, now: Scrape) -> Scrape:
    """`now`, with `running` from how the times have grown since `before`."""
    for name, container in now.modules.items():
        earlier = before.modules.get(name)
        if earlier is None or None in (container.correct_s, earlier.correct_s):
            continue
        grown = (container.correct_s or 0.0) - (earlier.correct_s or 0.0)
        if grown > 0:
            container.running = True
        elif (container.expected_s or 0.0) > (earlier.expected_s or 0.0):
            container.running = False
        else:
            container.running = earlier.running  # edgeAgent has not looked in between
    return now
