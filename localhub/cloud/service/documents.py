"""Identities and twins joined to the documents that the service API answers, queries and targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localhub.cloud.server import LinkServer
from localhub.cloud.service.query import Scope
from localhub.cloud.service.registry import SYSTEM, Entry, Registry, identity_document
from localhub.cloud.service.twindocument import twin_document
from localhub.cloud.twins import CloudTwins
from localhub.identity import Identity


class Documents:
    """Of one hub. Of connections only those of the gateways that run here are known."""

    def __init__(self, registry: Registry, twins: CloudTwins, server: LinkServer) -> None:
        self._registry, self._twins, self._server = registry, twins, server

    def identity(self, entry: Entry) -> dict[str, Any]:
        """A device or module."""
        return identity_document(entry, connected=self._connected(entry.identity))

    def twin(self, entry: Entry) -> dict[str, Any]:
        """Its twin."""
        return twin_document(entry, self._twins.get(entry.identity), connected=self._connected(entry.identity))

    def twins(self, scope: Scope) -> Iterator[dict[str, Any]]:
        """The twins of a scope, in order of their ids, one at a time."""
        return (self.twin(entry) for entry in self._registry.walk(("", ""), scope))

    def _connected(self, identity: Identity) -> bool:
        return identity.module in (None, *SYSTEM) and self._server.connected_since(identity.device) is not None
