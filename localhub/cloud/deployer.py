"""Deploys to the gateway: identities for its modules, their twins, and the manifest that a restart begins with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from localhub.cloud.twins import CloudTwins, DesiredPatch
from localhub.deployed import AGENT, SECTION, keep, modules_of
from localhub.identity import Identities, Identity
from localhub.state import State, write_atomic


class Deployer:
    """Writes to one state folder; `push` sends a change of desired properties on its way to the hub.

    The order is that of need: a module finds its identity when it is started, and a cloud that dies in between begins
    with the new manifest.
    """

    def __init__(self, state: State, twins: CloudTwins, push: Callable[[DesiredPatch], None]) -> None:
        self._state, self._twins, self._push = state, twins, push

    def reload(self) -> list[DesiredPatch]:
        """Take over the manifest in the state folder, where it changed; gives the changes."""
        path = self._state.manifest
        return self._pushed(self._twins.seed(json.loads(path.read_bytes()) if path.exists() else {}))

    def deploy(self, content: Mapping[str, Any]) -> list[DesiredPatch]:
        """Deploy a modulesContent in place of what there is; gives the changes."""
        self._identify(content)
        write_atomic(self._state.manifest, json.dumps(content, indent=2).encode())
        return self._pushed(self._twins.deploy(content))

    def deploy_elsewhere(self, content: Mapping[str, Any], device: str) -> None:
        """Deploy to another gateway, which does not run here: its twins are what there is of it."""
        self._twins.deploy(content, device)

    def replace(self, identity: Identity, document: Mapping[str, Any]) -> DesiredPatch:
        """Desired properties whole; raises as `CloudTwins.replace_desired`."""
        return self._changed(self._twins.replace_desired(identity, document))

    def patch(self, identity: Identity, patch: object) -> DesiredPatch:
        """Patch desired properties. Those of $edgeAgent deploy modules; raises as `CloudTwins.patch_desired`."""
        return self._changed(self._twins.patch_desired(identity, patch))

    def _changed(self, change: DesiredPatch) -> DesiredPatch:
        if change.identity == Identity(self._state.gateway, AGENT):
            twin = self._twins.get(change.identity)
            assert twin is not None
            self._identify({AGENT: {SECTION: twin.desired.document}})
            keep(self._state.manifest, {AGENT: twin.desired.document})
            self._twins.deployed(change.identity)
        return self._pushed([change])[0]

    def _identify(self, content: Mapping[str, Any]) -> None:
        Identities.ensure(self._state.identities, self._state.gateway, modules_of(content))

    def _pushed(self, changes: list[DesiredPatch]) -> list[DesiredPatch]:
        for change in changes:
            self._push(change)
        return changes
