"""An alarm storm becomes one alert with a list: when a whole hall fails, nobody can read a thousand alerts."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modules.common.messages import AlertState
from modules.vibration.finding import NOTHING_TO_DO, Finding

MOST = 20  # findings of one rule within WITHIN seconds that are still told one by one
WITHIN = 10.0
_NAMED = 50  # sensors that the alert lists
_SOURCE = "many sensors"


@dataclass(slots=True)
class _Rule:
    raised: deque[float] = field(default_factory=deque)
    absorbed: dict[str, None] = field(default_factory=dict)


class Storms:
    """Passes findings on; beyond MOST of one rule within WITHIN seconds, those that follow are absorbed into one.

    The alert of a storm is raised with the first finding absorbed, updated as it grows, and cleared when the last
    absorbed sensor has recovered. Whoever was told about one by one is told of its end one by one.
    """

    def __init__(self) -> None:
        self._rules: dict[str, _Rule] = {}

    def pass_on(self, findings: Iterable[Finding], now: float) -> list[Finding]:
        """Return what is told of `findings`; `now` in Unix seconds."""
        told: list[Finding] = []
        changed: dict[str, Finding] = {}
        for finding in findings:
            rule = self._rules.setdefault(finding.rule, _Rule())
            before = bool(rule.absorbed)
            if self._absorbs(rule, finding, now):
                first = changed.get(finding.rule)
                state: AlertState = "updated" if before else "raised"
                changed[finding.rule] = replace(finding, state=first.state if first else state)
            else:
                told.append(finding)
        told.extend(self._storm(finding) for finding in changed.values())
        return told

    def saved(self) -> dict[str, list[str]]:
        """Return who is absorbed, by rule."""
        return {name: list(rule.absorbed) for name, rule in self._rules.items() if rule.absorbed}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Put back what `saved` returned."""
        self._rules = {name: _Rule(absorbed=dict.fromkeys(members)) for name, members in saved.items()}

    def _absorbs(self, rule: _Rule, finding: Finding, now: float) -> bool:
        if finding.state == "cleared":
            return rule.absorbed.pop(finding.sensor, finding) is None
        if finding.state == "updated":
            return finding.sensor in rule.absorbed
        while rule.raised and rule.raised[0] < now - WITHIN:
            rule.raised.popleft()
        if len(rule.raised) < MOST:
            rule.raised.append(now)
            return False
        rule.absorbed[finding.sensor] = None
        return True

    def _storm(self, finding: Finding) -> Finding:
        members = self._rules[finding.rule].absorbed
        over = not members
        text = "the storm is over" if over else f"{len(members)} more sensors at once, {finding.sensor} the latest"
        return replace(
            finding,
            sensor=_SOURCE,
            state="cleared" if over else finding.state,
            severity="info" if over else finding.severity,
            text=f"{finding.rule}: {text}",
            advice=NOTHING_TO_DO if over else finding.advice,
            value=None,
            limit=None,
            unit=None,
            label=None,
            evidence={"count": len(members), "sensors": list(members)[-_NAMED:]},
        )
