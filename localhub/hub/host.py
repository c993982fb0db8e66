"""The hub as its services see it: clients, facts on disk, and who may speak for whom."""

from collections.abc import Awaitable, Callable, Mapping

from localhub.hub.broker import Broker
from localhub.hub.connection import Connection
from localhub.hub.login import Refused, Verifier
from localhub.hub.store import Store
from localhub.identity import Identity


class Host:
    """Joins broker, store and verifier for `Services.attach`.

    `twin_changed` is what makes of a reported patch an event for routes from /twinChangeNotifications.
    """

    def __init__(
        self, broker: Broker, store: Store, verifier: Verifier, twin_changed: Callable[[Identity, bytes], None]
    ) -> None:
        self._broker = broker
        self._store = store
        self._verifier = verifier
        self._twin_changed = twin_changed

    def client(self, device: str, module: str | None) -> Connection | None:
        """The connected client of an identity."""
        return self._broker.client(device, module)

    def fact(self, name: str) -> bytes | None:
        """A small fact that was kept on disk."""
        return self._store.fact(name)

    def keep(self, values: Mapping[str, bytes]) -> Awaitable[None]:
        """Keep facts with the next commit; the awaitable resolves after it."""
        self._broker.commits.open().facts.update(values)
        return self._broker.commits.durable()

    def twin_changed(self, identity: Identity, patch: bytes) -> None:
        """A client has changed its reported properties."""
        self._twin_changed(identity, patch)

    def authenticate(self, identity: Identity, token: bytes) -> str | None:
        """Why a token is not good for an identity; None when it is."""
        try:
            self._verifier.verify(identity, token)
        except Refused as refusal:
            return str(refusal)
        return None
