"""A leaf device's connection: the real device SDK through the gateway named in its environment.

A leaf is any device behind the gateway that speaks for itself. Under localhub it is started with
``LEAF_CONNECTION_STRING`` (with ``GatewayHostName``) and ``LEAF_CA_FILE``; on a real gateway an operator sets the same
two. A device with a certificate instead of a key has ``x509=true`` in its connection string, and
``LEAF_CERTIFICATE_FILE`` and ``LEAF_KEY_FILE``. `send` returns when edgeHub has the message on disk.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Self

from azure.iot.device import X509, IoTHubDeviceClient
from azure.iot.device import Message as SdkMessage
from azure.iot.device.exceptions import (
    ClientError,
    ConnectionDroppedError,
    ConnectionFailedError,
    NoConnectionError,
    OperationCancelled,
    OperationTimeout,
)

from modules.common.messages import Message

log = logging.getLogger(__name__)

# What the SDK raises while edgeHub is away; the same message is sent again when it is back.
_AWAY = (
    ClientError,
    ConnectionDroppedError,
    ConnectionFailedError,
    NoConnectionError,
    OperationCancelled,
    OperationTimeout,
)
_LONGEST_WAIT_S = 10.0


class LeafError(Exception):
    """The leaf cannot start; the text says what to set."""


class Leaf:
    """A connected leaf device. Use as a context manager."""

    def __init__(self, client: IoTHubDeviceClient, stopping: threading.Event) -> None:
        self._client = client
        self._stopping = stopping
        self.sent = 0
        self.sent_bytes = 0

    @classmethod
    def from_environment(cls, stopping: threading.Event, environment: Mapping[str, str] = os.environ) -> Self:
        """The device that the two variables describe; LeafError where they are missing or wrong.

        ``stopping`` ends the wait for an edgeHub that is away.
        """
        text, ca_file = environment.get("LEAF_CONNECTION_STRING"), environment.get("LEAF_CA_FILE")
        if not text or not ca_file:
            raise LeafError(
                "LEAF_CONNECTION_STRING and LEAF_CA_FILE are not set: start this under localhub (localhub.toml, "
                "[devices.*]), or set them to the device's connection string with GatewayHostName and the gateway's CA"
            )
        try:
            client = _client(text, Path(ca_file).read_text(encoding="ascii"), environment)
        except (OSError, ValueError) as error:
            raise LeafError(f"LEAF_CONNECTION_STRING or LEAF_CA_FILE cannot be used: {error}") from error
        except KeyError as error:
            raise LeafError(f"a device with a certificate needs {error.args[0]}, and it is not set") from error
        return cls(client, stopping)

    def __enter__(self) -> Self:
        self._again("connect", self._client.connect)
        _no_delay()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.shutdown()

    def send(self, message: Message) -> None:
        """Send one message and wait for edgeHub's PUBACK, however long edgeHub is away."""
        sdk = SdkMessage(message.body, message_id=message.message_id)  # type: ignore[no-untyped-call]
        sdk.content_type = message.content_type
        sdk.content_encoding = message.content_encoding
        sdk.custom_properties.update(message.facts())
        self._again("send", lambda: self._client.send_message(sdk))
        self.sent += 1
        self.sent_bytes += len(message.body)

    def _again(self, what: str, call: Callable[[], object]) -> None:
        """Call until edgeHub is there; an outage is said once."""
        wait, said = 0.2, False
        while not self._stopping.is_set():
            try:
                call()
            except _AWAY as error:
                if not said:
                    log.warning("cannot %s, edgeHub is away (%s); tried until it is back", what, error)
                    said = True
                self._stopping.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing
                wait = min(wait * 2, _LONGEST_WAIT_S)
            else:
                return
        raise LeafError(f"stopped while edgeHub was away: the last message was not sent ({what})")


def _client(text: str, trusted: str, environment: Mapping[str, str]) -> IoTHubDeviceClient:
    """The SDK's client for a connection string; ValueError, or KeyError with what a certificate's one lacks."""
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    if parts.get("x509") != "true":
        return IoTHubDeviceClient.create_from_connection_string(
            text, server_verification_cert=trusted, connection_retry_interval=1
        )
    pair = X509(environment["LEAF_CERTIFICATE_FILE"], environment["LEAF_KEY_FILE"])  # type: ignore[no-untyped-call]
    return IoTHubDeviceClient.create_from_x509_certificate(
        pair,
        parts["HostName"],
        parts["DeviceId"],
        gateway_hostname=parts["GatewayHostName"],
        server_verification_cert=trusted,
        connection_retry_interval=1,
    )


def _no_delay() -> None:
    """Switch Nagle's algorithm off on this process' sockets to port 8883: a 20 KB message costs 44 ms with it.

    The SDK has no setting for it. The connection is made anew after a drop, then with Nagle: slower, not wrong.
    """
    descriptors = Path("/proc/self/fd")
    for each in descriptors.iterdir() if descriptors.is_dir() else ():
        try:
            with socket.socket(fileno=os.dup(int(each.name))) as copy:
                if copy.family in {socket.AF_INET, socket.AF_INET6} and copy.getpeername()[1] == 8883:
                    copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            continue  # not a socket, or closed meanwhile


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set, for loops that should end in order."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
