"""The status module: alerts and heartbeats in, a picture of the line out."""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from modules.common.edge import Edge
from modules.common.messages import Alert, BadMessage, Message
from modules.status.agent import Agent
from modules.status.conditions import Conditions
from modules.status.desk import Desk
from modules.status.events import Events
from modules.status.fleet import patch, summary
from modules.status.kept import Alerts, Audit, Database, Links, condition
from modules.status.screen import Screen
from modules.status.settings import StatusSettings
from modules.status.times import now_ms
from modules.status.views import ViewError

log = logging.getLogger(__name__)

DATABASE: Final = "status.db"
_KEPT_LATENCIES: Final = 200_000
_TICK_SECONDS: Final = 1.0
_REPORT_SECONDS: Final = 60.0
_SEEN_SECONDS: Final = 60.0
_RENEWAL_SECONDS: Final = 2.5
_BURST_SECONDS: Final = 0.5  # a burst of alerts is one change; each alert is told at once, too
_SENSORS: Final = 200  # what a page can show, the worst first


class StatusModule:
    """What is known about the line, kept up to date by messages, told to whoever listens."""

    def __init__(self, edge: Edge[StatusSettings]) -> None:
        self.edge: Final = edge
        self._changed = asyncio.Event()
        self.events: Final = Events()
        self.database: Final = Database(edge.state_dir / DATABASE)
        self.alerts: Final = Alerts(self.database, edge.settings.history, edge.settings.history_bytes)
        self.links: Final = Links(self.database)
        self.audit: Final = Audit(self.database)
        self.conditions: Final = Conditions()
        self.agent: Final = Agent(lambda: edge.settings.agent_metrics, self.events.somebody)
        self.screen: Final = Screen(edge, self.agent, self.links, self.conditions)
        self.desk: Final = Desk(
            edge,
            self.database,
            alerts=self.alerts,
            audit=self.audit,
            conditions=self.conditions,
            events=self.events,
            changed=self._changed.set,
        )
        self.certificate_ends: str | None = None
        """Until when the certificate of TLS is good, where there is one."""
        self._reported: Mapping[str, Any] = {}
        self._hub_seen = time.monotonic()
        self._recall()
        self._seen = edge.metrics.counter("millwatch_alerts_total", "Distinct alerts received", "severity")
        self._repeats = edge.metrics.counter("millwatch_alert_repeats_total", "Alerts received again under their id")
        edge.metrics.gauge("millwatch_listeners", "Open event streams").set_function(lambda: len(self.events))
        edge.metrics.gauge("millwatch_history_bytes", "Kept on disk").set_function(lambda: self.database.used_bytes)
        edge.on_input("alerts", self._alert)
        edge.on_input("health", self._heartbeat)
        edge.on_settings(self._apply)
        edge.background("overview", self._tell_overview)
        edge.background("sensors", self._tell_sensors)
        edge.background("links", self._watch_links)
        edge.background("agent", self.agent.stay)
        edge.background("summary", self._report_summary)
        edge.health(self._facts)

    def _recall(self) -> None:
        """Go on from what was kept."""
        for milliseconds in self.alerts.latencies(_KEPT_LATENCIES):
            self.screen.latencies.add(milliseconds)
        for kept in self.alerts.conditions():
            self.conditions.take(kept)
        self.links.begin(now_ms())

    def _apply(self, settings: StatusSettings) -> None:
        self.alerts.bound(settings.history, settings.history_bytes)

    # What arrives.

    async def _alert(self, message: Message) -> None:
        received = datetime.now(UTC)
        if message.kind != "alert":
            raise BadMessage("unknown_kind", message.kind)
        alert = Alert.parse(message.document())
        shown = self.alerts.add(message, alert, received)
        if shown is None:
            self._repeats.inc()
            return
        self._seen.labels(alert.severity).inc()
        self.screen.latencies.add(shown["latency_ms"])
        self.conditions.take(condition(shown))
        self.events.tell("alert", shown)
        self._changed.set()

    async def _heartbeat(self, message: Message) -> None:
        try:
            member = self.screen.roster.hear(message.document(), time.monotonic())
        except KeyError as error:
            raise BadMessage("wrong_shape", "a heartbeat says whose it is") from error
        if member.name == "cache":
            self.screen.trends.add("queue", self.screen.queue()["depth"])
            self._note_links()
        self._changed.set()

    # What goes on by itself.

    def _note_links(self) -> None:
        """Keep how the links are, and tell of a change. A token renewal is over in milliseconds and is no outage."""
        now = time.monotonic()
        self._hub_seen = now if self.edge.connected else self._hub_seen
        states = {"edgeHub": "up" if now - self._hub_seen < _RENEWAL_SECONDS else "down"}
        if "cache" in self.screen.roster.members:
            states["cloud"] = str(self.screen.queue()["link"])
        for link, state in states.items():
            if (shown := self.links.change(link, state, now_ms())) is not None:
                self.events.tell("link", shown)
                self._changed.set()

    async def _watch_links(self) -> None:
        """What no heartbeat tells: edgeHub is gone, the cache is silent."""
        seen = time.monotonic()
        while True:
            self._note_links()
            if time.monotonic() - seen >= _SEEN_SECONDS:
                seen = time.monotonic()
                self.links.seen(now_ms())
            await asyncio.sleep(_TICK_SECONDS)

    async def _tell_overview(self) -> None:
        """Tell listeners how things stand: at once when something happens, else every second, while anyone listens."""
        while True:
            await self.events.somebody.wait()
            self._changed.clear()
            self.events.tell("overview", self.screen.overview(), keep=False)
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_BURST_SECONDS)

    async def _tell_sensors(self) -> None:
        while True:
            await self.events.somebody.wait()
            try:
                shown = await self.screen.sensors(limit=_SENSORS, record=True)
            except (ViewError, LookupError) as error:
                shown = {"sensors": [], "matching": 0, "text": str(error)}
            self.events.tell("sensors", shown, keep=False)
            await asyncio.sleep(_TICK_SECONDS)

    async def _report_summary(self) -> None:
        """The gateway in a few lines for the fleet: on change, at most once a minute."""
        while True:
            now = self.summary()
            if (changed := patch(self._reported, now)) and self.edge.connected:
                if not self._reported:  # what an earlier start told of modules that are no more
                    await self.edge.report({"gateway": None})
                await self.edge.report({"gateway": changed})
                self._reported = now
                await asyncio.sleep(_REPORT_SECONDS)
            else:
                await asyncio.sleep(_TICK_SECONDS * 5)

    def summary(self) -> dict[str, Any]:
        """What the fleet is told."""
        inference = self.screen.roster.members.get("inference")
        models = inference.facts.get("models") if inference else None
        return summary(
            line=self.screen.line(),
            active=self.screen.active_counts(),
            queue=self.screen.queue(),
            links=self.links.now(now_ms()),
            modules=self.screen.modules(),
            models=models if isinstance(models, Mapping) else {},
        )

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {
            "listeners": len(self.events),
            "alerts": self.alerts.counts(),
            "latency": self.screen.latency(),
        }
        if self.database.set_aside:
            facts |= {"state": "warn", "text": self.database.set_aside}
        return facts

    async def close(self) -> None:
        """Close the store and the connections, once nothing is served any more."""
        await self.screen.close()
        await self.agent.close()
        self.database.close()
