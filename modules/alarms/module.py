"""The alarms module on the edge: alerts in, switches moved at once, kept before acknowledged, then sent as notices."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Final

from modules.alarms import views
from modules.alarms.board import Board, Change
from modules.alarms.carrier import Carrier, MessengerCarrier, SwitchCarrier
from modules.alarms.condition import Key
from modules.alarms.keeper import Keeper
from modules.alarms.notice import Notice
from modules.alarms.orders import TEST, Orders
from modules.alarms.outputs.base import MessengerSettings, OutputSettings, SwitchSettings
from modules.alarms.settings import AlarmsSettings
from modules.alarms.store import Queued, Store
from modules.alarms.watchdog import Heart
from modules.common.edge import Edge
from modules.common.messages import Alert, Message
from modules.common.verbs import ACKNOWLEDGE

log = logging.getLogger(__name__)


class AlarmsModule:
    """Rules over conditions, and a carrier per output."""

    def __init__(self, edge: Edge[AlarmsSettings]) -> None:
        self.carriers: Final[dict[str, Carrier]] = {}
        self.testing: Final[set[str]] = set()
        self._edge = edge
        self._gateway = os.environ.get("IOTEDGE_DEVICEID", "")
        self.store: Final = Store(edge.state_dir / "alarms.db")
        self.keeper: Final = Keeper(self.store, self._hand_over)
        self.board: Final = Board({}, zoneinfo.ZoneInfo("UTC"), self.store.conditions())
        self._settings = AlarmsSettings()
        self._hearts: dict[str, Heart] = {}
        self._moved = asyncio.Event()
        self._begun = self._ruled = self._stopped = False
        self._orders = Orders(self, self._gateway, lambda: self._settings.test_s)
        counter = edge.metrics.counter
        self._sounded = counter("millwatch_alarms_total", "Alarms that began to sound", "rule")
        self._repeated = counter("millwatch_alerts_repeated_total", "Alerts that came again and were passed by")
        self._dropped = counter("millwatch_notices_dropped_total", "Notices never sent", "output", "reason")
        edge.metrics.gauge("millwatch_alarms_sounding", "Alarms that sound").set_function(
            lambda: float(self.board.sounding.total())
        )
        edge.on_settings(self.apply, from_start=True)
        edge.on_input("alerts", self._alert)
        edge.on_input("commands", self._orders.command)
        edge.on_method(ACKNOWLEDGE, self._orders.acknowledge)
        edge.on_method(TEST, self._orders.test)
        edge.view("alarms", lambda query: views.alarms(self, query))
        edge.health(lambda: views.facts(self))
        edge.background("disk", self.keeper.stay)
        edge.background("time", self._time)
        edge.on_stop(self.stop)

    async def apply(self, settings: AlarmsSettings) -> None:
        """Start outputs that are new, stop those that are gone, restart those that changed; then the rules."""
        before, self._settings = self._settings, settings
        gone = [name for name, each in self.carriers.items() if settings.outputs.get(name) != each.wanted]
        hearts = [name for name, each in self._hearts.items() if settings.watchdogs.get(name) != each.wanted]
        hearts += [name for name in gone if name in self._hearts and name not in hearts]
        await asyncio.gather(*(self._hearts.pop(name).stop() for name in hearts))
        await asyncio.gather(*(self.carriers.pop(name).stop() for name in gone))
        await self.keeper.settle()  # no notice is to be found on disk that is handed over as well
        new = {name: self._make(name, each) for name, each in settings.outputs.items() if name not in self.carriers}
        self.carriers.update(new)
        # Settings that are not known yet, at a first start without edgeHub, end nothing that was kept.
        orphans = {each.output for each in self.store.waiting()} - set(self.carriers) if self._begun else set()
        self._hand_over([each for each in self.store.waiting() if each.output in new or each.output in orphans])
        self._ruled = self._ruled or bool(settings.rules)
        changes = list[Change]()
        if self._ruled and (not self._begun or (settings.rules, settings.zone) != (before.rules, before.zone)):
            changes = self.board.change_rules(settings.rules, zoneinfo.ZoneInfo(settings.zone), time.time())
        self._begun = True
        for carrier in self.carriers.values():
            carrier.start()
        for name, watchdog in settings.watchdogs.items():
            carrier = self.carriers[name]
            if name not in self._hearts and isinstance(carrier, SwitchCarrier):
                self._hearts[name] = Heart(watchdog, carrier, lambda: self._edge.connected, lambda: not self.trouble)
        await self._settle(changes)
        self._edge.beat()

    async def stop(self) -> None:
        """Drop the watchdogs, and leave every output as it is."""
        self._stopped = True
        await self._orders.stop()
        await asyncio.gather(*(each.stop() for each in self._hearts.values()))
        await asyncio.gather(*(each.stop() for each in self.carriers.values()))
        await self.keeper.stop()

    @property
    def trouble(self) -> str:
        """Why the disk does not take what must be kept; empty: it does."""
        return self.keeper.trouble

    # What the orders need.

    def find(self, alert_id: str) -> Key | None:
        """The condition of an alert that was taken; None for one that was not."""
        return self.keeper.find(alert_id)

    def live(self, pattern: str) -> list[Key]:
        """Conditions that ask for somebody, by a pattern of their source."""
        return self.board.find(pattern)

    def testable(self) -> Mapping[str, Carrier]:
        """The outputs that the test button is for: all but the watchdogs'."""
        return {name: each for name, each in self.carriers.items() if name not in self._settings.watchdogs}

    async def acknowledge(self, keys: list[Key], who: str) -> None:
        """Somebody takes care of these. Raises sqlite3.Error when that cannot be kept; it holds until a kill."""
        now, changes = time.time(), list[Change]()
        for key in keys:
            if key in self.board.conditions:
                changes += self.board.acknowledge(key, who, now)
                log.info("%s of %s: %s takes care of it", key.kind, key.source, who)
        await self._carry_out(changes)

    async def resolve(self, key: Key, alert_id: str, who: str) -> None:
        """Somebody says that a condition is over. Raises as `acknowledge`."""
        if key in self.board.conditions:
            log.info("%s of %s: %s says that it is over", key.kind, key.source, who)
            await self._carry_out(self.board.resolve(key, alert_id, who, time.time()))

    def show_levels(self) -> None:
        """Let every switch show what it should."""
        rules, sounding = self._settings.rules, self.board.sounding
        on = {output for name, rule in rules.items() if sounding[name] for output in rule.outputs} | self.testing
        for name, carrier in self.carriers.items():
            if isinstance(carrier, SwitchCarrier) and name not in self._settings.watchdogs:
                carrier.show(int(name in on))

    # Inside.

    async def _alert(self, message: Message) -> None:
        """An alert. When this returns it is on disk, and edgeHub is told so."""
        alert = Alert.parse(message.document())
        changes = list[Change]()
        if self.find(message.message_id) is None:
            module = (message.origin or "").partition("/")[2]
            changes = self.board.take(alert, message.message_id, module, time.time())
            self.keeper.take(message.message_id, Key(module, alert.source, alert.rule))
        else:
            self._repeated.inc()
        await self._carry_out(changes)

    async def _time(self) -> None:
        """Judge again when time alone may have changed something."""
        while True:
            self._moved.clear()
            soonest = self.board.next_change() if self._ruled else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if soonest is None else max(0.0, soonest - time.time())):
                    await self._moved.wait()
            if self._ruled and not self._stopped:
                await self._settle(self.board.advance(time.time()))

    async def _settle(self, changes: Sequence[Change]) -> None:
        """As `_carry_out`; what cannot be kept now is kept with the next change."""
        try:
            await self._carry_out(changes)
        except sqlite3.Error:
            log.debug("not kept, as health says")

    async def _carry_out(self, changes: Sequence[Change]) -> None:
        """Let the switches follow at once; then write down what has changed, and let the messengers know.

        Raises sqlite3.Error where it cannot be kept; the outputs know even so.
        """
        self.show_levels()
        now, touched = time.time(), set(self.board.touched)
        self.board.touched.clear()
        for key in touched:
            self.keeper.note(key, self.board.conditions.get(key))
        for change in changes:
            for name in self._messengers(change):
                self.keeper.queue(name, Notice.of(change, name, self._gateway), now)
        if touched:
            self._moved.set()
        try:
            await self.keeper.keep()
        finally:
            self._say(changes)

    def _say(self, changes: Sequence[Change]) -> None:
        for change in changes:
            condition = change.condition
            if change.sounds:
                self._sounded.labels(change.rule).inc()
                log.warning("alarm %s: %s: %s", change.rule, condition.key.source, condition.text)
            else:
                log.info("alarm %s: %s: silent: %s", change.rule, condition.key.source, change.why)
        if changes:
            self._edge.beat()

    def _messengers(self, change: Change) -> list[str]:
        """The outputs that are sent a notice of a change."""
        rule = self._settings.rules.get(change.rule)
        event = "begun" if change.sounds else "ended"
        wanted = [(name, self._settings.outputs[name]) for name in (rule.outputs if rule else ())]
        return [name for name, each in wanted if isinstance(each, MessengerSettings) and event in each.tell]

    def _make(self, name: str, wanted: OutputSettings) -> Carrier:
        if isinstance(wanted, SwitchSettings):
            return SwitchCarrier(name, wanted, changed=self._edge.beat)
        assert isinstance(wanted, MessengerSettings)
        return MessengerCarrier(name, wanted, changed=self._edge.beat, gone=self._gone)

    def _hand_over(self, queued: Sequence[Queued]) -> None:
        """Give notices to the carriers that do not have them yet."""
        for each in queued:
            carrier = self.carriers.get(each.output)
            if isinstance(carrier, MessengerCarrier):
                carrier.put(each)
            elif each.output not in self._settings.outputs:  # else it is just being made, and finds what waits on disk
                self._gone(each, "no such output")

    def _gone(self, queued: Queued, reason: str) -> None:
        """A notice was sent, or dropped for a reason: it need not be kept any longer."""
        if reason:
            self._dropped.labels(queued.output, reason).inc()
        if queued.number and not self._stopped:
            self.keeper.drop(queued.number)
