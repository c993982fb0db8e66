"""The alerts that were seen, in SQLite: deduplicated by message id, bounded, still there after a restart.

WAL with synchronous=NORMAL: a kill loses nothing; a power cut may cost the last seconds here, while the copy for the
cloud is durable in the cache.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from modules.common.messages import SEVERITIES, Alert, Message, rfc3339
from modules.status.conditions import Condition

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alerts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    latency_ms REAL NOT NULL,
    source TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    module TEXT,
    model TEXT,
    document BLOB NOT NULL,
    acknowledged_by TEXT,
    acknowledged_why TEXT,
    acknowledged_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS by_condition ON alerts (source, rule, number);
CREATE TABLE IF NOT EXISTS actions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    about TEXT NOT NULL
) STRICT;
"""
# Deleting in batches: one row at a time would double the writes of every alert.
_PRUNE_EVERY: Final = 500
_ACTIONS_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts: texts must be equal, `source` is a prefix, `before` a number to page down from."""

    source: str | None = None
    severity: str | None = None
    state: str | None = None
    acknowledged: bool | None = None
    before: int | None = None
    limit: int = 100


class Book:
    """One SQLite file. Every call blocks for well under a millisecond; raises sqlite3.Error when the disk fails."""

    def __init__(self, path: Path, keep: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._keep = keep
        self._since_prune = 0
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA auto_vacuum=INCREMENTAL;" + _SCHEMA
        )

    def add(self, message: Message, alert: Alert, received: datetime) -> dict[str, Any] | None:
        """Write an alert down; the row as the API shows it, or None when its id is there already."""
        latency = (received - alert.sampled).total_seconds() * 1000
        module = message.origin.partition("/")[2] if message.origin else None
        handled = self._acknowledgement(alert, module or None) if alert.state == "updated" else (None, None, None)
        cursor = self._database.execute(
            "INSERT INTO alerts (id, received_ms, latency_ms, source, rule, severity, state, module, model, document,"
            " acknowledged_by, acknowledged_why, acknowledged_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING *",
            (
                message.message_id,
                int(received.timestamp() * 1000),
                latency,
                alert.source,
                alert.rule,
                alert.severity,
                alert.state,
                module or None,
                message.model,
                orjson.dumps(alert.document()),
                *handled,
            ),
        )
        row = cursor.fetchone()
        cursor.close()
        if row is None:
            return None
        self._since_prune += 1
        if self._since_prune >= _PRUNE_EVERY:
            self.prune()
        return shown(row)

    def _acknowledgement(self, alert: Alert, module: str | None) -> tuple[object, object, object]:
        """Who has taken care of the condition that `alert` updates, as long as it has not got worse."""
        row = self._database.execute(
            "SELECT severity, acknowledged_by, acknowledged_why, acknowledged_ms FROM alerts"
            " WHERE source = ? AND rule = ? AND module IS ? ORDER BY number DESC LIMIT 1",
            (alert.source, alert.rule, module),
        ).fetchone()
        if row is None or SEVERITIES.index(alert.severity) > SEVERITIES.index(row[0]):
            return None, None, None
        return row[1], row[2], row[3]

    def prune(self) -> None:
        """Let the oldest go, and give their pages back."""
        self._since_prune = 0
        self._database.execute(
            "DELETE FROM alerts WHERE number <= (SELECT max(number) FROM alerts) - ?",
            (self._keep,),
        )
        self._database.execute(
            "DELETE FROM actions WHERE number <= (SELECT max(number) FROM actions) - ?", (_ACTIONS_KEPT,)
        )
        self._database.execute("PRAGMA incremental_vacuum").fetchall()

    def find(self, wanted: Filter) -> list[dict[str, Any]]:
        """The newest first."""
        clauses, values = ["1"], []
        for column in ("severity", "state"):
            value = getattr(wanted, column)
            if value is not None:
                clauses.append(f"{column} = ?")
                values.append(value)
        if wanted.source is not None:
            clauses.append("substr(source, 1, ?) = ?")
            values += [len(wanted.source), wanted.source]
        if wanted.acknowledged is not None:
            clauses.append(f"acknowledged_ms IS {'NOT ' if wanted.acknowledged else ''}NULL")
        if wanted.before is not None:
            clauses.append("number < ?")
            values.append(wanted.before)
        rows = self._database.execute(
            f"SELECT * FROM alerts WHERE {' AND '.join(clauses)} ORDER BY number DESC LIMIT ?",  # noqa: S608 - fixed texts
            (*values, wanted.limit),
        )
        return [shown(row) for row in rows]

    def get(self, alert_id: str) -> dict[str, Any] | None:
        """One alert by message id."""
        row = self._database.execute("SELECT * FROM alerts WHERE id = ?", (alert_id,)).fetchone()
        return None if row is None else shown(row)

    def acknowledge(self, alert_id: str, who: str, why: str, now: datetime) -> dict[str, Any] | None:
        """Note who took care of an alert and why; None when there is no such alert. The first name stays."""
        self._database.execute(
            "UPDATE alerts SET acknowledged_by = ?, acknowledged_why = ?, acknowledged_ms = ?"
            " WHERE id = ? AND acknowledged_ms IS NULL",
            (who, why, int(now.timestamp() * 1000), alert_id),
        )
        return self.get(alert_id)

    def note(self, who: str, what: str, about: str, now: datetime) -> None:
        """Keep an action in the audit trail."""
        self._database.execute(
            "INSERT INTO actions (at_ms, who, what, about) VALUES (?, ?, ?, ?)",
            (int(now.timestamp() * 1000), who, what, about),
        )

    def actions(self, limit: int) -> list[dict[str, Any]]:
        """The audit trail, newest first."""
        rows = self._database.execute("SELECT * FROM actions ORDER BY number DESC LIMIT ?", (limit,))
        return [{"at": _time(row["at_ms"]), **{key: row[key] for key in ("who", "what", "about")}} for row in rows]

    def latencies(self, most: int) -> Iterator[float]:
        """The newest latencies in ms, oldest first."""
        rows = self._database.execute(
            "SELECT latency_ms FROM (SELECT number, latency_ms FROM alerts ORDER BY number DESC LIMIT ?)"
            " ORDER BY number",
            (most,),
        )
        return (row[0] for row in rows)

    def conditions(self) -> Iterator[Condition]:
        """What the newest alerts of each condition say, in order, to go on from after a restart."""
        rows = self._database.execute(
            "SELECT * FROM alerts WHERE number IN (SELECT max(number) FROM alerts GROUP BY source, rule, module)"
            " ORDER BY number"
        )
        return (condition(shown(row)) for row in rows)

    def counts(self) -> dict[str, int]:
        """How many alerts of each severity are kept."""
        rows = self._database.execute("SELECT severity, count(*) FROM alerts GROUP BY severity")
        return {row[0]: row[1] for row in rows}

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A row as the API shows it: the alert's own document with what status knows about it."""
    document: dict[str, Any] = orjson.loads(row["document"])
    return {
        **document,
        "id": row["id"],
        "number": row["number"],
        "module": row["module"],
        "model": row["model"],
        "received": _time(row["received_ms"]),
        "latency_ms": round(row["latency_ms"], 3),
        "acknowledged": None
        if row["acknowledged_ms"] is None
        else {
            "who": row["acknowledged_by"],
            "why": row["acknowledged_why"],
            "at": _time(row["acknowledged_ms"]),
        },
    }


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


def _time(milliseconds: int) -> str:
    return rfc3339(datetime.fromtimestamp(milliseconds / 1000, UTC))
