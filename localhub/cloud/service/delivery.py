"""Brings a content to a device: the gateway that runs here follows it, of others the twins are what there is."""

from __future__ import annotations

from localhub.cloud.deployer import Deployer
from localhub.cloud.service.content import Content
from localhub.cloud.service.registry import Registry
from localhub.deployed import modules_of


class Delivery:
    """Of one hub."""

    def __init__(self, deployer: Deployer, registry: Registry, gateway: str) -> None:
        self._deployer, self._registry, self._gateway = deployer, registry, gateway

    def deploy(self, device: str, content: Content) -> None:
        """Identities for the content's modules, and their twins."""
        if device == self._gateway:
            self._deployer.deploy(content)
            self._registry.sync()
        else:
            self._registry.manage(device, modules_of(content))
            self._deployer.deploy_elsewhere(content, device)
