"""What the hub reports about itself in the `$edgeHub` twin: who is connected, and which configuration it runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localhub.identity import Identity

SCHEMA_VERSION = "1.2"  # TwinConfigSource.cs


class HubReport:
    """Collects changes as one patch of `$edgeHub`'s reported properties; `due` is called when there is one to take."""

    def __init__(self, clock: Callable[[], float], due: Callable[[], None]) -> None:
        self._clock = clock
        self._due = due
        self._clients: dict[str, dict[str, Any]] = {}
        self._configuration: dict[str, Any] = {}

    def started(self, version: str, known: Any) -> None:
        """A new hub: nobody is connected, whatever the last one reported (`known`, reported clients)."""
        self._configuration = {"schemaVersion": SCHEMA_VERSION, "version": {"version": version}}
        for name, client in known.items() if isinstance(known, dict) else ():
            if isinstance(client, dict) and client.get("status") != "Disconnected":
                self._clients[name] = {"status": "Disconnected"}
        self._due()

    def configured(self, desired_version: int, code: int, description: str) -> None:
        """Which version of the routes was taken (200), or why it was not (400)."""
        self._configuration |= {
            "lastDesiredVersion": desired_version,
            "lastDesiredStatus": {"code": code, "description": description},
        }
        self._due()

    def connected(self, identity: Identity) -> None:
        """A client is there."""
        self._client(identity, {"status": "Connected", "lastConnectTimeUtc": self._now()})

    def disconnected(self, identity: Identity) -> None:
        """A client is gone."""
        self._client(identity, {"status": "Disconnected", "lastDisconnectTimeUtc": self._now()})

    def take(self) -> dict[str, Any]:
        """What changed since the last time, as a patch; empty when nothing did."""
        patch = dict(self._configuration)
        if self._clients:
            patch["clients"] = self._clients
        self._clients, self._configuration = {}, {}
        return patch

    def _client(self, identity: Identity, facts: dict[str, Any]) -> None:
        self._clients.setdefault(property_name(str(identity)), {}).update(facts)
        self._due()

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def property_name(text: str) -> str:
    """A text as a twin property's name: what may not stand in one is percent-encoded (EncodeTwinKey)."""
    return "".join(f"%{ord(character):02X}" if character in "%.$# " else character for character in text)
