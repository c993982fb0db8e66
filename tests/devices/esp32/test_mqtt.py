"""The leaf's packets against amqtt's, and what it makes of what no hub says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader
from amqtt.mqtt.publish import PublishPacket
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localhub.wire import writer
from tests.devices.esp32.conftest import Refused

if TYPE_CHECKING:
    from tests.devices.esp32.conftest import Served


@pytest.mark.parametrize("length", [1, 60, 200, 20_000 // 3])
def test_connect_is_amqtts(leaf: Served, length: int) -> None:
    payload = ConnectPayload(client_id="press4", username="hub/press4/?api-version=1", password="é" * length)
    header = ConnectVariableHeader(connect_flags=0xC0, keep_alive=60)
    theirs = ConnectPacket(variable_header=header, payload=payload).to_bytes()
    assert leaf("connect", "press4", "hub/press4/?api-version=1", "é" * length, 60) == theirs


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("size", [0, 100, 127, 128, 3000, 16_383])
def test_publish_is_amqtts(leaf: Served, size: int, again: bool) -> None:
    theirs = PublishPacket.build("devices/d/messages/events/a=b", bytes(size % 4000), 17, again, 1, False).to_bytes()
    body = theirs[theirs.index(b"\x00\x1ddevices") :]
    assert leaf("publish", body, again) == theirs


def test_the_hub_accepts_or_says_why_not(leaf: Served) -> None:
    leaf("read", writer.connack(0), "connect")
    with pytest.raises(Refused, match="not authorised: is the key this device's"):
        leaf("read", writer.connack(5), "connect")
    with pytest.raises(Refused, match="closed the connection"):
        leaf("read", b"", "connect")


def test_a_packet_larger_than_anything_a_hub_says_is_refused_by_its_length(leaf: Served) -> None:
    for said in (b"\x20\xc8\x01" + bytes(200), b"\x20\xff\xff\xff\x7f"):
        with pytest.raises(Refused, match="this is not what a hub says to a device"):
            leaf("read", said, "connect")


def test_late_acknowledgements_are_passed_over_but_not_without_end(leaf: Served) -> None:
    late = b"".join(writer.puback(number) for number in (3, 4, 5))
    leaf("read", late + writer.PINGRESP + writer.puback(7), "publish")
    with pytest.raises(Refused, match="acknowledges other messages"):
        leaf("read", writer.puback(8) * 20, "publish")


@given(said=st.binary(max_size=300), step=st.sampled_from(["connect", "publish", "ping"]))
@example(said=b"\x20\xff\xff\xff\x7f", step="connect")
@example(said=b"\x20\xff\xff\xff\xff\x01", step="connect")
@example(said=b"HTTP/1.1 400 Bad Request\r\n\r\n", step="connect")
@example(said=b"\x40\x02\x00", step="publish")
@settings(max_examples=150)
def test_noise_is_refused_and_nothing_worse(leaf: Served, said: bytes, step: str) -> None:
    accepted = {
        "connect": said[:2] == b"\x20\x02" and said[3:4] == b"\x00",
        "publish": writer.puback(7) in said,
        "ping": said[:2] == writer.PINGRESP,
    }[step]
    if accepted:
        return
    with pytest.raises(Refused) as caught:
        leaf("read", said, step)
    assert caught.value.kind in {"MqttError", "OSError"}
    assert caught.value.text
