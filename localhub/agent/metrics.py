"""edgeAgent's metrics in Prometheus text, with its names and labels (contract 6.7; doc/BuiltInMetrics.md). Pure.

Every series also carries iothub, edge_device, instance_number and ms_telemetry, as edgeAgent's do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

QUANTILES = (0.1, 0.5, 0.9, 0.99)
WINDOW = 120
VERSION = "0.1.0"  # of the agent, as it tells in figures and in its twin
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFacts:
    """One module at the moment of the scrape."""

    name: str
    version: str
    cpu_percent: Sequence[float]
    memory: int
    processes: int
    starts: int
    stops: int
    correct_s: float
    expected_s: float
    disk_read: int = 0
    disk_written: int = 0
    network_in: int = 0
    network_out: int = 0
    """Bytes; a process shares the machine's network, so that only a container has figures of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The machine at the moment of the scrape; sizes in bytes, `information` as edgeAgent's host_information."""

    uptime_s: float
    agent_uptime_s: float
    disk_total: int
    disk_free: int
    memory_total: int
    version: str = ""
    information: str = "{}"


class Commands:
    """How long each command to a module took: start, stop, restart."""

    def __init__(self) -> None:
        self.seconds: dict[str, deque[float]] = {}

    @contextmanager
    def timed(self, command: str) -> Iterator[None]:
        """Count one, and the time of the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds.setdefault(command, deque(maxlen=WINDOW)).append(time.monotonic() - began)


@dataclass(slots=True)
class Deeds:
    """What the agent did since its start."""

    commands: Commands = field(default_factory=Commands)
    deployments: list[float] = field(default_factory=list)
    """Seconds until every module of a deployment was started."""
    syncs: int = 0
    failed_syncs: int = 0


@dataclass(slots=True)
class CpuGauge:
    """CPU percent of one core, from samples of CPU seconds: the last WINDOW of them."""

    samples: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _before: tuple[float, float] | None = None

    def sample(self, now_s: float, cpu_s: float) -> float:
        """Take one sample; the percentage since the one before (samples less than 0.1 s apart are not counted)."""
        if self._before is None:
            self._before = (now_s, cpu_s)
            return 0.0
        elapsed = now_s - self._before[0]
        if elapsed < 0.1:
            return self.samples[-1] if self.samples else 0.0
        percent = max(0.0, 100 * (cpu_s - self._before[1]) / elapsed)
        self._before = (now_s, cpu_s)
        self.samples.append(percent)
        return percent


def render(modules: Iterable[ModuleFacts], host: HostFacts, deeds: Deeds, common: Labels) -> str:
    """The whole page."""
    page = _Page({**common, "ms_telemetry": "True"})
    for module in modules:
        name = {"module_name": module.name}
        versioned = {**name, "module_version": module.version}
        page.add("total_time_running_correctly_seconds", "gauge", name, module.correct_s)
        page.add("total_time_expected_running_seconds", "gauge", name, module.expected_s)
        page.add("module_start_total", "counter", versioned, module.starts)
        page.add("module_stop_total", "counter", versioned, module.stops)
        page.add("used_memory_bytes", "gauge", name, module.memory)
        page.add("total_memory_bytes", "gauge", name, host.memory_total)
        page.add("created_pids_total", "gauge", name, module.processes)
        page.add("total_disk_read_bytes", "gauge", name, module.disk_read)
        page.add("total_disk_write_bytes", "gauge", name, module.disk_written)
        page.add("total_network_in_bytes", "gauge", name, module.network_in)
        page.add("total_network_out_bytes", "gauge", name, module.network_out)
        page.summary("used_cpu_percent", name, module.cpu_percent)
    for command, seconds in deeds.commands.seconds.items():
        page.summary("command_latency_seconds", {"command": command}, seconds)
    page.summary("deployment_time_seconds", {}, deeds.deployments)
    page.add("iothub_syncs_total", "counter", {}, deeds.syncs)
    page.add("unsuccessful_iothub_syncs_total", "counter", {}, deeds.failed_syncs)
    disk = {"disk_name": "state", "disk_filesystem": "", "disk_filetype": ""}
    page.add("available_disk_space_bytes", "gauge", disk, host.disk_free)
    page.add("total_disk_space_bytes", "gauge", disk, host.disk_total)
    page.add("host_uptime_seconds", "gauge", {}, host.uptime_s)
    page.add("iotedged_uptime_seconds", "gauge", {}, host.agent_uptime_s)
    about = {
        "edge_agent_version": host.version,
        "experimental_features": "{}",
        "host_information": host.information,
    }
    page.add("metadata", "gauge", about, 0)
    page.declare("edgeagent_direct_method_invocations_count", "counter")  # in lower case, as edgeAgent's
    return page.text()


class _Page:
    """Lines grouped by metric, as the text format asks for."""

    def __init__(self, common: Labels) -> None:
        self._common = common
        self._metrics: dict[str, list[str]] = {}

    def add(self, name: str, kind: str, labels: Labels, value: float) -> None:
        full = f"edgeAgent_{name}"
        self._lines(full, kind).append(self._line(full, labels, value))

    def declare(self, full: str, kind: str) -> None:
        """A metric that nothing has happened to."""
        self._lines(full, kind)

    def summary(self, name: str, labels: Labels, values: Iterable[float]) -> None:
        full = f"edgeAgent_{name}"
        lines = self._lines(full, "summary")
        ordered = sorted(values)
        for quantile in QUANTILES if ordered else ():
            at = ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
            lines.append(self._line(full, {**labels, "quantile": f"{quantile:g}"}, at))
        lines.append(self._line(f"{full}_sum", labels, sum(ordered)))
        lines.append(self._line(f"{full}_count", labels, len(ordered)))

    def text(self) -> str:
        return "\n".join(line for lines in self._metrics.values() for line in lines) + "\n"

    def _lines(self, full: str, kind: str) -> list[str]:
        return self._metrics.setdefault(full, [f"# TYPE {full} {kind}"])

    def _line(self, name: str, labels: Labels, value: float) -> str:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in {**self._common, **labels}.items())
        return f"{name}{{{inner}}} {value:.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
