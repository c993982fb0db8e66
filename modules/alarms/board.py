"""Rules, alerts and time in; what begins and ends to sound out. Pure.

An alarm is what a rule makes of a condition. It is **live** while the condition fits the rule, and with `latch` from
then on until somebody acknowledges or resolves it. It **sounds** while it is live, nobody has acknowledged it, no quiet
hours hold, the hold-off since it began to sound last is over, and it has not sounded as long as it may. So hold-off and
quiet hours put an alarm off; only what is over before they are (which a latched alarm never is) does not sound at all,
and that is counted. Worse than what was acknowledged is a new alarm, and ends the hold-off.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from fnmatch import fnmatchcase
from typing import Final

from modules.alarms.condition import Alarm, Condition, Key
from modules.alarms.rule import Rule
from modules.common.messages import SEVERITIES, Alert

MOST: Final = 5000
"""Conditions that are followed; then those go that sound least."""
_LOOK_AGAIN_S: Final = 60.0  # the wall clock may be set at any time


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm that began or ended to sound at `at` (Unix seconds); `why` says what ended it."""

    rule: str
    condition: Condition
    sounds: bool
    at: float
    why: str = ""


class Board:
    """All conditions. Times are Unix seconds; a clock that was set back makes nothing wait longer than it was told."""

    def __init__(self, rules: Mapping[str, Rule], zone: tzinfo, known: Iterable[Condition] = ()) -> None:
        self.conditions: Final = {each.key: each for each in known}
        self.unsounded: Final[Counter[tuple[str, str]]] = Counter()
        """Alarms that were over before they could sound, by rule and reason."""
        self.forgotten = 0
        """Conditions that there was no room for."""
        self.touched: Final[set[Key]] = set()
        """What has changed since it was last stored."""
        self._rules, self._zone = dict(rules), zone
        self._due: dict[Key, float] = dict.fromkeys(self.conditions, float("-inf"))

    @property
    def sounding(self) -> Counter[str]:
        """How many alarms sound, by rule."""
        return Counter(name for each in self.conditions.values() for name, alarm in each.alarms.items() if alarm.sounds)

    def take(self, alert: Alert, alert_id: str, module: str, at: float) -> list[Change]:
        """An alert came."""
        key = Key(module, alert.source, alert.rule)
        known = self.conditions.get(key)
        if alert.state == "cleared":
            if known is None:
                return []
            known.stands, known.alert = False, alert_id
            return self._judge(known, at)
        changes = list[Change]()
        if known is None:
            changes = self._make_room(at)
            known = self.conditions[key] = Condition(
                key=key,
                alert=alert_id,
                severity=alert.severity,
                text=alert.text,
                advice=alert.advice or "",
                since=at,
                item=alert.item is not None,
            )
        else:
            self._renew(known, alert, alert_id, at)
        return changes + self._judge(known, at)

    def acknowledge(self, key: Key, who: str, at: float) -> list[Change]:
        """Somebody takes care of a condition. Raises KeyError when it is not followed."""
        condition = self.conditions[key]
        condition.acknowledged, condition.by = condition.severity, who
        return self._judge(condition, at)

    def resolve(self, key: Key, alert_id: str, who: str, at: float) -> list[Change]:
        """Somebody says that it is over, which releases a latch. Raises KeyError as above.

        What is still reported is over only if that is its newest alert; it stands again when it is reported again.
        """
        condition = self.conditions[key]
        condition.stands = condition.stands and condition.alert != alert_id
        if condition.stands:
            return []
        condition.by = who
        return self._judge(condition, at, resolved=True)

    def find(self, pattern: str) -> list[Key]:
        """The conditions whose source fits a pattern and that ask for somebody."""
        return [
            each.key
            for each in self.conditions.values()
            if fnmatchcase(each.key.source, pattern) and any(alarm.live for alarm in each.alarms.values())
        ]

    def change_rules(self, rules: Mapping[str, Rule], zone: tzinfo, at: float) -> list[Change]:
        """Other rules hold from now on, for what stands already too."""
        self._rules, self._zone = dict(rules), zone
        return [change for each in list(self.conditions.values()) for change in self._judge(each, at)]

    def advance(self, at: float) -> list[Change]:
        """Time has passed."""
        due = [key for key, when in self._due.items() if when <= at]
        return [change for key in due for change in self._judge(self.conditions[key], at)]

    def next_change(self) -> float | None:
        """When to `advance` at the latest; None: time alone changes nothing."""
        soonest = min(self._due.values(), default=float("inf"))
        return None if soonest == float("inf") else soonest

    def _renew(self, known: Condition, alert: Alert, alert_id: str, at: float) -> None:
        """Go on with a condition, or begin its next episode."""
        anew = alert.state == "raised" or not known.stands
        worse = SEVERITIES.index(alert.severity) > SEVERITIES.index(known.acknowledged or known.severity)
        if anew:
            known.since = at
        if anew or worse:
            known.acknowledged, known.by = None, ""
        for alarm in known.alarms.values():
            alarm.worn = alarm.worn and not (anew or worse)
            if worse and not alarm.sounds:
                alarm.begun = None
        known.stands, known.alert, known.severity = True, alert_id, alert.severity
        known.text, known.advice, known.item = alert.text, alert.advice or "", alert.item is not None

    def _judge(self, condition: Condition, at: float, *, resolved: bool = False) -> list[Change]:
        """Bring the alarms of a condition up to date."""
        self.touched.add(condition.key)
        changes = list[Change]()
        due = float("inf")
        for name in [*self._rules, *(name for name in condition.alarms if name not in self._rules)]:
            rule = self._rules.get(name)
            alarm = condition.alarms.get(name, Alarm())
            sounded, put_off = alarm.sounds, alarm.why if alarm.live and not alarm.heard else ""
            if rule is None:
                alarm.live, alarm.sounds, alarm.why = False, False, "settings"
            else:
                self._decide(rule, condition, alarm, at, resolved=resolved)
                due = min(due, self._due_of(rule, condition, alarm, at))
            if alarm.sounds != sounded:
                changes.append(Change(name, condition, alarm.sounds, at, alarm.why))
            if put_off and not alarm.live:
                self.unsounded[name, put_off] += 1
            if alarm.live or (rule is not None and _within(alarm.begun, rule.hold_off_s, at)):
                condition.alarms[name] = alarm
            else:
                condition.alarms.pop(name, None)
        if condition.stands or condition.alarms:
            self._due[condition.key] = due
        else:
            self._forget(condition)
        return changes

    def _decide(self, rule: Rule, condition: Condition, alarm: Alarm, at: float, *, resolved: bool) -> None:
        """Whether an alarm is live and sounds at `at`, and if not, why."""
        over = condition.item and not _within(condition.since, rule.item_s, at)
        fits = condition.stands and not over and rule.fits(*condition.key, condition.severity)
        cared_for = condition.acknowledged is not None
        live = fits or (rule.latch and alarm.live and not cared_for and not resolved)
        if live and not alarm.live:
            alarm.heard = alarm.worn = False
        if alarm.sounds and rule.longest_s and not _within(alarm.begun, rule.longest_s, at):
            alarm.worn = True
        held = not alarm.sounds and _within(alarm.begun, rule.hold_off_s, at)
        reasons = {
            "resolved": resolved,
            "acknowledged": cared_for,
            "cleared": not live,
            "quiet hours": bool(rule.quiet_hours) and rule.quiet(at, self._zone),
            "longest": alarm.worn,
            "hold-off": held,
        }
        silent = next((reason for reason, holds in reasons.items() if holds), "")
        if not silent and not alarm.sounds:
            alarm.begun, alarm.heard = at, True
        alarm.live, alarm.sounds, alarm.why = live, not silent, silent

    def _due_of(self, rule: Rule, condition: Condition, alarm: Alarm, at: float) -> float:
        """When time alone may change what was decided."""
        soonest = float("inf")
        if condition.item and condition.stands:
            soonest = min(soonest, _end(condition.since, rule.item_s, at))
        if alarm.live or alarm.begun is not None:
            soonest = min(soonest, _end(alarm.begun, rule.hold_off_s, at))
        if alarm.sounds and rule.longest_s:
            soonest = min(soonest, _end(alarm.begun, rule.longest_s, at))
        if alarm.live and rule.quiet_hours:
            soonest = min(soonest, at + min(_LOOK_AGAIN_S, rule.quiet_changes_in(at, self._zone)))
        return soonest

    def _make_room(self, at: float) -> list[Change]:
        """Forget what matters least where there is no room for one more: what is silent, mild and old."""
        if len(self.conditions) < MOST:
            return []

        def weight(each: Condition) -> tuple[bool, int, float]:
            return any(a.sounds for a in each.alarms.values()), SEVERITIES.index(each.severity), each.since

        least = min(self.conditions.values(), key=weight)
        self.forgotten += 1
        self._forget(least)
        return [Change(name, least, False, at, "no room") for name, alarm in least.alarms.items() if alarm.sounds]

    def _forget(self, condition: Condition) -> None:
        del self.conditions[condition.key]
        self._due.pop(condition.key, None)
        self.touched.add(condition.key)


def _within(begun: float | None, span: float, at: float) -> bool:
    """Whether `at` lies less than `span` after `begun`; never for a clock that was set back to before it."""
    return begun is not None and 0 <= at - begun < span


def _end(begun: float | None, span: float, at: float) -> float:
    return begun + span if begun is not None and _within(begun, span, at) else float("inf")
