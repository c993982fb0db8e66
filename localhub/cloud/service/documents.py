"""Identities and twins joined to the documents that the service API answers, queries and targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localhub.cloud.server import LinkServer
from localhub.cloud.service.registry import Entry, Registry, identity_document
from localhub.cloud.service.twindocument import twin_document
from localhub.cloud.twins import CloudTwins
from localhub.identity import Identity


class Documents:
    """Of one hub. Of connections only the gateway's own is known here."""

    def __init__(self, registry: Registry, twins: CloudTwins, server: LinkServer) -> None:
        self._registry, self._twins, self._server = registry, twins, server

    def identity(self, entry: Entry) -> dict[str, Any]:
        """A device or module."""
        return identity_document(entry, connected=self._connected(entry.identity))

    def twin(self, entry: Entry) -> dict[str, Any]:
        """Its twin."""
        return twin_document(entry, self._twins.get(entry.identity), connected=self._connected(entry.identity))

    def twins(self, modules: bool) -> Iterator[dict[str, Any]]:  # noqa: FBT001  what a query is over
        """Every twin of devices or of modules, in order of their ids, one at a time."""
        return (self.twin(entry) for entry in self._registry.walk(("", ""), modules=modules))

    def _connected(self, identity: Identity) -> bool:
        return self._server.connected_since is not None and identity == Identity(self._twins.gateway)
