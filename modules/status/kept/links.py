"""The history of links: when the cloud and edgeHub were there and when not, with how long each lasted."""

from typing import Any, Final

from modules.status.kept.database import Database
from modules.status.times import from_ms

_KEPT: Final = 5_000
_UNSEEN_MS: Final = 300_000  # `seen` comes each minute


class Links:
    """One row for each stretch of one state. Times are Unix milliseconds, passed in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, now_ms: int) -> None:
        """After a start: how it was while nobody looked is not known."""
        for row in self._database.execute("SELECT * FROM links WHERE until_ms IS NULL"):
            if now_ms - row["seen_ms"] > _UNSEEN_MS:
                self._begin(row, row["link"], "unknown", row["seen_ms"])

    def seen(self, now_ms: int) -> None:
        """Everything is still as it was said last."""
        self._database.execute("UPDATE links SET seen_ms = ? WHERE until_ms IS NULL", (now_ms,))

    def change(self, link: str, state: str, now_ms: int) -> dict[str, Any] | None:
        """Note how `link` is; the new stretch, or None when it is as it was."""
        last = self._last(link)
        if last is not None and last["state"] == state:
            return None
        return shown(self._begin(last, link, state, now_ms), now_ms)

    def now(self, now_ms: int) -> dict[str, dict[str, Any]]:
        """The open stretch of each link, by link."""
        rows = self._database.execute("SELECT * FROM links WHERE until_ms IS NULL ORDER BY number")
        return {row["link"]: shown(row, now_ms) for row in rows}

    def find(self, *, link: str | None, before: int | None, limit: int, now_ms: int) -> list[dict[str, Any]]:
        """The newest stretches first."""
        rows = self._database.execute(
            "SELECT * FROM links WHERE (:link IS NULL OR link = :link) AND (:before IS NULL OR number < :before)"
            " ORDER BY number DESC LIMIT :limit",
            {"link": link, "before": before, "limit": limit},
        )
        return [shown(row, now_ms) for row in rows]

    def _begin(self, last: Any, link: str, state: str, at_ms: int) -> Any:
        with self._database.together():
            if last is not None:
                self._database.execute(
                    "UPDATE links SET until_ms = ? WHERE number = ?", (max(at_ms, last["since_ms"]), last["number"])
                )
            (row,) = self._database.execute(
                "INSERT INTO links (link, state, since_ms, seen_ms) VALUES (?, ?, ?, ?) RETURNING *",
                (link, state, at_ms, at_ms),
            )
            self._database.execute("DELETE FROM links WHERE number <= ?", (row["number"] - _KEPT,))
        return row

    def _last(self, link: str) -> Any:
        rows = self._database.execute("SELECT * FROM links WHERE link = ? ORDER BY number DESC LIMIT 1", (link,))
        return rows[0] if rows else None


def shown(row: Any, now_ms: int) -> dict[str, Any]:
    """A stretch as the API shows it."""
    until = row["until_ms"]
    return {
        "number": row["number"],
        "link": row["link"],
        "state": row["state"],
        "since": from_ms(row["since_ms"]),
        "until": None if until is None else from_ms(until),
        "seconds": round(max(0, (now_ms if until is None else until) - row["since_ms"]) / 1000, 1),
    }
