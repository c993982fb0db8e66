"""Deploys to a gateway: identities for its modules, their twins, and the manifest that a restart begins with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from localhub.cloud.gateways import Gateways
from localhub.cloud.twins import CloudTwins, DesiredPatch
from localhub.deployed import AGENT, SECTION, keep, modules_of
from localhub.identity import Identities, Identity
from localhub.state import State, write_atomic

HUB: Final = "$edgeHub"
NO_ROUTES: Final = {"schemaVersion": "1.1", "routes": {}, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}


class Deployer:
    """Writes to the gateways' state folders; `push` sends a change of desired properties on its way to its hub.

    The order is that of need: a module finds its identity when it is started, and a cloud that dies in between begins
    with the new manifest.
    """

    def __init__(self, gateways: Gateways, twins: CloudTwins, push: Callable[[DesiredPatch], None]) -> None:
        self._gateways, self._twins, self._push = gateways, twins, push

    def reload(self) -> list[DesiredPatch]:
        """Take over the manifests in the state folders, where they changed; gives the changes."""
        changes = []
        for state in self._gateways:
            if state.cloud is not None and not state.manifest.exists():
                self._begin(state)
            if state.manifest.exists():
                changes += self._twins.seed(json.loads(state.manifest.read_bytes()), state.gateway)
        return self._pushed(changes)

    def deploy(self, content: Mapping[str, Any], device: str) -> list[DesiredPatch]:
        """Deploy a modulesContent to a gateway in place of what it has; gives the changes.

        Of one that does not run here the twins are what there is.
        """
        state = self._gateways.get(device)
        if state is not None:
            _identify(state, content)
            write_atomic(state.manifest, json.dumps(content, indent=2).encode())
        return self._pushed(self._twins.deploy(content, device))

    def replace(self, identity: Identity, document: Mapping[str, Any]) -> DesiredPatch:
        """Desired properties whole; raises as `CloudTwins.replace_desired`."""
        return self._changed(self._twins.replace_desired(identity, document))

    def patch(self, identity: Identity, patch: object) -> DesiredPatch:
        """Patch desired properties. Those of $edgeAgent deploy modules; raises as `CloudTwins.patch_desired`."""
        return self._changed(self._twins.patch_desired(identity, patch))

    def _begin(self, state: State) -> None:
        """A gateway was added without a manifest: what its twins say already is its first."""
        content = {HUB: {SECTION: NO_ROUTES}}
        for twin in self._twins.all([state.gateway]):
            if twin.module is not None and (desired := json.loads(twin.desired)):
                content[twin.module] = {SECTION: desired}
        _identify(state, content)
        write_atomic(state.manifest, json.dumps(content, indent=2).encode())

    def _changed(self, change: DesiredPatch) -> DesiredPatch:
        state = self._gateways.get(change.identity.device)
        if state is not None and change.identity.module == AGENT:
            twin = self._twins.get(change.identity)
            assert twin is not None
            _identify(state, {AGENT: {SECTION: twin.desired.document}})
            keep(state.manifest, {AGENT: twin.desired.document})
            self._twins.deployed(change.identity)
        return self._pushed([change])[0]

    def _pushed(self, changes: list[DesiredPatch]) -> list[DesiredPatch]:
        for change in changes:
            self._push(change)
        return changes


def _identify(state: State, content: Mapping[str, Any]) -> None:
    Identities.ensure(state.identities, state.gateway, modules_of(content))
