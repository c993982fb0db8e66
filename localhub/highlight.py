"""The messages that localhub.toml asks to be shown, each once and in one line. Pure."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from string import Template
from typing import Any

REMEMBERED = 1000
LONGEST = 200  # characters


class Highlights:
    """Turns watched messages into lines. `line` is a text with `${NAME}`; None shows everything.

    A message that is passed on with the same id (by a cache, say) is the same message, and is shown once.
    """

    def __init__(self, line: str | None) -> None:
        self._line = Template(line) if line else None
        self._seen: OrderedDict[str, None] = OrderedDict()

    def line(self, message: Mapping[str, Any]) -> str | None:
        """The line for a message of the hub's /watch; None when it was shown before or is none."""
        if "missed" in message or self._known(message):
            return None
        time = datetime.fromisoformat(message["time"]).astimezone().strftime("%H:%M:%S") if message.get("time") else ""
        text = " ".join(f"{time} {self._text(message)}".split())
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

    def _known(self, message: Mapping[str, Any]) -> bool:
        identity = message.get("system", {}).get("messageId")
        if identity is None:
            return False
        if identity in self._seen:
            return True
        self._seen[identity] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def _text(self, message: Mapping[str, Any]) -> str:
        properties = message.get("properties") or {}
        if self._line is None:
            said = " ".join(f"{name}={value}" for name, value in properties.items())
            return f"{message.get('source', '')} {said} {message.get('body', '')}"
        names = {"source": message.get("source", ""), **properties, **_members(message.get("body", ""))}
        return self._line.safe_substitute({name: str(value) for name, value in names.items()})


def _members(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
