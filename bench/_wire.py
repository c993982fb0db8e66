"""edgeHub played for one module in this process: what it sends is kept or counted, what is given to it is handled."""

import asyncio
from collections.abc import Callable, Mapping

from modules.common.messages import Message
from modules.common.transport import Delivery, Feature, Listener


class Wire:
    """Always connected. `took` is called with every output and message that the module sends. Implements Transport."""

    session_present = True

    def __init__(self, settings: Mapping[str, object], took: Callable[[str, Message], None]) -> None:
        self.connected = False
        self._settings = settings
        self._took = took
        self._listener: Listener | None = None
        self.ready = asyncio.Event()

    async def connect(self, listener: Listener) -> None:
        """Connect at once."""
        self._listener, self.connected = listener, True
        listener.connection_changed(connected=True)

    async def subscribe(self, *_features: Feature) -> None:
        """Nothing to do: everything is delivered."""

    async def send(self, output: str, message: Message) -> None:
        """Take a message."""
        self._took(output, message)

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        """Return the settings as desired properties."""
        self.ready.set()
        return {"desired": {"$version": 1, "settings": self._settings}, "reported": {}}

    async def report(self, _patch: Mapping[str, object]) -> None:
        """Nobody reads reported properties here."""

    async def close(self) -> None:
        """Disconnect."""
        self.connected = False

    async def deliver(self, name: str, message: Message) -> None:
        """Deliver to input `name` and return when the module has acknowledged."""
        assert self._listener is not None
        handled = asyncio.Event()

        def acknowledge() -> bool:
            handled.set()
            return True

        delivery = Delivery(
            input=name,
            body=message.body,
            acknowledge=acknowledge,
            current=lambda: True,
            message_id=message.message_id,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            properties=message.facts(),
        )
        self._listener.delivered(delivery)
        await handled.wait()
