"""The last verdicts, the OK ones too, for the page: newest last, numbered, bounded. Pure."""

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modules.common.messages import rfc3339
from modules.inference.verdict import Verdict


class Recent:
    """A ring of verdicts, and the ids of the messages they answer."""

    def __init__(self, size: int) -> None:
        self._ring: deque[dict[str, Any]] = deque(maxlen=size)
        self._numbers = itertools.count(1)
        self._ids: dict[str, None] = {}

    def seen(self, message_id: str) -> bool:
        """Whether this message has had its verdict: edgeHub delivers again what was not acknowledged in time."""
        return message_id in self._ids

    def mark(self, message_id: str) -> None:
        """Remember that this message has been handled."""
        self._ids[message_id] = None
        if len(self._ids) > (self._ring.maxlen or 0):
            del self._ids[next(iter(self._ids))]

    def add(
        self, source: str, item: str | None, model: str, verdict: Verdict, sampled: datetime, *, odd: Sequence[str] = ()
    ) -> dict[str, Any]:
        """One verdict more; the document that stands for it."""
        document = {
            "n": next(self._numbers),
            "source": source,
            "item": item,
            "model": model,
            "label": verdict.label,
            "ok": verdict.ok,
            "probability": round(verdict.probability, 4),
            "not_ok": round(verdict.not_ok, 4),
            "uncertain": verdict.uncertain,
            "odd": list(odd),
            "time": rfc3339(sampled),
        }
        self._ring.append(document)
        return document

    def select(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Verdicts numbered above `after`, of `source` where given, the newest `limit` of them, oldest first."""
        after, limit = int(query.get("after", "0")), int(query.get("limit", "10000"))
        source = query.get("source")
        chosen = [each for each in self._ring if each["n"] > after and source in (None, each["source"])]
        return chosen[-limit:] if limit > 0 else []

    def resize(self, size: int) -> None:
        """Keep so many from now on."""
        if size != self._ring.maxlen:
            self._ring = deque(self._ring, maxlen=size)
