"""What can be asked: the line, its modules, queue, cameras, sensors, models and settings, as they stand now."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from modules.common.edge import Edge
from modules.common.messages import rfc3339
from modules.status.agent import Agent
from modules.status.conditions import Condition, Conditions
from modules.status.kept import Links
from modules.status.latency import Latencies
from modules.status.queue import queue_of
from modules.status.redact import redacted
from modules.status.roster import Member, Roster
from modules.status.settings import StatusSettings
from modules.status.times import now_ms
from modules.status.trends import Trends
from modules.status.verdict import Verdict, judge
from modules.status.views import ViewError, Views

_ACTIVE_SHOWN: Final = 50
_CAMERA: Final = "camera/"  # what a camera's source begins with, and its name here does not


class Screen:
    """Reads what the module has been told, and pulls from modules' views what they show on demand."""

    def __init__(self, edge: Edge[StatusSettings], agent: Agent, links: Links, conditions: Conditions) -> None:
        self.agent: Final = agent
        self.roster: Final = Roster()
        self.views: Final = Views(self.roster)
        self.trends: Final = Trends()
        self.latencies: Final = Latencies()
        self._edge = edge
        self._links = links
        self._conditions = conditions

    # The line.

    def active(self) -> Sequence[Condition]:
        """The conditions that hold, the worst first."""
        return self._conditions.active(time.time(), self._edge.settings.event_holds_s)

    def verdict(self) -> Verdict:
        """The answer to: is the line all right."""
        now, silent = time.monotonic(), self._edge.settings.silent_after_s
        members = self.roster.members.values()
        return judge(
            self.active(),
            {member.name: member.state(now, silent) for member in members},
            {member.name: member.text(now, silent) for member in members},
        )

    def line(self) -> dict[str, Any]:
        """The verdict and the conditions that hold."""
        verdict = asdict(self.verdict())
        if not verdict["details"] and self.roster.members:
            verdict["details"] = [f"{len(self.roster.members)} modules report, {len(self.cameras())} cameras watch"]
        return verdict | {"active": [each.shown() for each in self.active()[:_ACTIVE_SHOWN]]}

    def active_counts(self) -> dict[str, int]:
        """How many conditions hold, by severity, and how many of all nobody takes care of yet."""
        counts = {"critical": 0, "warning": 0, "info": 0, "unhandled": 0}
        for each in self.active():
            counts[each.severity] = counts.get(each.severity, 0) + 1
            counts["unhandled"] += not each.acknowledged
        return counts

    def overview(self) -> dict[str, Any]:
        """Everything that the page's first screen shows, but pictures, alerts and sensors."""
        return {
            "line": self.line(),
            "modules": self.modules(),
            "queue": self.queue() | {"trend": self.trends.of("queue")},
            "link": self._links.now(now_ms()),
            "latency": self.latency(),
            "cameras": self.cameras(),
            "alerts": self.active_counts(),
            "connected": self._edge.connected,
            "agent": self.agent.shown(),
            "time": rfc3339(datetime.now(UTC)),
        }

    # Modules.

    def modules(self) -> list[dict[str, Any]]:
        """Every module that sends heartbeats or that edgeAgent runs, without the token of its view."""
        now, silent = time.monotonic(), self._edge.settings.silent_after_s
        containers = self.agent.scrape.modules if self.agent.heard else {}
        shown = {name: _shown(member, now, silent) for name, member in self.roster.members.items()}
        for name, container in containers.items():
            if name not in shown:
                # Before a second look tells: one that edgeAgent never expected to run is one that the manifest stops.
                running = bool(container.expected_s) if container.running is None else container.running
                shown[name] = _unheard(name, "running" if running else "stopped")
        for name, module in shown.items():
            found = containers.get(name)
            module["container"] = None if found is None else found.shown()
            if found is not None and found.running is False and module["state"] == "silent":
                module["state"] = "stopped"
        return [shown[name] for name in sorted(shown)]

    def members(self) -> dict[str, Any]:
        """The modules, and how edgeAgent's figures of them stand."""
        return {"modules": self.modules(), "agent": self.agent.shown()}

    def queue(self) -> dict[str, Any]:
        """What the cache says about its queue."""
        member = self.roster.members.get("cache")
        if member is None:
            return {"known": False, "depth": 0, "bytes": 0, "oldest_s": 0.0, "link": "unknown"}
        queue = queue_of(member.facts, datetime.now(UTC))
        if member.state(time.monotonic(), self._edge.settings.silent_after_s) == "silent":
            queue["link"] = "unknown"
        return queue

    def latency(self) -> dict[str, Any]:
        """Receipt minus sample time, ms."""
        kept = self.latencies
        shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}
        return {"count": kept.count, "kept": kept.kept} | {
            name: _rounded(kept.percentile(share)) for name, share in shares.items()
        }

    async def settings(self) -> list[dict[str, Any]]:
        """Each module's settings as applied, refused and changed locally; secrets masked."""
        names = sorted(self.roster.members)
        views = await asyncio.gather(*(self.views.json(name, "settings") for name in names), return_exceptions=True)
        found = []
        for name, view in zip(names, views, strict=True):
            if isinstance(view, BaseException) and not isinstance(view, (ViewError, LookupError)):
                raise view
            said = self.roster.members[name].document.get("settings")
            state = dict(said) if isinstance(said, Mapping) else {}
            more = redacted(view) if isinstance(view, Mapping) else {}
            local = more.get("local")
            found.append(
                {
                    "name": name,
                    "version": state.get("version") if isinstance(state.get("version"), int) else None,
                    "ok": state.get("ok") is not False,
                    "error": str(redacted(state.get("error") or "")),
                    "local": local if isinstance(local, Mapping) else {},
                    "local_in_force": state.get("local") if isinstance(state.get("local"), int) else 0,
                    "values": more.get("values") if isinstance(more.get("values"), Mapping) else None,
                }
            )
        return found

    async def models(self) -> dict[str, Any]:
        """The models, as inference shows them, or as its last heartbeat named them."""
        try:
            said, said_by = await self.views.json("inference", "models"), "view"
        except (ViewError, LookupError):
            member = self.roster.members.get("inference")
            if member is None:
                raise
            said, said_by = dict(member.facts), "heartbeat"
        rows = said.get("models") if isinstance(said, Mapping) else said
        if isinstance(rows, Mapping):
            rows = [{"name": name, **facts} for name, facts in rows.items() if isinstance(facts, Mapping)]
        models = [dict(each) for each in rows or () if isinstance(each, Mapping) and isinstance(each.get("name"), str)]
        return {"models": models, "said_by": said_by}

    # Cameras.

    def cameras(self) -> list[dict[str, Any]]:
        """Every camera that a module reports, with the address of its last picture here."""
        cameras = []
        for member in self.roster.members.values():
            found = member.facts.get("cameras")
            if isinstance(found, Mapping):
                cameras += [
                    {**facts, **_named(str(source)), "module": member.name}
                    for source, facts in found.items()
                    if isinstance(facts, Mapping)
                ]
        return cameras

    def camera(self, name: str) -> dict[str, Any]:
        """One camera. LookupError for none of that name."""
        for each in self.cameras():
            if each["name"] == name:
                return each
        raise LookupError(name)

    async def camera_view(self, name: str, path: str) -> tuple[str, bytes]:
        """What the camera's module shows of it. Raises LookupError, ViewError."""
        camera = self.camera(name)
        return await self.views.get(camera["module"], path, _asked(camera))

    async def inference_view(self, name: str, path: str) -> tuple[str, bytes]:
        """What inference shows of a camera's pictures. Raises LookupError, ViewError."""
        source = f"{_CAMERA}{self.camera(name)['name']}"
        return await self.views.get("inference", path, {"source": source})

    # Sensors.

    async def sensors(self, *, limit: int, offset: int = 0, match: str = "", record: bool = False) -> dict[str, Any]:
        """What vibration shows of its sensors, each with the trend of its value; `record` adds a point to it.

        Raises ViewError, LookupError.
        """
        query = {"limit": str(limit), "offset": str(offset), "match": match}
        shown = await self.views.json("vibration", "sensors", query)
        rows = shown.get("sensors") if isinstance(shown, Mapping) else shown
        if not isinstance(rows, list):
            raise ViewError("vibration shows no list of sensors")
        sensors = [dict(each) for each in rows if isinstance(each, Mapping) and isinstance(each.get("source"), str)]
        for each in sensors:
            if record and isinstance(each.get("value"), (int, float)):
                self.trends.add(each["source"], each["value"])
            each.setdefault("trend", self.trends.of(each["source"]))
        matching = shown.get("matching") if isinstance(shown, Mapping) else None
        return {"sensors": sensors, "matching": matching if isinstance(matching, int) else offset + len(sensors)}

    async def windows(self, source: str) -> dict[str, Any]:
        """The last window of a sensor, and what it was made of. Raises ViewError, LookupError."""
        said = await self.views.json("vibration", "sensor", {"source": source})
        if not isinstance(said, Mapping):
            raise ViewError("vibration shows no sensor")
        curves = {name: said.get(name) for name in ("recent", "waveform")}
        head = {name: said.get(name) for name in ("source", "kind", "unit", "group", "state", "time")}
        last = {
            name: value
            for name, value in said.items()
            if name not in {*curves, *head, "spectrum", "envelope", "lines", "band", "standing", "machine"}
        }
        return {**head, "source": source, "last": last, **curves}

    async def close(self) -> None:
        """Close the connections to the modules."""
        await self.views.close()


def _named(source: str) -> dict[str, str]:
    name = source.removeprefix(_CAMERA)
    return {"name": name, "source": source, "picture": f"/api/v1/cameras/{quote(name, safe='')}/picture"}


def _asked(camera: Mapping[str, Any]) -> dict[str, str]:
    return {"source": camera["source"], "camera": camera["source"]}


def _shown(member: Member, now: float, silent: float) -> dict[str, Any]:
    document = member.document
    process = document.get("process")
    return {
        "name": member.name,
        "state": member.state(now, silent),
        "text": member.text(now, silent),
        "version": str(document.get("version") or ""),
        "heard_s": round(now - member.heard, 1),
        "uptime_s": _number(document.get("uptime_s")),
        "starts": member.starts,
        "rates": {key: round(value, 2) for key, value in member.rates.items()},
        "cpu_share": None if member.cpu_share is None else round(member.cpu_share, 4),
        "rss_bytes": int(_number(process.get("rss_bytes"))) if isinstance(process, Mapping) else 0,
        "counters": _object(document.get("counters")),
        "settings": _object(document.get("settings")),
        "facts": dict(member.facts),
    }


def _unheard(name: str, state: str) -> dict[str, Any]:
    """A module that sends no heartbeat: one that is not ours, or that has not started."""
    return {
        "name": name,
        "state": state,
        "text": "",
        "version": "",
        "heard_s": None,
        "uptime_s": 0.0,
        "starts": 0,
        "rates": {},
        "cpu_share": None,
        "rss_bytes": 0,
        "counters": {},
        "settings": {},
        "facts": {},
    }


def _object(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
