"""The same packets as amqtt's classes and paho's client make and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pytest
from amqtt.adapters import BufferReader
from amqtt.mqtt import packet_class
from amqtt.mqtt.packet import MQTTFixedHeader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from localhub.wire.packets import Acknowledge, Bare, Connack, Connect, Packet, Publish, Suback, Subscribe, Unsubscribe

if TYPE_CHECKING:
    from tests.localhub.wire.conftest import Codec

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def _amqtt(data: bytes) -> Any:
    async def read() -> Any:
        reader = BufferReader(data)
        header = await MQTTFixedHeader.from_stream(reader)
        return await packet_class(header).from_stream(reader, fixed_header=header)

    # amqtt's readers are coroutines that never wait on anything but a buffer
    try:
        read().send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("it waits for more")


@given(data=st.data())
@shared
def test_amqtt_reads_what_we_write_and_writes_it_alike(codec: type[Codec], data: st.DataObject) -> None:
    packet = data.draw(codec.packets.map(_plain))
    written = codec.encode(packet)
    theirs = _amqtt(written)
    assert bytes(theirs.to_bytes()) == written
    match packet:
        case Publish():
            assert (theirs.topic_name, bytes(theirs.data), theirs.qos) == (packet.topic, packet.payload, packet.qos)
        case Connect():
            assert (theirs.client_id, theirs.keep_alive) == (packet.client_id, packet.keep_alive)
        case Subscribe():
            assert tuple(theirs.payload.topics) == packet.filters
        case Unsubscribe():
            assert tuple(theirs.payload.topics) == packet.filters
        case Acknowledge():
            assert theirs.variable_header.packet_id == packet.packet_id
        case Suback() | Connack() | Bare():
            pass


def _plain(packet: Packet) -> Packet:
    """What amqtt can hold: no MQTT 3.1, no empty client id, passwords that are text."""
    if isinstance(packet, Connect):
        password = None if packet.password is None else packet.password.hex().encode()
        return replace(packet, level=4, client_id=f"c{packet.client_id}", password=password)
    return packet


class _Socket:
    """Takes what paho sends."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


@pytest.fixture
def paho() -> mqtt.Client:
    client = mqtt.Client("gw1/camera", clean_session=False)
    client._sock = _Socket()
    return client


def _sent(client: mqtt.Client) -> bytes:
    client.loop_write()
    return bytes(client._sock.sent)


def test_paho_connect(codec: type[Codec], paho: mqtt.Client) -> None:
    paho.username_pw_set("hub/gw1/camera/?api-version=2019-10-01", "SharedAccessSignature sr=x")
    paho.will_set("will/topic", b"gone", 1, retain=True)
    paho._send_connect(60)
    (packet,) = codec.decode(_sent(paho))
    assert packet == Connect(
        "gw1/camera",
        4,
        clean_session=False,
        keep_alive=60,
        username="hub/gw1/camera/?api-version=2019-10-01",
        password=b"SharedAccessSignature sr=x",
        will_topic="will/topic",
        will_payload=b"gone",
        will_qos=1,
        will_retain=True,
    )
    assert codec.encode(packet) == _sent(paho)


@given(topic=st.text(st.characters(categories=["L", "N"]), min_size=1), payload=st.binary(), qos=st.integers(0, 2))
@shared
def test_paho_publish(codec: type[Codec], topic: str, payload: bytes, qos: int) -> None:
    client = mqtt.Client("x")
    client._sock = _Socket()
    client._send_publish(7, topic.encode(), payload, qos, False, qos > 0, mqtt.MQTTMessageInfo(7))
    (packet,) = codec.decode(_sent(client))
    assert packet == Publish(topic, payload, qos, 7 if qos else 0, dup=qos > 0)
    assert codec.encode(packet) == _sent(client)


def test_paho_subscribe(codec: type[Codec], paho: mqtt.Client) -> None:
    paho._send_subscribe(False, [(b"a/#", 1), (b"b/+", 0)])
    paho._send_unsubscribe(False, [b"a/#"])
    subscribe, unsubscribe = codec.decode(_sent(paho))
    assert isinstance(subscribe, Subscribe)
    assert subscribe.filters == (("a/#", 1), ("b/+", 0))
    assert isinstance(unsubscribe, Unsubscribe)
    assert unsubscribe.filters == ("a/#",)
