"""The hub's end of the link to the cloud, and the faults that can be played on it.

`send` returns when the cloud has committed the messages, and raises LinkDown when the connection ends before: the
caller keeps them and sends them again. The connection is made again for ever, with a short pause that grows to a
second; while the link is set down nothing is tried. The setting is kept in a file, for a pulled cable stays pulled when
the hub restarts.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import msgspec

from localhub import link
from localhub.hub.cloudconnection import CloudConnection
from localhub.hub.pump import LinkDown
from localhub.identity import Identity
from localhub.state import State, write_atomic
from localhub.twin import Document

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 1.0
FRAME_BYTES = 1 << 20  # a batch is cut into frames of about this size, so that a slow link shows progress
SLOW_BYTES_PER_S = 16_000.0
SLOW_LATENCY_MS = 300.0

log = logging.getLogger(__name__)


class Sendable(Protocol):
    """What `send` needs of a queued message."""

    @property
    def body(self) -> bytes:
        """The payload."""

    @property
    def properties(self) -> dict[str, str]:
        """User properties."""

    @property
    def system(self) -> dict[str, str]:
        """System properties, by their long names."""


class Receiver(Protocol):
    """Who takes what the cloud sends."""

    def synced(self, twins: Sequence[link.TwinState]) -> None:
        """The link is up, and these are all twins as the cloud knows them."""

    def desired(self, change: link.Desired) -> None:
        """Desired properties changed."""

    def called(self, call: link.Call) -> None:
        """A direct method is to be invoked; `answer` takes the outcome."""


@dataclass(frozen=True, slots=True)
class LinkSetting:
    """What the link is set to: up, down, or slow with a bandwidth, a latency and a loss of packets each way."""

    state: str = "up"
    bytes_per_s: float | None = None
    latency_ms: float = 0.0
    loss_percent: float = 0.0

    @property
    def pace(self) -> tuple[float | None, float, float]:
        """Bytes per second, seconds, and a share: bandwidth, latency and loss."""
        return self.bytes_per_s, self.latency_ms / 1000, self.loss_percent / 100

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "LinkSetting":
        """From {"state", "bytes_per_s", "latency_ms", "loss_percent"}; raises ValueError with what to write instead."""
        state = document.get("state")
        if state not in ("up", "down", "slow"):
            raise ValueError('state must be "up", "down" or "slow"')
        if state != "slow":
            return cls(state)
        bytes_per_s, latency_ms = document.get("bytes_per_s"), document.get("latency_ms")
        loss_percent = document.get("loss_percent")
        if bytes_per_s is None and latency_ms is None and loss_percent is None:
            bytes_per_s, latency_ms = SLOW_BYTES_PER_S, SLOW_LATENCY_MS
        if not isinstance(bytes_per_s, int | float | None) or (bytes_per_s is not None and bytes_per_s <= 0):
            raise ValueError("bytes_per_s must be a number above 0")
        if not isinstance(latency_ms, int | float | None) or (latency_ms or 0) < 0:
            raise ValueError("latency_ms must be a number, 0 or more")
        if not isinstance(loss_percent, int | float | None) or not 0 <= (loss_percent or 0) < 100:
            raise ValueError("loss_percent must be a number from 0 to below 100; to lose everything set the link down")
        bandwidth = None if bytes_per_s is None else float(bytes_per_s)
        return cls("slow", bandwidth, float(latency_ms or 0), float(loss_percent or 0))


class Uplink:
    """The link to the cloud."""

    def __init__(self, state: State, receiver: Receiver) -> None:
        self._state = state
        self._receiver = receiver
        self._watchers: list[Callable[[], None]] = []
        self._allowed = asyncio.Event()
        self._up = asyncio.Event()
        self._connection: CloudConnection | None = None
        self._reached = False  # whether the present connection has got as far as the cloud's twins
        self._proven = False  # whether it was of use: the cloud has committed something
        self.setting = self._stored()
        self.bytes_up = 0

    @property
    def is_up(self) -> bool:
        """Whether the cloud is connected and has sent its twins."""
        return self._up.is_set()

    @property
    def is_set_down(self) -> bool:
        """Whether somebody has cut the link on purpose."""
        return self.setting.state == "down"

    def status(self) -> dict[str, Any]:
        """For the hub's control API; `state` is what is, `set` what was asked for."""
        state = self.setting.state if self.is_up else "down"
        facts = {"state": state, "set": self.setting.state, "bytes_up": self.bytes_up}
        setting = self.setting
        slow = {"latency_ms": setting.latency_ms, "bytes_per_s": setting.bytes_per_s}
        return facts | slow | {"loss_percent": setting.loss_percent}

    def link_changed(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called whenever the link went up or down or was set otherwise."""
        self._watchers.append(watcher)

    async def up(self) -> None:
        """Returns when the link is up, at once if it is."""
        await self._up.wait()

    def set(self, setting: LinkSetting) -> None:
        """Cut, slow or restore the link."""
        if setting != self.setting:
            log.info("the link to the cloud is set %s", setting.state)
        self.setting = setting
        write_atomic(self._state.link_setting, json.dumps(asdict(setting)).encode())
        if self.is_set_down:
            self._allowed.clear()
            if self._connection is not None:
                self._connection.cut("the link is set down")
        else:
            self._allowed.set()
            if self._connection is not None:
                self._connection.shape(*setting.pace)
        self._changed()

    async def run(self) -> None:
        """Connect, for ever; cancel to end."""
        if not self.is_set_down:
            self._allowed.set()
        pause, told = FIRST_PAUSE_S, False
        try:
            while True:
                await self._allowed.wait()
                self._reached = self._proven = False
                reason = await self._connected()
                told = told and not self._reached
                pause = FIRST_PAUSE_S if self._proven else pause
                if not told:
                    log.warning("the cloud is away: %s", reason)
                    told = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        finally:
            self._up.clear()

    async def send(self, batch: Sequence[Sendable]) -> None:
        """Send messages to the cloud; returns when it has committed them all, raises LinkDown otherwise."""
        numbered = [
            self._numbered(lambda number, part=part: link.Batch(number, part))  # type: ignore[misc]
            for part in _parts(batch)
        ]
        await _all(numbered)

    async def report(self, identity: Identity, patch: Document, version: int) -> None:
        """Send a patch of reported properties; returns when the cloud has it, raises LinkDown otherwise."""
        document = msgspec.json.encode(patch)
        device, module = identity.device, identity.module
        await self._numbered(lambda number: link.Reported(number, device, module, document, version))

    def answer(self, answer: link.MethodAnswer) -> None:
        """Send a method's outcome; lost with the link, as the caller's wait is."""
        if self._connection is not None:
            self._connection.write(answer)

    def reconnect(self, reason: str) -> None:
        """Begin again with a new connection, and so with a comparison of all twins."""
        if self._connection is not None:
            self._connection.cut(reason)

    def _numbered(self, frame: Callable[[int], link.Up]) -> asyncio.Future[None]:
        if self._connection is None or not self.is_up:
            raise LinkDown("the link to the cloud is down")
        return self._connection.numbered(frame)

    async def _connected(self) -> str:
        """One connection from its making to its end; returns why it ended."""
        loop = asyncio.get_running_loop()
        connection = CloudConnection(self._received, self._counted)
        try:
            await loop.create_unix_connection(lambda: connection, str(self._state.link_socket))
        except OSError as error:
            return f"nothing answers ({error.strerror})"
        if self.is_set_down:  # cut while it was being made
            connection.cut("the link is set down")
        self._connection = connection
        connection.ended.add_done_callback(self._lost)
        try:
            connection.shape(*self.setting.pace)
            connection.write(link.Hello(self._state.gateway))
            return await connection.ended
        finally:
            self._connection = None
            self._proven = connection.acknowledged > 0
            connection.cut("the hub stops")

    def _received(self, frame: link.Down) -> None:
        match frame:
            case link.Sync():
                self._reached = True
                self._up.set()
                self._receiver.synced(frame.twins)
                log.info("the cloud is connected")
                self._changed()
            case link.Desired():
                self._receiver.desired(frame)
            case link.Call():
                self._receiver.called(frame)

    def _lost(self, _ended: object) -> None:
        """The connection ended; runs before those whose `send` failed go on, who then find the link down."""
        if self._up.is_set():
            self._up.clear()
            self._changed()

    def _counted(self, size: int) -> None:
        self.bytes_up += size

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher()

    def _stored(self) -> LinkSetting:
        try:
            return LinkSetting.parse(json.loads(self._state.link_setting.read_bytes()))
        except FileNotFoundError:
            return LinkSetting()
        except ValueError as error:
            log.warning("what the link was set to cannot be read (%s): it is up", error)
            return LinkSetting()


def _parts(batch: Sequence[Sendable]) -> Iterator[list[link.Telemetry]]:
    part: list[link.Telemetry] = []
    size = 0
    for message in batch:
        part.append(link.Telemetry(message.body, message.properties, message.system))
        size += len(message.body)
        if size >= FRAME_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


async def _all(futures: list[asyncio.Future[None]]) -> None:
    """Wait for every future, so that none is left whose failure nobody sees; raises the first failure."""
    for outcome in await asyncio.gather(*futures, return_exceptions=True):
        if outcome is not None:
            raise outcome
