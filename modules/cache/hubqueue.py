"""edgeHub's own figures: how long its queue to the cloud is, and which run of edgeHub says so."""

from __future__ import annotations

import asyncio
import http.client
import re
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from modules.cache.flight import Reading

CLOUD = "iothub"  # the endpoint of $upstream in edgeHub's labels
_TIMEOUT_S = 5.0
_SAMPLE = re.compile(rb"^(\w+)(?:\{(.*)\})? (\S+)", re.MULTILINE)
_LABEL = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')
_LENGTH = b"edgehub_queue_length"
_RECEIVED = b"edgehub_messages_received_total"
_STARTED = b"process_start_time_seconds"
_WENT = b"edgehub_offline_count_total"
_CAME = b"edgehub_offline_duration_seconds_count"


class HubSilentError(Exception):
    """edgeHub's metrics cannot be read: nothing can be confirmed until they can."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Queue lengths by priority, which instance of edgeHub they are of, and how much that one has received.

    `away`: whether edgeHub itself knows that it does not reach the cloud; None where it says nothing of it.
    """

    lengths: dict[int, int]
    instance: str
    received: float
    away: bool | None = None

    def reading(self, priority: int) -> Reading:
        """For one priority; a queue that is not mentioned is empty."""
        return Reading(self.lengths.get(priority, 0), self.instance)


def parse(text: bytes) -> Lengths:
    """From Prometheus' text form. A negative length (edgeHub's, after a restart) counts as none.

    edgeHub begins away, without counting that; it counts each time it goes, and notes how long it was away each time
    it comes, the first time included (DeviceConnectivityManager.cs). So it is there if it came once more than it went.
    """
    lengths: dict[int, int] = {}
    instance, started, received = b"", b"", 0.0
    went, came, told = 0.0, 0.0, False
    for name, raw, value in _SAMPLE.findall(text):
        if name == _LENGTH:
            labels = dict(_LABEL.findall(raw))
            instance = labels.get(b"instance_number", instance)
            if labels.get(b"endpoint") == CLOUD.encode():
                lengths[int(labels[b"priority"])] = max(0, int(float(value)))
        elif name == _RECEIVED:
            instance = dict(_LABEL.findall(raw)).get(b"instance_number", instance)
            received += float(value)
        elif name == _STARTED:
            started = value
        elif name == _WENT:
            went, told = went + float(value), True
        elif name == _CAME:
            came, told = came + float(value), True
    away = came <= went if told else None
    return Lengths(lengths, b"/".join((instance, started)).decode(errors="replace"), received, away)


@dataclass(slots=True)
class HubQueue:
    """Reads edgeHub's metrics, over one connection as long as it lasts."""

    url: str
    _connection: http.client.HTTPConnection | None = None
    _received: float = 0.0
    _falls: int = field(default=0)

    async def read(self) -> Lengths:
        """The queue lengths now. Raises HubSilentError."""
        lengths = await asyncio.to_thread(self._read)
        if lengths.received < self._received:
            self._falls += 1  # a counter that falls belongs to another run, whatever its labels say
        self._received = lengths.received
        return replace(lengths, instance=f"{lengths.instance}#{self._falls}")

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self) -> Lengths:
        reused = self._connection is not None
        try:
            return parse(self._get())
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self.close()
            if not reused:
                raise HubSilentError(f"{self.url}: {error}") from error
        try:
            return parse(self._get())
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self.close()
            raise HubSilentError(f"{self.url}: {error}") from error

    def _get(self) -> bytes:
        parts = urlsplit(self.url)
        if self._connection is None:
            if parts.hostname is None:
                raise ValueError("not an address")
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)
        self._connection.request("GET", parts.path or "/metrics")
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(f"status {reply.status}")
        return body
