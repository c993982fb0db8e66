"""Everything that leans on the insides of azure-iot-device 2.14 and paho-mqtt 1.6.1; tests fail when those change.

Why it is needed, measured or read in their source:

- paho sends PUBACK before anyone has looked at a message, so a kill in between loses it. Here the PUBACK is held until
  it is asked for, and it belongs to one connection: after a reconnect (a token renewal is one) edgeHub delivers the
  message again under a packet id it may reuse, so an old PUBACK would acknowledge something else.
- The SDK runs handlers concurrently on threads; order would be lost. Input messages are taken from paho directly.
- The SDK's own send path costs about a millisecond of threads and logging; publishing goes to its transport directly,
  which still tracks packet ids and resends after a reconnect.
- Neither sets TCP_NODELAY, and a 20 KB message then waits 44 ms for a delayed acknowledgement.
- The SDK never subscribes again; when edgeHub has lost its sessions a module is deaf for ever (Azure/iotedge#4050).
"""
# ruff: noqa: SLF001 - private members are what this file is about
# mypy: disable-error-code="no-untyped-call"

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from azure.iot.device import Message as SdkMessage
from azure.iot.device import MethodRequest, MethodResponse, exceptions
from azure.iot.device.aio import IoTHubModuleClient
from azure.iot.device.common import async_adapter
from azure.iot.device.common.auth.sastoken import SasTokenError
from azure.iot.device.iothub.pipeline import constant, mqtt_topic_iothub

from modules.common.messages import Message
from modules.common.transport import (
    Delivery,
    EnvironmentMissingError,
    Feature,
    Listener,
    MethodCall,
    ReportRefusedError,
    TransportDownError,
)

log = logging.getLogger(__name__)

_EDGE_VARIABLES: Final = (
    "IOTEDGE_MODULEID",
    "IOTEDGE_DEVICEID",
    "IOTEDGE_IOTHUBHOSTNAME",
    "IOTEDGE_GATEWAYHOSTNAME",
    "IOTEDGE_MODULEGENERATIONID",
    "IOTEDGE_WORKLOADURI",
    "IOTEDGE_APIVERSION",
)
_DEBUG_VARIABLES: Final = ("EdgeHubConnectionString", "EdgeModuleCACertificateFile")
# The SDK tries once at once, then at this pace; `Edge` tries with backoff and jitter in between.
_SDK_RETRY_SECONDS: Final = 60
_FEATURES: Final[Mapping[Feature, tuple[str, ...]]] = {
    "twin": (constant.TWIN, constant.TWIN_PATCHES),
    "methods": (constant.METHODS,),
    "inputs": (constant.INPUT_MSG,),
}
_DOWN: Final = (exceptions.ClientError, exceptions.OperationCancelled, exceptions.OperationTimeout)


class SdkTransport:
    """A module's connection through azure-iot-device. One event loop; `connect` first."""

    def __init__(self, *, sastoken_ttl: int = 3600) -> None:
        self._ttl = sastoken_ttl
        self._client: Any = None  # an IoTHubModuleClient; its annotations disagree with what it does
        self._wire: _Wire | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._client is not None and bool(self._client.connected)

    @property
    def session_present(self) -> bool:
        """Whether edgeHub still knew the subscriptions when it last accepted a connection."""
        return self._wire is not None and self._wire.session_present

    async def connect(self, listener: Listener) -> None:
        """One attempt. Raises TransportDownError, or EnvironmentMissingError when started by hand."""
        try:
            if self._wire is None:
                require_environment()
                await asyncio.to_thread(self._create, listener, asyncio.get_running_loop())
            await self._client.connect()
        except (*_DOWN, OSError, ValueError) as error:
            if isinstance(error, exceptions.CredentialError):
                await asyncio.to_thread(self._renew_token)
            raise TransportDownError(_reason(error)) from error

    async def subscribe(self, *features: Feature) -> None:
        """Subscribe to the topics of `features`, each time anew."""
        for name in (name for feature in features for name in _FEATURES[feature]):
            callback = async_adapter.AwaitableCallback()
            await asyncio.to_thread(self._client._mqtt_pipeline.enable_feature, name, callback=callback)
            try:
                await callback.completion()
            except Exception as error:  # the pipeline has a dozen classes of its own for 'not now'
                raise TransportDownError(_reason(error)) from error

    async def send(self, output: str, message: Message) -> None:
        """Publish to `output` and wait for the PUBACK; after a reconnect it is sent again by paho."""
        if self._wire is None or not self.connected:
            raise TransportDownError("not connected")
        await self._wire.publish(output, message)

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        """The whole twin."""
        try:
            twin: Mapping[str, Mapping[str, object]] = await self._client.get_twin()
        except _DOWN as error:
            raise TransportDownError(_reason(error)) from error
        return twin

    async def report(self, patch: Mapping[str, object]) -> None:
        """Merge `patch` into the reported properties; all of it, or ReportRefusedError."""
        try:
            await self._client.patch_twin_reported_properties(dict(patch))
        except _DOWN as error:
            if isinstance(error.__cause__, exceptions.ServiceError) and "status 4" in str(error.__cause__):
                raise ReportRefusedError(_reason(error)) from error
            raise TransportDownError(_reason(error)) from error

    async def close(self) -> None:
        """Disconnect and stop the SDK's threads."""
        if self._client is None:
            return
        client, self._client = self._client, None
        try:
            await client.shutdown()
        except _DOWN as error:
            log.debug("closing: %s", _reason(error))

    def _renew_token(self) -> None:
        """Have a new token for the next attempt: the SDK goes on with one that was refused until it would run out.

        That is how a clock that jumped, or a gateway that slept, would keep a module away for an hour.
        """
        try:
            self._client._mqtt_pipeline.pipeline_configuration.sastoken.refresh()
        except SasTokenError as error:
            log.debug("no new token yet: %s", _reason(error))

    def _create(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        client: Any = IoTHubModuleClient.create_from_edge_environment(
            sastoken_ttl=self._ttl,
            connection_retry_interval=_SDK_RETRY_SECONDS,
            # Edge pulls the twin at every connect; the SDK's own way cannot tell a document from a patch.
            ensure_desired_properties=False,
        )
        tell = _Teller(loop)

        def state_changed() -> None:
            tell(lambda: listener.connection_changed(connected=self.connected))

        def desired_changed(patch: Mapping[str, object]) -> None:
            tell(lambda: listener.desired_changed(patch))

        def method_called(request: MethodRequest) -> None:
            tell(lambda: listener.method_called(_method_call(client, request)))

        def background_failure(error: Exception) -> None:
            log.debug("in the background: %s", _reason(error))

        client.on_connection_state_change = state_changed
        client.on_background_exception = background_failure
        # Set behind the public setters, which would block here until edgeHub has answered a SUBSCRIBE.
        client._handler_manager.on_method_request_received = method_called
        client._handler_manager.on_twin_desired_properties_patch_received = desired_changed
        self._wire = _Wire(client, tell, listener)
        self._client = client


class _Teller:
    """Calls into the event loop from the SDK's threads; silent once the loop is gone, as nobody listens then."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            log.debug("an event after the end")


class _Wire:
    """The paho client below the SDK: holds PUBACKs, publishes, keeps the socket quick."""

    def __init__(self, client: Any, tell: _Teller, listener: Listener) -> None:
        self._tell = tell
        self._listener = listener
        self._transport = mqtt_transport(client)
        self._paho = paho = self._transport._mqtt_client
        device, module = self._transport._client_id.split("/")
        self._events = mqtt_topic_iothub.get_telemetry_topic_for_publish(device, module)
        self.session_present = False

        self._lock = threading.Lock()
        self._connection = 0
        self._taken: int | None = None
        self._send_puback = paho._send_puback
        self._reconnect = paho.reconnect
        self._sock_recv = paho._sock_recv
        self._on_connect = paho.on_connect
        paho._send_puback = self._puback
        paho.reconnect = self._reconnecting
        paho._sock_recv = self._received
        paho.on_connect = self._connected
        paho.on_socket_open = _no_delay
        paho.message_callback_add(f"devices/{device}/modules/{module}/inputs/#", self._arrived)

    # What follows runs in paho's thread, except `_reconnecting` (the SDK's pipeline thread).

    def _reconnecting(self) -> Any:
        with self._lock:
            self._connection += 1
        return self._reconnect()

    def _connected(self, client: Any, userdata: Any, flags: Mapping[str, int], rc: int) -> None:
        if rc == 0:
            self.session_present = bool(flags.get("session present"))
        self._on_connect(client, userdata, flags, rc)

    def _received(self, size: int) -> bytes:
        data: bytes = self._sock_recv(size)
        if size > 1 and _QUICKACK is not None:  # single bytes are a packet's head: more is coming at once
            sock = self._paho._sock
            if sock is not None:
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return data

    def _arrived(self, _client: Any, _userdata: Any, packet: Any) -> None:
        received = SdkMessage(packet.payload)
        try:
            name = mqtt_topic_iothub.get_input_name_from_topic(packet.topic)
            mqtt_topic_iothub.extract_message_properties_from_topic(packet.topic, received)
        except ValueError:
            log.warning("a message on a topic that is no input was acknowledged unread: %.100s", packet.topic)
            return
        packet_id, connection = packet.mid, self._connection
        self._taken = packet_id if packet.qos else None
        delivery = Delivery(
            input=name,
            body=packet.payload,
            acknowledge=lambda: self._acknowledge(packet_id, connection),
            current=lambda: connection == self._connection,
            message_id=received.message_id,
            content_type=received.content_type,
            content_encoding=received.content_encoding,
            properties={key: value or "" for key, value in received.custom_properties.items()},
        )
        self._tell(lambda: self._listener.delivered(delivery))

    def _puback(self, packet_id: int) -> Any:
        if packet_id == self._taken:
            self._taken = None
            return 0
        return self._send_puback(packet_id)

    # What follows runs in the event loop.

    def _acknowledge(self, packet_id: int, connection: int) -> bool:
        # The lock: a reconnect empties paho's outgoing queue only after it has counted up the connection.
        with self._lock:
            if connection != self._connection or self._paho._sock is None:
                return False
            return bool(self._send_puback(packet_id) == 0)

    async def publish(self, output: str, message: Message) -> None:
        """Publish and wait for the PUBACK."""
        outgoing = SdkMessage(
            message.body,
            message_id=message.message_id,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
        )
        outgoing.output_name = output
        outgoing.custom_properties = message.facts()
        topic = mqtt_topic_iothub.encode_message_properties_in_topic(outgoing, self._events)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(*, cancelled: bool) -> None:
            if acknowledged.done():
                return
            if cancelled:
                acknowledged.set_exception(TransportDownError("closed before edgeHub acknowledged"))
            else:
                acknowledged.set_result(None)

        def on_complete(*, cancelled: bool = False) -> None:
            self._tell(lambda: settle(cancelled=cancelled))

        try:
            self._transport.publish(topic, message.body, callback=on_complete)
        except Exception as error:  # the transport's own classes, and ValueError for a topic paho refuses
            if isinstance(error, (ValueError, TypeError)):
                raise
            raise TransportDownError(_reason(error)) from error
        await acknowledged


_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux


def _no_delay(_client: Any, _userdata: Any, sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def mqtt_transport(client: Any) -> Any:
    """The SDK's MQTTTransport at the end of its pipeline. Raises RuntimeError when the SDK is built otherwise."""
    stage = client._mqtt_pipeline._pipeline
    while stage is not None:
        transport = getattr(stage, "transport", None)
        if transport is not None:
            return transport
        stage = stage.next
    raise RuntimeError("azure-iot-device has no MQTT transport where 2.14 has it; see modules/common/sdk.py")


def require_environment() -> None:
    """Raise EnvironmentMissingError unless IoT Edge, localhub or the debug pair is there."""
    missing = [name for name in _EDGE_VARIABLES if not os.environ.get(name)]
    if missing and not all(os.environ.get(name) for name in _DEBUG_VARIABLES):
        raise EnvironmentMissingError(
            f"not started by IoT Edge: {', '.join(missing)} missing. On one machine: make run, or"
            " python -m localhub run deployment.template.json; on a gateway: deploy the manifest"
        )


def _method_call(client: Any, request: MethodRequest) -> MethodCall:
    async def respond(status: int, payload: object) -> None:
        answer: Any = payload
        response = MethodResponse.create_from_method_request(request, status, answer)
        try:
            await client.send_method_response(response)
        except _DOWN as error:
            raise TransportDownError(_reason(error)) from error

    return MethodCall(name=request.name, payload=request.payload, respond=respond)


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words: the SDK wraps three deep and says little outside."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}"[:300]
