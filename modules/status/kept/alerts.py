"""The alerts that were seen, and what people said of them: deduplicated by message id, bounded in rows and bytes."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal

import orjson

from modules.common.messages import SEVERITIES, Alert, Message
from modules.status.conditions import Condition
from modules.status.kept.database import Database
from modules.status.times import from_ms, to_ms

Judgement = Literal["true", "false", "unsure"]

# Deleting in batches: one row at a time would double the writes of every alert.
_PRUNE_EVERY: Final = 500
_SEARCHED: Final = 500  # rows looked at at a time: a hundred thousand would hold up the next alert for half a second
_MADE: Final = 20  # rows made ready to show at a time
_STANDING: Final = 5_000  # conditions whose newest alert is spared by the bounds
_ITEMS_MS: Final = 86_400_000  # an alert about one part holds for a day at most (settings, event_holds_s)
_TAKEN_OVER: Final = ("acknowledged_by", "acknowledged_why", "acknowledged_ms")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts: texts are equal, `source` is a prefix, times are Unix ms, `before` a number to page down from."""

    source: str | None = None
    severity: str | None = None
    state: str | None = None
    module: str | None = None
    rule: str | None = None
    acknowledged: bool | None = None
    resolved: bool | None = None
    judged: bool | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None
    limit: int = 100

    def clauses(self) -> tuple[str, dict[str, object]]:
        """The condition in SQL and its values, but for `before` and `limit`."""
        texts, values = ["1"], {}
        for column in ("severity", "state", "module", "rule"):
            if (value := getattr(self, column)) is not None:
                texts.append(f"{column} = :{column}")
                values[column] = value
        for column, name in (
            ("acknowledged", "acknowledged_ms"),
            ("resolved", "resolved_ms"),
            ("judged", "verdict_ms"),
        ):
            if (wanted := getattr(self, column)) is not None:
                texts.append(f"{name} IS {'NOT ' if wanted else ''}NULL")
        if self.source is not None:
            texts.append("substr(source, 1, :length) = :source")
            values |= {"length": len(self.source), "source": self.source}
        for column, text in (
            ("since_ms", "received_ms >= :since_ms"),
            ("until_ms", "received_ms < :until_ms"),
        ):
            if (value := getattr(self, column)) is not None:
                texts.append(text)
                values[column] = value
        return " AND ".join(texts), values


class Alerts:
    """At most `keep` alerts in at most `most_bytes` of the database's file: the oldest go, those that stand last."""

    def __init__(self, database: Database, keep: int, most_bytes: int) -> None:
        self._database = database
        self._keep = keep
        self._most = most_bytes
        self._rows_since_prune = 0
        self._bytes_since_prune = 0
        self._counts: Counter[str] = Counter()
        self._recount()
        database.renewed = self._recount

    def bound(self, keep: int, most_bytes: int) -> None:
        """Keep so much from now on."""
        self._keep, self._most = keep, most_bytes
        self.prune()

    def add(self, message: Message, alert: Alert, received: datetime) -> dict[str, Any] | None:
        """Write an alert down; the row as the API shows it, or None when its id is there already."""
        latency = (received - alert.sampled).total_seconds() * 1000
        module = (message.origin.partition("/")[2] if message.origin else "") or None
        document = orjson.dumps(alert.document())
        with self._database.together():
            handled = self._handled(alert, module) if alert.state == "updated" else (None,) * len(_TAKEN_OVER)
            rows = self._database.execute(
                "INSERT INTO alerts (id, received_ms, latency_ms, source, rule, severity, state, module, model,"
                " document, acknowledged_by, acknowledged_why, acknowledged_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING *",
                (
                    message.message_id,
                    to_ms(received),
                    latency,
                    alert.source,
                    alert.rule,
                    alert.severity,
                    alert.state,
                    module,
                    message.model,
                    document,
                    *handled,
                ),
            )
            if rows:
                self._stand(rows[0], item=alert.item is not None)
        if not rows:
            return None
        self._counts[alert.severity] += 1
        self._rows_since_prune += 1
        self._bytes_since_prune += len(document) + 500
        if self._rows_since_prune >= _PRUNE_EVERY or self._bytes_since_prune > self._most // 20:
            self.prune()
        return shown(rows[0])

    def _handled(self, alert: Alert, module: str | None) -> tuple[object, ...]:
        """Who has taken care of the condition that `alert` updates, as long as it has not got worse."""
        rows = self._database.execute(
            "SELECT * FROM alerts WHERE number ="
            " (SELECT number FROM standing WHERE module = ? AND source = ? AND rule = ?)",
            (module or "", alert.source, alert.rule),
        )
        if not rows or SEVERITIES.index(alert.severity) > SEVERITIES.index(rows[0]["severity"]):
            return (None,) * len(_TAKEN_OVER)
        return tuple(rows[0][name] for name in _TAKEN_OVER)

    def _stand(self, row: sqlite3.Row, *, item: bool) -> None:
        """Remember the newest alert of a condition that is not cleared, to go on from after a restart."""
        key = (row["module"] or "", row["source"], row["rule"])
        if row["state"] == "cleared":
            self._database.execute("DELETE FROM standing WHERE module = ? AND source = ? AND rule = ?", key)
            return
        self._database.execute(
            "INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = excluded.number,"
            " item = excluded.item, since_ms = iif(?, since_ms, excluded.since_ms)",
            (*key, row["number"], row["received_ms"], item, row["state"] == "updated" and not item),
        )

    def prune(self) -> None:
        """Let the oldest go, and give their pages back. What still stands stays, up to 5,000 conditions."""
        self._rows_since_prune = self._bytes_since_prune = 0
        oldest, newest = self._ends()
        if not newest:
            return
        with self._database.together():
            self._database.execute(
                "DELETE FROM standing WHERE item AND since_ms < (SELECT received_ms FROM alerts WHERE number = ?) - ?",
                (newest, _ITEMS_MS),
            )
            self._database.execute(
                "DELETE FROM standing WHERE number <="
                " (SELECT number FROM standing ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (_STANDING,),
            )
            self._forget(newest - self._keep)
        while self._database.used_bytes > self._most and oldest < newest:
            oldest += max(_PRUNE_EVERY, (newest - oldest) // 10)
            self._forget(min(oldest, newest))
        self._database.give_back()

    def _ends(self) -> tuple[int, int]:
        """The lowest and the highest number there is, 0 and 0 for none. Asked for together SQLite reads every row."""
        (row,) = self._database.execute(
            "SELECT ifnull((SELECT min(number) FROM alerts), 0), ifnull((SELECT max(number) FROM alerts), 0)"
        )
        return row[0], row[1]

    def _forget(self, number: int) -> None:
        gone = self._database.execute(
            "DELETE FROM alerts WHERE number <= ?"
            " AND NOT EXISTS (SELECT 1 FROM standing WHERE standing.number = alerts.number AND NOT item)"
            " RETURNING severity",
            (number,),
        )
        self._counts.subtract(row[0] for row in gone)

    def find(self, wanted: Filter) -> Iterator[list[dict[str, Any]]]:
        """The newest first, in parts of at most 20; a part may be empty. Only to be read: others get the same.

        Each part takes about a millisecond at most, however many are kept and however few are wanted: who asks for
        many lets others go first in between.
        """
        text, values = wanted.clauses()
        oldest, top = self._ends()
        top = top if wanted.before is None else min(top, wanted.before - 1)
        left = wanted.limit
        while left and 0 < oldest <= top:
            rows = self._database.execute(
                f"SELECT * FROM alerts WHERE number > :above AND number <= :top AND {text}"  # noqa: S608 - fixed texts
                " ORDER BY number DESC LIMIT :limit",
                values | {"above": top - _SEARCHED, "top": top, "limit": left},
            )
            yield []
            for begin in range(0, len(rows), _MADE):
                yield [_shown(row) for row in rows[begin : begin + _MADE]]
            left -= len(rows)
            top -= _SEARCHED

    def get(self, alert_id: str) -> dict[str, Any] | None:
        """One alert by message id."""
        rows = self._database.execute("SELECT * FROM alerts WHERE id = ?", (alert_id,))
        return shown(rows[0]) if rows else None

    def acknowledge(self, alert_id: str, who: str, why: str, now_ms: int) -> dict[str, Any] | None:
        """Note who took care of an alert and why; None when there is no such alert. The first name stays."""
        self._database.execute(
            "UPDATE alerts SET acknowledged_by = ?, acknowledged_why = ?, acknowledged_ms = ?"
            " WHERE id = ? AND acknowledged_ms IS NULL",
            (who, why, now_ms, alert_id),
        )
        return self.get(alert_id)

    def resolve(self, alert_id: str, who: str, why: str, now_ms: int) -> dict[str, Any] | None:
        """Note who says that it is over; its condition stands no longer. None as above; the first name stays."""
        self._database.execute(
            "UPDATE alerts SET resolved_by = ?, resolved_why = ?, resolved_ms = ? WHERE id = ? AND resolved_ms IS NULL",
            (who, why, now_ms, alert_id),
        )
        self._database.execute(
            "DELETE FROM standing WHERE number = (SELECT number FROM alerts WHERE id = ?)", (alert_id,)
        )
        return self.get(alert_id)

    def judge(self, alert_id: str, verdict: Judgement, who: str, why: str, now_ms: int) -> dict[str, Any] | None:
        """Note whether the alert was right; None as above. The last word stays."""
        self._database.execute(
            "UPDATE alerts SET verdict = ?, verdict_by = ?, verdict_why = ?, verdict_ms = ? WHERE id = ?",
            (verdict, who, why, now_ms, alert_id),
        )
        return self.get(alert_id)

    def latencies(self, most: int) -> Iterator[float]:
        """The newest latencies in ms, oldest first."""
        rows = self._database.execute(
            "SELECT latency_ms FROM (SELECT number, latency_ms FROM alerts ORDER BY number DESC LIMIT ?)"
            " ORDER BY number",
            (most,),
        )
        return (row[0] for row in rows)

    def conditions(self) -> Sequence[Condition]:
        """What stands, in order, to go on from after a restart."""
        rows = self._database.execute(
            "SELECT alerts.*, since_ms FROM standing JOIN alerts USING (number) ORDER BY alerts.number"
        )
        return [replace(condition(shown(row)), since=row["since_ms"] / 1000) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many alerts of each severity are kept; counted as they come and go, for it is told every five seconds."""
        return {severity: count for severity, count in self._counts.items() if count}

    def check(self) -> None:
        """Whether the file answers. Raises sqlite3.Error."""
        self._ends()

    def _recount(self) -> None:
        rows = self._database.execute("SELECT severity, count(*) FROM alerts GROUP BY severity")
        self._counts = Counter({row[0]: row[1] for row in rows})


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A row as the API shows it: the alert's own document with what status knows about it."""
    try:
        document: dict[str, Any] = orjson.loads(row["document"])
    except orjson.JSONDecodeError:  # bytes that rotted inside a row: the rest of it still says what there was
        document = {name: row[name] for name in ("source", "rule", "severity", "state")}
        document |= {"text": "(not readable any more)", "sampled": from_ms(row["received_ms"])}
    judged = _said(row, "verdict")
    return {
        **document,
        "id": row["id"],
        "number": row["number"],
        "module": row["module"],
        "model": row["model"],
        "received": from_ms(row["received_ms"]),
        "latency_ms": round(row["latency_ms"], 3),
        "acknowledged": _said(row, "acknowledged"),
        "resolved": _said(row, "resolved"),
        "verdict": None if judged is None else {"verdict": row["verdict"], **judged},
    }


_shown = lru_cache(200)(shown)  # pages ask for the newest again and again


def _said(row: sqlite3.Row, what: str) -> dict[str, str] | None:
    if row[f"{what}_ms"] is None:
        return None
    return {"who": row[f"{what}_by"], "why": row[f"{what}_why"], "at": from_ms(row[f"{what}_ms"])}


def condition(alert: dict[str, Any]) -> Condition:
    """The condition that a shown alert stands for."""
    received = datetime.fromisoformat(alert["received"]).timestamp()
    return Condition(
        alert_id=alert["id"],
        source=alert["source"],
        rule=alert["rule"],
        severity=alert["severity"],
        state=alert["state"],
        text=alert["text"],
        advice=alert.get("advice"),
        since=received,
        seen=received,
        module=alert["module"],
        item="item" in alert,
        acknowledged=alert["acknowledged"] is not None,
    )
