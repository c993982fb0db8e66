"""Clients in trouble: what goes wrong again and again is named, and does not spin."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from localhub.identity import Identity
from localhub.wire.packets import MAX_PACKET

log = logging.getLogger(__name__)

SAME_WITHIN_S: Final = 60.0  # an oversize packet again within this time is the same one
FIRST_HOLD_S: Final = 0.4
LONGEST_HOLD_S: Final = 30.0
HANDSHAKE_LINE_EVERY_S: Final = 60.0  # a client that cannot get in tries again and again


@dataclass(slots=True)
class _Packet:
    size: int
    seen: float
    count: int = 1


class OversizeLoops:
    """The loop of a message that fits the SDK's limit but not the hub's (edgehub-contract 4).

    edgeHub closes the connection, the SDK connects after 10 ms and sends the same packet again, for ever.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._packets: dict[Identity, _Packet] = {}

    def seen(self, identity: Identity, size: int) -> float | None:
        """A client sent a packet of `size` bytes; for how many seconds to hold it off, None for the first time."""
        now = self._time()
        known = self._packets.get(identity)
        if known is None or known.size != size or now - known.seen > SAME_WITHIN_S:
            self._packets[identity] = _Packet(size, now)
            return None
        known.seen = now
        known.count += 1
        hold_s = min(FIRST_HOLD_S * 2.0 ** min(known.count - 2, 20), LONGEST_HOLD_S)
        log.error(
            "%s is in a loop: it sent a packet of %d bytes for the %d. time, the limit is %d. edgeHub closes the"
            " connection, the SDK connects and sends it again, for ever. Keep bodies under 250 KB."
            " The connection is held for %.1f s",
            identity,
            size,
            known.count,
            MAX_PACKET,
            hold_s,
        )
        return hold_s


class Handshakes:
    """TLS handshakes that come to nothing, and connections that never say CONNECT; a line now and then says so."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._again = 0.0
        self._flood_again = 0.0
        self._sent_away = 0

    def failed(self, reason: str) -> None:
        """One more that did not come about."""
        now = self._time()
        if now < self._again:
            return
        self._again = now + HANDSHAKE_LINE_EVERY_S
        log.warning(
            "a client broke off the TLS handshake (%s): it does not trust this hub's CA (is its bundle of this state"
            " folder?), asked for another host name than the certificate has, or does not speak TLS",
            reason,
        )

    def flooded(self, address: str, count: int) -> None:
        """One of the `count` connections from an address that never said CONNECT had to make room for a new one."""
        self._sent_away += 1
        now = self._time()
        if now < self._flood_again:
            return
        self._flood_again = now + HANDSHAKE_LINE_EVERY_S
        log.warning(
            "%s holds %d connections that never say CONNECT, its oldest make room for new ones (%d so far)",
            address,
            count,
            self._sent_away,
        )
