"""What the service API is about: registry, twins, deployments and links of one cloud, put together."""

from __future__ import annotations

from datetime import UTC, datetime

import apsw

from localhub.cloud.arrivals import Arrivals
from localhub.cloud.deployer import Deployer
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer
from localhub.cloud.service.configurations import Configurations
from localhub.cloud.service.delivery import Delivery
from localhub.cloud.service.documents import Documents
from localhub.cloud.service.registry import Registry
from localhub.cloud.twins import CloudTwins


class Service:
    """One cloud's."""

    def __init__(
        self,
        database: apsw.Connection,
        arrivals: Arrivals,
        gateways: Gateways,
        twins: CloudTwins,
        deployer: Deployer,
        server: LinkServer,
    ) -> None:
        self.arrivals, self.gateways, self.deployer, self.server = arrivals, gateways, deployer, server
        self.registry = Registry(database, twins, gateways)
        self.documents = Documents(self.registry, twins, server)
        self.delivery = Delivery(deployer, self.registry, gateways)
        self.configurations = Configurations(
            database, self.registry, self.documents.twins, self.delivery, lambda: datetime.now(UTC)
        )

    def take_in(self, gateway: str) -> None:
        """A gateway was added: from now on it runs here, and follows what is deployed to it."""
        self.gateways.refresh()
        self.deployer.reload()
        self.registry.sync(gateway)
        self.configurations.apply(gateway)
