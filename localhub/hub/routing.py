"""The routes of the manifest, put between what comes in and the queues."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from localhub.hub.backlog import Place
from localhub.hub.message import NEVER, QueuedMessage
from localhub.routes import (
    ConfigCompileError,
    ConfigRefusedError,
    RouteTable,
    RoutingMessage,
    Sender,
    parse_edgehub_desired,
)

log = logging.getLogger(__name__)

TWIN_CHANGE: Final = "rpSenderDeviceId"  # a system property that only the hub's own twin change events have


class RoutesRefused(Exception):
    """The manifest's routes cannot be used; the text says which and why."""


class ManifestRouter:
    """Routes in force; `load` replaces them, or leaves them as they are."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._table: RouteTable | None = None
        self.routes = 0

    def load(self, manifest: Path) -> None:
        """Take the routes of a modulesContent file; raises RoutesRefused, and those in force stay."""
        try:
            content: Mapping[str, Any] = json.loads(manifest.read_bytes())
            desired = content["$edgeHub"]["properties.desired"]
            table = RouteTable.compile(parse_edgehub_desired(desired), device=self._gateway)
        except FileNotFoundError as error:
            raise RoutesRefused(f"{manifest} is missing: `python -m localhub run MANIFEST` makes it") from error
        except (ConfigRefusedError, ConfigCompileError) as error:  # ValueErrors themselves: before the next
            raise RoutesRefused(str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RoutesRefused(f"{manifest} holds no desired properties of $edgeHub: {error!r}") from error
        self._table = table
        self.routes = len(table.config.routes)

    def places(self, message: QueuedMessage) -> Sequence[Place]:
        """Where a message goes, with the moment it expires there: a negative time to live is for ever."""
        if self._table is None:
            return ()
        targets = self._table.match(routing_message(message))
        now = message.enqueued
        return [
            Place(target.endpoint, target.priority, NEVER if target.ttl_s < 0 else now + target.ttl_s)
            for target in targets
        ]


def routing_message(message: QueuedMessage) -> RoutingMessage:
    """A message as conditions see it."""
    system = message.system
    sender = Sender(
        system["connectionDeviceId"],
        system.get("connectionModuleId"),
        system.get("outputName"),
        twin_change=TWIN_CHANGE in system,
    )
    return RoutingMessage(properties=message.properties, system=system, body=message.body, source=sender)
