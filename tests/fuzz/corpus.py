"""What real clients send: paho's packets, with the topics of the Python SDK, and amqtt's."""

from __future__ import annotations

import socket
from urllib.parse import quote

import paho.mqtt.client as mqtt
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket

from localhub.wire import writer

EVENTS = "devices/gw1/modules/alpha/messages/events/"
SYSTEM = "%24.on=x&%24.mid=0190a7f2-7b1c&%24.cid=c&%24.ct=application%2Fjson&%24.ce=utf-8&%24.exp=2026-01-01T00%3A00"
BAGS = (
    "",
    "%24.on=x",
    f"{SYSTEM}&kind=alert&seq=17&Gr%C3%B6%C3%9Fe=1%26",
    "a",
    "=b",
    "a=b=c",
    "%24.ON=Y&ACK=full",
    "%zz=%",
)
BODIES = (b"", b"{}", bytes(1_000))


def seeds() -> list[bytes]:
    """Streams of whole packets, one client's words each."""
    return [*paho(), *amqtt(), *odd()]


def paho() -> list[bytes]:
    """The packets that the SDK has paho send."""
    near, far = socket.socketpair()
    far.setblocking(False)
    said = []
    with near, far:
        client = mqtt.Client("gw1/alpha", clean_session=False)
        client._sock = near
        client.username_pw_set("hub.example/gw1/alpha/?api-version=2019-10-01&DeviceClientType=x", "SharedAccess")
        client.will_set(EVENTS, b"gone", 1)

        def heard() -> bytes:
            client.loop_write()
            parts = []
            try:
                while data := far.recv(1 << 20):
                    parts.append(data)
            except BlockingIOError:
                pass
            return b"".join(parts)

        client._send_connect(60)
        said.append(heard())
        for topics in (["devices/gw1/modules/alpha/inputs/#"], ["$iothub/twin/res/#", "$iothub/methods/POST/#"]):
            client._send_subscribe(False, [(topic.encode(), 1) for topic in topics])
            said.append(heard())
        client._send_unsubscribe(False, [b"$iothub/twin/res/#"])
        said.append(heard())
        topics = [EVENTS + bag for bag in BAGS]
        topics += [
            "$iothub/twin/GET/?$rid=1",
            "$iothub/methods/res/200/?$rid=2",
            f"devices/{quote('löwe')}/messages/events/",
        ]
        for number, topic in enumerate(topics, 1):
            client._send_publish(
                number, topic.encode(), BODIES[number % 3], number % 2, info=mqtt.MQTTMessageInfo(number)
            )
            said.append(heard())
        client._send_puback(1)
        client._send_pingreq()
        client._send_disconnect()
        said.append(heard())
        client._sock = None
    return [*said, b"".join(said)]


def amqtt() -> list[bytes]:
    """The same from another house."""
    packets = [
        SubscribePacket.build([("a/#", 1), ("b/+", 2)], 7),
        UnsubscribePacket.build(["a/#"], 8),
        PublishPacket.build(EVENTS + SYSTEM, b"hello", 9, False, 1, False),
        PublishPacket.build("a/b", b"", None, False, 0, True),
        PingReqPacket(),
        DisconnectPacket(),
    ]
    return [bytes(packet.to_bytes()) for packet in packets]


def odd() -> list[bytes]:
    """What only an unusual client sends."""
    return [
        b"\x30\xff\xff\x7f",
        b"\xc0\x80\x80\x80\x00",
        writer.publish((EVENTS + "a=" + "%41" * 300).encode(), b"", 1, 65_535, dup=True),
        b"".join(writer.publish((EVENTS + "%24.on=x").encode(), b"x", 1, number) for number in range(1, 40)),
        writer.publish(EVENTS.encode(), bytes(262_000), 1, 1),
    ]
