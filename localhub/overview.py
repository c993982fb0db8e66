"""What is worth knowing of a running localhub, drawn from what its processes say. Pure: for screen, command and totals.

Bytes in are those of the sources: leaf devices, and modules that send but are sent next to nothing (a camera). Bytes
up are those that arrived at the cloud. Their ratio is the reduction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SOURCE_SHARE = 0.01  # a module that receives less than this share of the bytes it sends is a source
UPSTREAM = "iothub"  # the hub's endpoint id of the cloud (contract 5.11)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One module or leaf device. Rates are from the module's side: `sent` went from it to the hub."""

    name: str
    leaf: bool
    state: str
    connected: bool
    cpu_percent: float
    rss: int
    restarts: int
    sent_per_s: float
    received_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One moment."""

    uptime_s: float
    rows: Sequence[Row]
    bytes_in: int
    bytes_up: int
    received: int
    dropped: Mapping[str, int]
    link: str
    latency_ms: float | None
    queued: int
    queued_up: int
    arrivals: int
    distinct: int
    processes: Mapping[str, str]

    @property
    def reduction(self) -> float | None:
        """Bytes up as a share of bytes in; None before anything came in."""
        return self.bytes_up / self.bytes_in if self.bytes_in else None


def overview(status: Json) -> Overview:
    """From the supervisor's status document; what a process did not say is empty."""
    hub, cloud, agent = (status.get(name) or {} for name in ("hub", "cloud", "agent"))
    rates: Json = hub.get("rates", {})
    connected = {client["id"].rpartition("/")[2] for client in hub.get("clients", [])}
    units = [(unit, False) for unit in agent.get("modules", [])] + [(unit, True) for unit in agent.get("leaves", [])]
    # A leaf device that waits to be started by hand is no part of the picture yet.
    units = [
        (unit, leaf)
        for unit, leaf in units
        if not leaf or unit["state"] != "stopped" or unit.get("exit_code") is not None
    ]
    counters: Json = hub.get("counters", {})
    link: Json = hub.get("link", {})
    queues: Sequence[Json] = hub.get("queues", [])
    leaves = {unit["name"] for unit, leaf in units if leaf}
    return Overview(
        uptime_s=float(status.get("uptime_s", 0.0)),
        rows=[_row(unit, rates.get(unit["name"], {}), connected, leaf=leaf) for unit, leaf in units],
        bytes_in=sum(int(_sent(rate)) for name, rate in rates.items() if name in leaves or _is_source(rate)),
        bytes_up=int(cloud.get("bytes", 0)),
        received=int(counters.get("received", 0)),
        dropped={str(reason): int(count) for reason, count in counters.get("dropped", {}).items()},
        link=str(link.get("state", "unknown")),
        latency_ms=link.get("latency_ms"),
        queued=sum(int(queue["depth"]) for queue in queues),
        queued_up=sum(int(queue["depth"]) for queue in queues if queue["endpoint"] == UPSTREAM),
        arrivals=int(cloud.get("arrivals", 0)),
        distinct=int(cloud.get("distinct", 0)),
        processes={process["name"]: str(process["state"]) for process in status.get("processes", [])},
    )


def _row(unit: Json, rate: Json, connected: set[str], *, leaf: bool) -> Row:
    return Row(
        name=unit["name"],
        leaf=leaf,
        state=str(unit["state"]),
        connected=unit["name"] in connected,
        cpu_percent=float(unit.get("cpu_percent", 0.0)),
        rss=int(unit.get("rss", 0)),
        restarts=int(unit.get("restarts", 0)),
        sent_per_s=float(rate.get("in_per_s", 0.0)),
        received_per_s=float(rate.get("out_per_s", 0.0)),
    )


def _sent(rate: Json) -> float:
    return float(rate.get("bytes_in", 0))


def _is_source(rate: Json) -> bool:
    return float(rate.get("bytes_out", 0)) < SOURCE_SHARE * _sent(rate)


def size(count: float) -> str:
    """Bytes for a person: 999 B, 1.5 MB (powers of 1000)."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for a person: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def totals(now: Overview) -> list[str]:
    """The lines that a run ends with."""
    drops = ", ".join(f"{count} {reason}" for reason, count in now.dropped.items() if count) or "none"
    restarts = ", ".join(f"{row.name} {row.restarts}" for row in now.rows if row.restarts) or "none"
    reduced = "" if now.reduction is None else f"; {now.reduction:.4f} of what came in"
    return [
        f"ran {duration(now.uptime_s)}",
        f"messages received by the hub {now.received}, dropped {drops}",
        f"bytes in {size(now.bytes_in)}, up {size(now.bytes_up)}{reduced}",
        f"arrived at the cloud {now.arrivals}, distinct ids {now.distinct}, still queued {now.queued}",
        f"restarts {restarts}",
    ]
