"""Real far ends of alarms, in processes of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from devices.line import free_port
from tests.modules.sensors.parts import Pair, Process

SERVERS = Path(__file__).parent / "servers"


class Hook:
    """An HTTPS server with a certificate of its own that notes what is posted."""

    def __init__(self, folder: Path) -> None:
        self.pair = Pair.make(folder, "hook")
        self.port = free_port()
        self._log = folder / "posted"
        command = [sys.executable, str(SERVERS / "https.py"), str(self.port), str(self.pair.cert), str(self.pair.key)]
        self.process = Process([*command, str(self._log)])

    def settings(self, **more: Any) -> dict[str, Any]:
        known = {"type": "webhook", "url": f"https://127.0.0.1:{self.port}/alarm", "ca_file": str(self.pair.cert)}
        return known | more

    @property
    def posted(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []


class Mails:
    """A mail server."""

    def __init__(self, folder: Path, pair: Pair | None = None) -> None:
        self.port = free_port()
        self._box = folder / "mailbox"
        command = [sys.executable, str(SERVERS / "smtp.py"), str(self.port), str(self._box)]
        self.process = Process([*command, *([str(pair.cert), str(pair.key)] if pair else [])])

    def settings(self, **more: Any) -> dict[str, Any]:
        known = {"type": "email", "host": "127.0.0.1", "port": self.port, "security": "none"}
        return known | {"sender": "gateway@example.com", "to": ["shift@example.com"]} | more

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._box.read_text().splitlines()] if self._box.exists() else []
