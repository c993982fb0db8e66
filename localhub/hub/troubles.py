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

    def __init__(self, time: Callable[[], float], longest_hold_s: float) -> None:
        self._time = time
        self._longest_hold_s = longest_hold_s
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
        hold_s = min(FIRST_HOLD_S * 2.0 ** min(known.count - 2, 20), self._longest_hold_s)
        if not hold_s and known.count & (known.count - 1):
            return hold_s  # without a hold it comes a hundred times a second: the 2nd, 4th, 8th ... is named
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
    """TLS handshakes that came to nothing: a line now and then for each reason, and for those that gave none."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._again: dict[str, float] = {}
        self._explained = 0  # connections that will be forgotten, and whose reason has been told

    def explained(self, reason: str) -> None:
        """A handshake failed, and this is why; its connection will be forgotten presently."""
        self._explained += 1
        self._say(reason)

    def forgotten(self) -> None:
        """A connection was dropped before its handshake was done."""
        if self._explained:
            self._explained -= 1
        else:
            self._say(
                "it does not trust this hub's CA (is its bundle of this state folder?), asked for another host name"
                " than the certificate has, or does not speak TLS"
            )

    def _say(self, reason: str) -> None:
        now = self._time()
        if now >= self._again.get(reason, now):
            self._again[reason] = now + HANDSHAKE_LINE_EVERY_S
            log.warning("a client's TLS handshake failed: %s", reason)
