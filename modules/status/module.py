"""The status module: alerts and heartbeats in, a picture of the line out."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from modules.common.edge import Edge
from modules.common.messages import Alert, BadMessage, Message, json_message, new_id, rfc3339
from modules.status.book import Book, condition
from modules.status.conditions import Conditions
from modules.status.events import Events
from modules.status.latency import Latencies
from modules.status.queue import queue_of
from modules.status.roster import Member, Roster
from modules.status.settings import StatusSettings
from modules.status.trends import Trends
from modules.status.verdict import Verdict, judge
from modules.status.views import ViewError, Views

_KEPT_LATENCIES: Final = 200_000
_TICK_SECONDS: Final = 1.0
_REPORT_SECONDS: Final = 60.0


class StatusModule:
    """What is known about the line, kept up to date by messages, told to whoever listens."""

    def __init__(self, edge: Edge[StatusSettings]) -> None:
        self.edge: Final = edge
        self.roster: Final = Roster()
        self.views: Final = Views(self.roster)
        self.events: Final = Events()
        self.trends: Final = Trends()
        self.book: Final = Book(edge.state_dir / "alerts.db", edge.settings.history)
        self.latencies: Final = Latencies(_KEPT_LATENCIES)
        self.conditions: Final = Conditions()
        for milliseconds in self.book.latencies(_KEPT_LATENCIES):
            self.latencies.add(milliseconds)
        for kept in self.book.conditions():
            self.conditions.take(kept)
        self._changed = asyncio.Event()
        self._reported: tuple[float, Mapping[str, object]] = (-_REPORT_SECONDS, {})
        self._seen = edge.metrics.counter("millwatch_alerts_total", "Distinct alerts received", "severity")
        self._repeats = edge.metrics.counter("millwatch_alert_repeats_total", "Alerts received again under their id")
        edge.metrics.gauge("millwatch_listeners", "Open event streams").set_function(lambda: len(self.events))
        edge.on_input("alerts", self._alert)
        edge.on_input("health", self._heartbeat)
        edge.background("overview", self._tell_overview)
        edge.background("sensors", self._tell_sensors)
        edge.background("summary", self._report_summary)
        edge.health(self._facts)

    # What arrives.

    async def _alert(self, message: Message) -> None:
        received = datetime.now(UTC)
        if message.kind != "alert":
            raise BadMessage("unknown_kind", message.kind)
        alert = Alert.parse(message.document())
        shown = self.book.add(message, alert, received)
        if shown is None:
            self._repeats.inc()
            return
        self._seen.labels(alert.severity).inc()
        self.latencies.add(shown["latency_ms"])
        self.conditions.take(condition(shown))
        self.events.tell("alert", shown)
        self._changed.set()

    async def _heartbeat(self, message: Message) -> None:
        try:
            member = self.roster.hear(message.document(), time.monotonic())
        except KeyError as error:
            raise BadMessage("wrong_shape", "a heartbeat says whose it is") from error
        if member.name == "cache":
            self.trends.add("queue", self.queue()["depth"])
        self._changed.set()

    # What can be asked.

    def verdict(self) -> Verdict:
        """The answer to: is the line all right."""
        now, silent = time.monotonic(), self.edge.settings.silent_after_s
        members = self.roster.members.values()
        return judge(
            self.conditions.active(time.time(), self.edge.settings.event_holds_s),
            {member.name: member.state(now, silent) for member in members},
            {member.name: member.text(now, silent) for member in members},
        )

    def line(self) -> dict[str, Any]:
        """The verdict and the conditions that hold."""
        active = self.conditions.active(time.time(), self.edge.settings.event_holds_s)
        verdict = asdict(self.verdict())
        if not verdict["details"] and self.roster.members:
            verdict["details"] = [f"{len(self.roster.members)} modules report, {len(self.cameras())} cameras watch"]
        return verdict | {"active": [asdict(each) for each in active[:50]]}

    def modules(self) -> list[dict[str, Any]]:
        """Every module, without the token of its view."""
        now, silent = time.monotonic(), self.edge.settings.silent_after_s
        return [_shown(member, now, silent) for _, member in sorted(self.roster.members.items())]

    def queue(self) -> dict[str, Any]:
        """What the cache says about its queue."""
        member = self.roster.members.get("cache")
        if member is None:
            return {"known": False, "depth": 0, "bytes": 0, "link": "unknown"}
        return queue_of(member.facts, datetime.now(UTC))

    def latency(self) -> dict[str, Any]:
        """Receipt minus sample time, ms."""
        kept = self.latencies
        return {
            "count": kept.count,
            "kept": min(kept.count, _KEPT_LATENCIES),
            "p50_ms": _rounded(kept.percentile(0.5)),
            "p90_ms": _rounded(kept.percentile(0.9)),
            "p99_ms": _rounded(kept.percentile(0.99)),
            "max_ms": _rounded(kept.percentile(1.0)),
        }

    def cameras(self) -> list[dict[str, Any]]:
        """Every camera that a module reports, with the address of its last picture here."""
        cameras = []
        for member in self.roster.members.values():
            found = member.facts.get("cameras")
            if isinstance(found, Mapping):
                cameras += [
                    {"name": name, "module": member.name, "picture": f"/api/v1/cameras/{name}/picture", **facts}
                    for name, facts in found.items()
                    if isinstance(facts, Mapping)
                ]
        return cameras

    def overview(self) -> dict[str, Any]:
        """Everything that the page's first screen shows, but pictures, alerts and sensors."""
        return {
            "line": self.line(),
            "modules": self.modules(),
            "queue": self.queue() | {"trend": self.trends.of("queue")},
            "latency": self.latency(),
            "cameras": self.cameras(),
            "connected": self.edge.connected,
            "time": rfc3339(datetime.now(UTC)),
        }

    async def sensors(self, *, record: bool = False) -> dict[str, Any]:
        """What vibration shows of its sensors, each with the trend of its value; `record` adds a point to it.

        Raises ViewError, LookupError.
        """
        shown = await self.views.json("vibration", "sensors")
        rows = shown.get("sensors") if isinstance(shown, Mapping) else shown
        if not isinstance(rows, list):
            raise ViewError("vibration shows no list of sensors")
        sensors = [dict(each) for each in rows if isinstance(each, Mapping) and isinstance(each.get("source"), str)]
        for each in sensors:
            if record and isinstance(each.get("value"), (int, float)):
                self.trends.add(each["source"], each["value"])
            each.setdefault("trend", self.trends.of(each["source"]))
        return {"sensors": sensors}

    # What can be done.

    def acknowledge(self, alert_id: str, who: str, why: str) -> dict[str, Any]:
        """Note that a person takes care of an alert, and tell the module that raised it. LookupError for none."""
        now = datetime.now(UTC)
        shown = self.book.acknowledge(alert_id, who, why, now)
        if shown is None:
            raise LookupError(alert_id)
        self.conditions.acknowledge(alert_id)
        self.book.note(who, "acknowledge", alert_id, now)
        self.events.tell("alert", shown)
        self._changed.set()
        if shown["module"]:
            self.command(shown["module"], "acknowledge", {"alert": alert_id, "who": who, "why": why})
        return shown

    def command(self, target: str, verb: str, arguments: Mapping[str, object]) -> str:
        """Ask a module to do something, through edgeHub; the id of the message."""
        message = json_message(
            {"verb": verb, "target": target, **arguments},
            kind="command",
            source=self.edge.module,
            seq=self.edge.next_seq("commands"),
            time=datetime.now(UTC),
            message_id=new_id(),
            properties={"target": target},
        )
        self.edge.offer("commands", message)
        return message.message_id

    # What goes on by itself.

    async def _tell_overview(self) -> None:
        """Tell listeners how things stand: at once when something happens, else every second, while anyone listens."""
        while True:
            await self.events.somebody.wait()
            self._changed.clear()
            self.events.tell("overview", self.overview(), keep=False)
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(0.1)  # a burst of alerts is one change

    async def _tell_sensors(self) -> None:
        while True:
            await self.events.somebody.wait()
            try:
                self.events.tell("sensors", await self.sensors(record=True), keep=False)
            except (ViewError, LookupError) as error:
                self.events.tell("sensors", {"sensors": [], "text": str(error)}, keep=False)
            await asyncio.sleep(_TICK_SECONDS)

    async def _report_summary(self) -> None:
        """The gateway in a few lines for the fleet: on change, at most once a minute."""
        while True:
            summary = self._summary()
            if summary != self._reported[1] and self.edge.connected:
                await self.edge.report({"gateway": summary})
                self._reported = (time.monotonic(), summary)
                await asyncio.sleep(_REPORT_SECONDS)
            else:
                await asyncio.sleep(_TICK_SECONDS * 5)

    def _summary(self) -> dict[str, object]:
        verdict, queue = self.verdict(), self.queue()
        return {
            "level": verdict.level,
            "headline": verdict.headline[:200],
            "modules": {each["name"]: {"state": each["state"], "version": each["version"]} for each in self.modules()},
            "alerts": self.book.counts(),
            "queue": {"link": queue["link"], "waiting": bool(queue["depth"])},
        }

    def _facts(self) -> dict[str, object]:
        return {"listeners": len(self.events), "alerts": self.book.counts(), "latency": self.latency()}

    async def close(self) -> None:
        """Close the store and the connections, once nothing is served any more."""
        await self.views.close()
        self.book.close()


def _shown(member: Member, now: float, silent: float) -> dict[str, Any]:
    document = member.document
    process = document.get("process") or {}
    return {
        "name": member.name,
        "state": member.state(now, silent),
        "text": member.text(now, silent),
        "version": document.get("version", ""),
        "heard_s": round(now - member.heard, 1),
        "uptime_s": document.get("uptime_s", 0),
        "starts": member.starts,
        "rates": {key: round(value, 2) for key, value in member.rates.items()},
        "cpu_share": None if member.cpu_share is None else round(member.cpu_share, 4),
        "rss_bytes": process.get("rss_bytes", 0),
        "counters": document.get("counters") or {},
        "settings": document.get("settings") or {},
        "facts": dict(member.facts),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
