"""One gateway as an operator of hundreds looks at it: from three twins to one row. Pure.

The device twin says whether it is connected, `$edgeAgent`'s whether it runs what was deployed, that of the status
module how the line does (modules/status/fleet.py reports it under `gateway`). A gateway without a status module has the
first two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

AGENT: Final = "$edgeAgent"
STATUS: Final = "status"

SEVERITIES: Final = ("critical", "warning", "info")

# What $edgeAgent came to with the deployment that it was sent last.
CURRENT, PENDING, REFUSED, NONE = "current", "pending", "refused", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A row. `line` is the level of the status module's summary, `deployment` one of the words above."""

    device: str
    connected: bool
    deployment: str = NONE
    reason: str = ""
    deployments: list[str] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    line: str = ""
    headline: str = ""
    link: str = ""
    queue: float | None = None
    hours_left: float | None = None
    alerts: dict[str, int] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For --format json."""
        return asdict(self)


def gateway(device: Mapping[str, Any], modules: Mapping[str, Mapping[str, Any]]) -> Gateway:
    """From a device twin and those of its modules that were found, by name."""
    agent = modules.get(AGENT, {})
    said = _at(modules.get(STATUS, {}), "properties", "reported", "gateway")
    reported = _at(agent, "properties", "reported")
    state, reason = _deployment(agent)
    entries = {name: entry for name, entry in _at(reported, "modules").items() if isinstance(entry, Mapping)}
    queue = _at(said, "queue")
    return Gateway(
        device=str(device["deviceId"]),
        connected=device.get("connectionState") == "Connected" or agent.get("connectionState") == "Connected",
        deployment=state,
        reason=reason,
        deployments=sorted(
            name for name, one in _at(agent, "configurations").items() if _at(one, "").get("status") == "Applied"
        ),
        failing=sorted(name for name, entry in entries.items() if _fails(entry)),
        versions={name: _version(entry) for name, entry in sorted(entries.items())},
        line=str(said.get("level", "")),
        headline=str(said.get("headline", "")),
        link=_link(_at(said, "link")),
        queue=_number(queue.get("depth")),
        hours_left=_hours(queue.get("hours_left")),
        alerts={name: count for name, count in _at(said, "alerts").items() if isinstance(count, int) and count},
        drift=dict(_at(said, "drift")),
        tags=dict(_at(device, "tags")),
    )


def settled(agent: Mapping[str, Any], wanted: int) -> str | None:
    """What a gateway came to with the desired version `wanted` of its $edgeAgent, or a later one.

    None: it has not come to it yet; "": it runs; else why not.
    """
    reported = _at(agent, "properties", "reported")
    if _version_number(reported.get("lastDesiredVersion")) < wanted:
        return None
    status = _at(reported, "lastDesiredStatus")
    if status.get("code") != 200:
        return f"{status.get('code')} {status.get('description') or ''}".strip()
    desired = _at(agent, "properties", "desired", "modules")
    found = _at(reported, "modules")
    for name, entry in desired.items():
        if _at(entry, "").get("status", "running") != "running":
            continue
        state = _at(found, name).get("runtimeStatus")
        if state in ("failed", "unhealthy", "backoff"):
            return f"{name} {state}: {_at(found, name).get('statusDescription') or 'no reason'}"
        if state != "running":
            return None
    return ""


def _deployment(agent: Mapping[str, Any]) -> tuple[str, str]:
    reported, desired = _at(agent, "properties", "reported"), _at(agent, "properties", "desired")
    if not _at(desired, "modules") and not _at(desired, "systemModules"):
        return NONE, ""
    if _version_number(reported.get("lastDesiredVersion")) < _version_number(desired.get("$version")):
        return PENDING, ""
    status = _at(reported, "lastDesiredStatus")
    return (CURRENT, "") if status.get("code") == 200 else (REFUSED, str(status.get("description") or ""))


def _fails(entry: Mapping[str, Any]) -> bool:
    return entry.get("status", "running") == "running" and entry.get("runtimeStatus") != "running"


def _version(entry: Mapping[str, Any]) -> str:
    """A module's version: what the manifest says, else the image's tag."""
    image = str(_at(entry, "settings").get("image", ""))
    return str(entry.get("version") or image.rpartition("/")[2].partition(":")[2] or "?")


def _link(links: Mapping[str, Any]) -> str:
    """The worst that is said of any link, `up` where all are."""
    states = [str(_at(one, "").get("state", "")) for one in links.values()]
    return next((state for state in states if state != "up"), "up" if states else "")


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _hours(value: object) -> float | None:
    hours = _number(value)
    return None if hours is None or hours < 0 else hours  # -1 stands for no end in sight


def _version_number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _at(document: object, *names: str) -> Mapping[str, Any]:
    """The object at a path; empty where there is none. An empty name stands for the document itself."""
    here: object = document
    for name in filter(None, names):
        here = here.get(name) if isinstance(here, Mapping) else None
    return here if isinstance(here, Mapping) else {}


def totals(gateways: Iterable[Gateway]) -> dict[str, int]:
    """What a fleet comes to; reads them one at a time."""
    found = dict.fromkeys(("gateways", "connected", "current", "pending", "refused", "failing", "alerts"), 0)
    for one in gateways:
        found["gateways"] += 1
        found["connected"] += one.connected
        found["failing"] += bool(one.failing)
        found["alerts"] += sum(one.alerts.get(severity, 0) for severity in SEVERITIES)
        if one.deployment in found:
            found[one.deployment] += 1
    return found
