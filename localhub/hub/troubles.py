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
    """TLS handshakes that come to nothing, and connections that never say CONNECT: a line now and then for each."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._again: dict[str, float] = {}
        self._sent_away = 0

    def failed(self, reason: str | None) -> None:
        """A handshake came to nothing; None: the client hung up without a word."""
        if reason is None:
            reason = (
                "it does not trust this hub's CA (is its bundle of this state folder?), asked for another host name"
                " than the certificate has, or does not speak TLS"
            )
        self._say(reason, f"a client's TLS handshake failed: {reason}")

    def flooded(self, address: str, count: int) -> None:
        """One of the `count` connections from an address that never said CONNECT had to make room for a new one."""
        self._sent_away += 1
        text = "connections that never say CONNECT, its oldest make room for new ones"
        self._say("flood", f"{address} holds {count} {text} ({self._sent_away} so far)")

    def _say(self, about: str, line: str) -> None:
        now = self._time()
        if now >= self._again.get(about, now):
            self._again[about] = now + HANDSHAKE_LINE_EVERY_S
            log.warning("%s", line)
