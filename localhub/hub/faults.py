"""Faults on command, so that a module can be tried against what happens in the field.

Nothing here happens by itself: without a command the hub behaves as if this were not there. What is set (refusals, late
PUBACKs, expired tokens, a full disk, a wrong clock) lives as long as the hub's process.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from localhub.hub.clock import Clock
from localhub.hub.login import NOT_AUTHORIZED, Refused
from localhub.identity import Identity
from localhub.wire.packets import Connect

CODES: Final = range(1, 6)  # of CONNACK in MQTT 3.1.1, without 0, which accepts
EVERYBODY: Final = "*"


class Disk(Protocol):
    """Where the hub keeps messages, as faults see it."""

    def fill(self, *, full: bool) -> None:
        """Have it be full, or have room again."""


class Connected(Protocol):
    """A connection, as faults see it."""

    @property
    def identity(self) -> Identity:
        """Who it is."""

    def abort(self) -> None:
        """Close at once, without a word."""


@dataclass(slots=True)
class _Refusal:
    code: int
    left: int


class Faults:
    """The faults of one hub. A client is named by its MQTT client id, `DEVICE` or `DEVICE/MODULE`; None: all clients.

    `clients` gives those that are connected, `forget` drops a stored session and says whether there was one, `disk` is
    the hub's, `clock` its wall clock.
    """

    def __init__(
        self, clients: Callable[[], Iterable[Connected]], forget: Callable[[str], bool], disk: Disk, clock: Clock
    ) -> None:
        self._clients = clients
        self._forget = forget
        self._disk = disk
        self._clock = clock
        self._disk_is_full = False
        self._refusals: dict[str, _Refusal] = {}
        self._tokens: dict[str, bytes] = {}  # the last that each client came with
        self._expired: set[bytes] = set()
        self.delays: dict[str, float] = {}  # seconds by client; empty when no PUBACK is to be late

    # What the hub asks.

    def admit(self, packet: Connect) -> None:
        """Raises Refused when this CONNECT is to fail."""
        for name in (packet.client_id, EVERYBODY):
            refusal = self._refusals.get(name)
            if refusal is not None:
                refusal.left -= 1
                if not refusal.left:
                    del self._refusals[name]
                raise Refused(refusal.code, f"code {refusal.code} was asked for (a fault on command)")
        if packet.password is None:
            return
        if packet.password in self._expired:
            raise Refused(NOT_AUTHORIZED, "its token counts as expired (a fault on command)")
        self._tokens[packet.client_id] = packet.password

    def puback_delay(self, client: str) -> float:
        """Seconds that a client's PUBACKs are late."""
        return self.delays.get(client, self.delays.get(EVERYBODY, 0.0))

    # What is commanded.

    def drop(self, client: str | None) -> list[str]:
        """Break the connection, as a network does; those it was done to."""
        found = [one for one in self._clients() if client in (None, str(one.identity))]
        for one in found:
            one.abort()
        return [str(one.identity) for one in found]

    def refuse(self, code: int, times: int, client: str | None) -> None:
        """Answer the next `times` CONNECTs with a CONNACK code; raises ValueError for a code that there is not."""
        if code not in CODES:
            raise ValueError(f"a CONNECT is refused with a code from {CODES[0]} to {CODES[-1]}, not {code}")
        if times < 1:
            raise ValueError("times must be 1 or more")
        self._refusals[client or EVERYBODY] = _Refusal(code, times)

    def delay_pubacks(self, seconds: float, client: str | None) -> None:
        """Send PUBACKs late, in their order; 0: at once again. The message is on disk and on its way meanwhile."""
        if seconds < 0:
            raise ValueError("a PUBACK cannot be early")
        name = client or EVERYBODY
        if seconds:
            self.delays[name] = seconds
        elif client is None:
            self.delays.clear()
        else:
            self.delays.pop(name, None)

    def lose_session(self, client: str) -> bool:
        """Forget what a client has subscribed to, and break its connection; whether there was anything to forget.

        The Python SDK does not subscribe again by itself: its module stays deaf until it is started again, as after
        the loss of edgeHub's storage.
        """
        self.drop(client)
        return self._forget(client)

    def expire_tokens(self, client: str | None) -> list[str]:
        """Take the tokens in use for expired, and break their connections; a new token is welcome. Whose they were."""
        found = [name for name in self._tokens if client in (None, name)]
        self._expired.update(self._tokens.pop(name) for name in found)
        for name in found:
            self.drop(name)
        return found

    def fill_disk(self, *, full: bool) -> None:
        """Have every write to the hub's file fail as on a full disk, or have room again.

        What cannot be written is not acknowledged and its sender's connection closes, as edgeHub's does.
        """
        self._disk_is_full = full
        self._disk.fill(full=full)

    def set_clock(self, offset_s: float) -> None:
        """Put the hub's wall clock wrong by so many seconds; 0: right again. Raises ValueError past any calendar.

        Moved with it: when messages came in and expire, when tokens and certificates are good, the times that the hub
        reports. Not moved: pauses and timeouts, the cloud, and the modules, whose clocks are those of their processes.
        """
        try:
            datetime.fromtimestamp(self._clock() - self._clock.offset_s + offset_s, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise ValueError(f"a clock {offset_s:g} s wrong shows no time between the years 1 and 9999") from error
        self._clock.offset_s = offset_s

    def clear(self) -> None:
        """No more faults; what was lost or broken stays so."""
        self._refusals.clear()
        self._expired.clear()
        self.delays.clear()
        self.fill_disk(full=False)
        self.set_clock(0.0)

    def status(self) -> dict[str, Any]:
        """What is set."""
        return {
            "refuse": {name: {"code": one.code, "times": one.left} for name, one in self._refusals.items()},
            "puback_ms": {name: seconds * 1000 for name, seconds in self.delays.items()},
            "expired_tokens": len(self._expired),
            "disk_full": self._disk_is_full,
            "clock_offset_s": self._clock.offset_s,
        }
