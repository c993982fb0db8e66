"""The audit trail: each action, done or refused, with who, what, when and what came of it."""

from dataclasses import dataclass
from typing import Any, Final

from modules.status.kept.database import Database
from modules.status.times import from_ms

_KEPT: Final = 10_000
_LONGEST: Final = {"who": 80, "role": 20, "client": 64, "what": 80, "about": 200, "why": 400, "result": 200}


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody's action. `role` is what the token allowed, `client` the address it came from."""

    who: str
    what: str
    about: str
    why: str = ""
    role: str = ""
    client: str = ""
    result: str = "done"


class Audit:
    """The newest 10,000 actions. Times are Unix milliseconds, passed in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, act: Act, now_ms: int) -> None:
        """Write an action down, inside the caller's transaction where there is one."""
        (row,) = self._database.execute(
            "INSERT INTO actions (at_ms, who, role, client, what, about, why, result)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (now_ms, *(getattr(act, name)[:most] for name, most in _LONGEST.items())),
        )
        if row["number"] % 100 == 0:
            self._database.execute("DELETE FROM actions WHERE number <= ?", (row["number"] - _KEPT,))

    def find(self, *, before: int | None, limit: int) -> list[dict[str, Any]]:
        """The newest first."""
        rows = self._database.execute(
            "SELECT * FROM actions WHERE (:before IS NULL OR number < :before) ORDER BY number DESC LIMIT :limit",
            {"before": before, "limit": limit},
        )
        return [
            {"number": row["number"], "at": from_ms(row["at_ms"]), **{name: row[name] for name in _LONGEST}}
            for row in rows
        ]
