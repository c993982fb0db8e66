"""The routes in force, put between what comes in and the queues."""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from localhub.hub.backlog import Place
from localhub.hub.message import NEVER, QueuedMessage
from localhub.routes import RouteTable, RoutingMessage, Sender, Target, parse_edgehub_desired
from localhub.twin import Document, without_service_names

MOST_OUTPUTS: Final = 1_000  # senders and outputs whose places are remembered: names come from outside
TWIN_CHANGE: Final = "rpSenderDeviceId"  # a system property that only the hub's own twin change events have


class RoutesRefused(Exception):
    """The manifest's routes cannot be used; the text says which and why."""


def desired_of(manifest: Path) -> Document:
    """$edgeHub's desired properties in a modulesContent file; raises RoutesRefused."""
    try:
        return without_service_names(json.loads(manifest.read_bytes())["$edgeHub"]["properties.desired"])
    except FileNotFoundError as error:
        raise RoutesRefused(f"{manifest} is missing: `python -m localhub run MANIFEST` makes it") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RoutesRefused(f"{manifest} holds no desired properties of $edgeHub: {error!r}") from error


class ManifestRouter:
    """Routes in force; `take` replaces them, or leaves them as they are. Queues do not change with them."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._table: RouteTable | None = None
        self._constant: dict[tuple[str, str | None, bool], list[Target] | None] = {}
        self.routes = 0
        self.changed: Callable[[Collection[str]], None] = lambda _endpoints: None  # told of the endpoints in use

    def take(self, desired: Document) -> None:
        """Take the routes of desired properties.

        Raises ConfigRefusedError (edgeHub answers 400) or ConfigCompileError (after it has answered 200); in both
        cases the routes in force stay.
        """
        table = RouteTable.compile(parse_edgehub_desired(desired), device=self._gateway)
        self._table = table
        self._constant.clear()
        self.routes = len(table.config.routes)
        self.changed(table.endpoints)

    def places(self, message: QueuedMessage) -> Sequence[Place]:
        """Where a message goes, with the moment it expires there: a negative time to live is for ever."""
        if self._table is None:
            return ()
        key = message.source, message.system.get("outputName"), TWIN_CHANGE in message.system
        if key not in self._constant:
            if len(self._constant) >= MOST_OUTPUTS:
                self._constant.clear()
            self._constant[key] = self._table.constant(sender(message))
        targets = self._constant[key]
        if targets is None:
            targets = self._table.match(routing_message(message))
        now = message.enqueued
        return [
            Place(target.endpoint, target.priority, NEVER if target.ttl_s < 0 else now + target.ttl_s)
            for target in targets
        ]


def sender(message: QueuedMessage) -> Sender:
    """Who sent a message, as routes see it."""
    system = message.system
    return Sender(
        system["connectionDeviceId"],
        system.get("connectionModuleId"),
        system.get("outputName"),
        twin_change=TWIN_CHANGE in system,
    )


def routing_message(message: QueuedMessage) -> RoutingMessage:
    """A message as conditions see it."""
    return RoutingMessage(
        properties=message.properties, system=message.system, body=message.body, source=sender(message)
    )
