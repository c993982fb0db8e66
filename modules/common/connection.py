"""Staying connected: for ever, with backoff and jitter; an outage is said once, and so is its end."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from modules.common.backoff import backoff
from modules.common.transport import Delivery, MethodCall, Transport, TransportDownError

log = logging.getLogger(__name__)

# A token renewal is over in milliseconds and is no outage.
_GRACE_SECONDS: Final = 1.0
_FIRST_WAIT: Final = 0.25
_LONGEST_WAIT: Final = 10.0
_GREETING_SECONDS: Final = 30.0


class Guest(Protocol):
    """What lives on the connection."""

    @property
    def wants_inputs(self) -> bool:
        """Whether there is any input to subscribe to."""

    async def pull_twin(self) -> None:
        """Read the whole twin and apply it. Raises TransportDownError."""

    def delivered(self, delivery: Delivery) -> None:
        """A message came."""

    def desired_changed(self, patch: Mapping[str, object]) -> None:
        """A patch of desired properties came."""

    def method_called(self, call: MethodCall) -> None:
        """A direct method was called."""

    def ready(self) -> None:
        """Connected, subscribed, and the twin applied."""


class Connection:
    """Keeps `transport` connected while `stay` runs; `up` is set while it is."""

    def __init__(self, transport: Transport, guest: Guest) -> None:
        self.transport: Final = transport
        self.up: Final = asyncio.Event()
        self._guest = guest
        self._changed = asyncio.Event()
        self._epoch = 0
        self.delivered: Final[Callable[[Delivery], None]] = guest.delivered
        self.desired_changed: Final[Callable[[Mapping[str, object]], None]] = guest.desired_changed
        self.method_called: Final[Callable[[MethodCall], None]] = guest.method_called

    def connection_changed(self, *, connected: bool) -> None:
        """The transport says that the connection came or went."""
        if connected and not self.up.is_set():
            self._epoch += 1
            self.up.set()
        elif not connected:
            self.up.clear()
        self._changed.set()

    def check(self) -> None:
        """Catch up with the transport should one of its events have been lost."""
        if self.transport.connected != self.up.is_set():
            self.connection_changed(connected=self.transport.connected)

    async def stay(self) -> None:
        """Connect, greet, and begin again whenever the connection comes back or must be sought."""
        greeted = 0
        waits = backoff(first=_FIRST_WAIT, longest=_LONGEST_WAIT)
        while True:
            self._changed.clear()
            if not self.up.is_set():
                await self._seek(known=self._epoch > 0)
            elif greeted != self._epoch:
                epoch = self._epoch
                if await self._greet(first=not greeted):
                    greeted = epoch
                    waits = backoff(first=_FIRST_WAIT, longest=_LONGEST_WAIT)
                else:
                    await asyncio.sleep(next(waits))
            else:
                await self._changed.wait()

    async def _seek(self, *, known: bool) -> None:
        """Try until connected. `known`: there was a connection, and the SDK is trying once by itself."""
        since = time.monotonic()
        if known and await self._up_within(_GRACE_SECONDS):
            return
        said = False
        waits = backoff(first=_FIRST_WAIT, longest=_LONGEST_WAIT)
        while not self.up.is_set():
            try:
                await self.transport.connect(self)
            except TransportDownError as error:
                if not said:
                    log.warning("edgeHub cannot be reached, trying on: %s", error)
                    said = True
                await self._up_within(next(waits))
            else:
                if not await self._up_within(_GRACE_SECONDS):
                    self.check()
        if said or known:
            log.info("edgeHub is back after %.1f s", time.monotonic() - since)
        else:
            log.info("connected to edgeHub")

    async def _greet(self, *, first: bool) -> bool:
        """Subscribe where edgeHub does not know us, and pull the twin; False when the connection went meanwhile."""
        transport = self.transport
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                subscribe = first or not transport.session_present
                if subscribe:
                    if not first:
                        log.warning("edgeHub has forgotten this module's subscriptions; subscribing again")
                    await transport.subscribe("twin", "methods")
                await self._guest.pull_twin()
                if subscribe and self._guest.wants_inputs:
                    await transport.subscribe("inputs")
        except (TransportDownError, TimeoutError) as error:
            log.debug("greeting: %s", error)
            return False
        self._guest.ready()
        return True

    async def _up_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.up.wait()
        except TimeoutError:
            return False
        return True
