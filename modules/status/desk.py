"""What a person can do: each action is in the audit trail before it is answered, and told to the module it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from modules.common.edge import Edge
from modules.common.messages import json_message, new_id
from modules.status.conditions import Conditions
from modules.status.events import Events
from modules.status.kept import Act, Alerts, Audit, Database
from modules.status.kept.alerts import Judgement
from modules.status.settings import StatusSettings
from modules.status.times import now_ms


@dataclass(frozen=True, slots=True)
class Caller:
    """Where an action came from, and what its token allows."""

    role: str
    client: str


class Desk:
    """Carries actions out. `changed` is called when what the page shows has changed."""

    def __init__(
        self,
        edge: Edge[StatusSettings],
        database: Database,
        *,
        alerts: Alerts,
        audit: Audit,
        conditions: Conditions,
        events: Events,
        changed: Callable[[], None],
    ) -> None:
        self.audit: Final = audit
        self._edge = edge
        self._database = database
        self._alerts = alerts
        self._conditions = conditions
        self._events = events
        self._changed = changed

    def acknowledge(self, alert_id: str, who: str, why: str, caller: Caller) -> dict[str, Any]:
        """Note that a person takes care of an alert, and tell the module that raised it. LookupError for none."""
        with self._database.durable():
            shown = self._found(self._alerts.acknowledge(alert_id, who, why, now_ms()), alert_id)
            self._note(who, "acknowledge", alert_id, why, caller)
        self._conditions.acknowledge(alert_id)
        self._tell(shown)
        self._pass_on(shown, "acknowledge", {"alert": alert_id, "who": who, "why": why})
        return shown

    def resolve(self, alert_id: str, who: str, why: str, caller: Caller) -> dict[str, Any]:
        """Note that a person says it is over, and tell the module that raised it. LookupError for none."""
        with self._database.durable():
            shown = self._found(self._alerts.resolve(alert_id, who, why, now_ms()), alert_id)
            self._note(who, "resolve", alert_id, why, caller)
        self._conditions.resolve(alert_id)
        self._tell(shown)
        self._pass_on(shown, "resolve", {"alert": alert_id, "who": who, "why": why})
        return shown

    def judge(self, alert_id: str, verdict: Judgement, who: str, why: str, caller: Caller) -> dict[str, Any]:
        """Note whether an alert was right, and tell the module that raised it. LookupError for none."""
        with self._database.durable():
            shown = self._found(self._alerts.judge(alert_id, verdict, who, why, now_ms()), alert_id)
            self._note(who, f"verdict {verdict}", alert_id, why, caller)
        self._tell(shown)
        self._pass_on(shown, "verdict", {"id": alert_id, "verdict": verdict, "by": who, "why": why})
        return shown

    def ask(self, target: str, verb: str, arguments: Mapping[str, object], *, about: str, caller: Caller) -> str:
        """Ask a module to do something, through edgeHub; the id of the message."""
        with self._database.durable():
            who, why = str(arguments.get("who", "")), str(arguments.get("why", ""))
            self._note(who, verb, about, why, caller, result="asked")
        return self._command(target, verb, arguments)

    def refused(self, who: str, what: str, about: str, caller: Caller, result: str) -> None:
        """Note what was not done."""
        self.audit.note(Act(who, what, about, "", caller.role, caller.client, result), now_ms())

    def _tell(self, shown: dict[str, Any]) -> None:
        self._events.tell("alert", shown)
        self._changed()

    def _pass_on(self, shown: dict[str, Any], verb: str, arguments: Mapping[str, object]) -> None:
        """Tell the module that raised the alert."""
        if shown["module"]:
            self._command(shown["module"], verb, arguments)

    def _command(self, target: str, verb: str, arguments: Mapping[str, object]) -> str:
        message = json_message(
            {"verb": verb, "target": target, **arguments},
            kind="command",
            source=self._edge.module,
            seq=self._edge.next_seq("commands"),
            time=datetime.now(UTC),
            message_id=new_id(),
            properties={"target": target},
        )
        self._edge.offer("commands", message)
        return message.message_id

    def _note(self, who: str, what: str, about: str, why: str, caller: Caller, result: str = "done") -> None:
        self.audit.note(Act(who, what, about, why, caller.role, caller.client, result), now_ms())

    @staticmethod
    def _found(shown: dict[str, Any] | None, alert_id: str) -> dict[str, Any]:
        if shown is None:
            raise LookupError(alert_id)
        return shown
