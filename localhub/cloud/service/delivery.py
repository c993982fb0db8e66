"""Brings a content to a device: a gateway that runs here follows it, of others the twins are what there is."""

from __future__ import annotations

from localhub.cloud.deployer import Deployer
from localhub.cloud.gateways import Gateways
from localhub.cloud.service.content import Content
from localhub.cloud.service.registry import Registry
from localhub.deployed import modules_of


class Delivery:
    """Of one hub."""

    def __init__(self, deployer: Deployer, registry: Registry, gateways: Gateways) -> None:
        self._deployer, self._registry, self._gateways = deployer, registry, gateways

    def deploy(self, device: str, content: Content) -> None:
        """Identities for the content's modules, and their twins."""
        runs_here = self._gateways.get(device) is not None
        if not runs_here:
            self._registry.manage(device, modules_of(content))
        self._deployer.deploy(content, device)
        if runs_here:
            self._registry.sync(device)
