"""What sdk.py assumes about the insides of azure-iot-device and paho-mqtt. Red here after an upgrade: read sdk.py."""

import inspect
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from azure.iot.device.common import mqtt_transport
from azure.iot.device.iothub.pipeline import mqtt_topic_iothub
from paho.mqtt import client as paho

from modules.common import sdk
from modules.common.transport import Delivery, EnvironmentMissingError


def test_the_versions_are_the_ones_that_were_read() -> None:
    assert version("azure-iot-device").startswith("2.14.")
    assert version("paho-mqtt") == "1.6.1"


def test_paho_calls_on_message_and_then_its_own_send_puback() -> None:
    source = inspect.getsource(paho.Client._handle_publish)
    qos1 = source[source.index("message.qos == 1") : source.index("message.qos == 2")]
    assert qos1.index("self._handle_on_message(message)") < qos1.index("self._send_puback(message.mid)")


def test_paho_empties_its_outgoing_queue_inside_reconnect_and_connect_goes_through_it() -> None:
    source = inspect.getsource(paho.Client.reconnect)
    assert source.index("self._out_packet = collections.deque()") < source.index("self._sock_close()")
    assert "return self.reconnect()" in inspect.getsource(paho.Client.connect)


def test_the_sdk_publishes_and_tracks_packet_ids_in_its_transport() -> None:
    assert list(inspect.signature(mqtt_transport.MQTTTransport.publish).parameters) == [
        "self",
        "topic",
        "payload",
        "qos",
        "callback",
    ]
    assert "callback(cancelled=True)" in inspect.getsource(mqtt_transport.OperationManager.cancel_all_operations)


class Wire:
    """A real paho client, not connected, under sdk._Wire."""

    def __init__(self) -> None:
        self.paho: Any = paho.Client(client_id="gw1/vibration", clean_session=False)
        self.puback: list[int] = []
        self.paho._send_puback = self._sent
        self.paho.reconnect = lambda: 0
        self.paho._sock = SimpleNamespace(close=lambda: None)
        transport = SimpleNamespace(_mqtt_client=self.paho, _client_id="gw1/vibration")
        stage = SimpleNamespace(next=SimpleNamespace(transport=transport, next=None))
        client = SimpleNamespace(_mqtt_pipeline=SimpleNamespace(_pipeline=stage))
        self.deliveries: list[Delivery] = []
        listener: Any = SimpleNamespace(delivered=self.deliveries.append)
        tell: Any = lambda what: what()  # noqa: E731 - typed in one line
        self.wire = sdk._Wire(client, tell, listener)

    def _sent(self, packet_id: int) -> int:
        self.puback.append(packet_id)
        return 0

    def arrive(self, topic: str, packet_id: int, payload: bytes = b"{}") -> None:
        """A PUBLISH as paho handles it."""
        body = len(topic).to_bytes(2, "big") + topic.encode() + packet_id.to_bytes(2, "big") + payload
        self.paho._in_packet = {"command": 0x32, "packet": bytearray(body)}
        self.paho._handle_publish()


INPUT = (
    "devices/gw1/modules/vibration/inputs/readings/"
    "kind=alert&source=a%20b&%24.mid=7&%24.ct=application%2Fjson&%24.cdid=gw1"
)


def test_a_puback_is_held_until_asked_for() -> None:
    wire = Wire()
    wire.arrive(INPUT, 1, b"body")
    assert wire.puback == []
    delivery = wire.deliveries[0]
    assert (delivery.input, delivery.body, delivery.message_id) == ("readings", b"body", "7")
    assert delivery.properties == {"kind": "alert", "source": "a b", "$.cdid": "gw1"}
    assert delivery.acknowledge()
    assert wire.puback == [1]


def test_an_ack_given_inside_the_callback_goes_out_once() -> None:
    wire = Wire()
    listener: Any = wire.wire._listener
    listener.delivered = lambda delivery: delivery.acknowledge()
    wire.arrive(INPUT, 1)
    wire.arrive(INPUT, 1)
    assert wire.puback == [1, 1]


def test_a_held_puback_dies_with_its_connection_even_where_the_packet_id_is_used_again() -> None:
    wire = Wire()
    wire.arrive(INPUT, 1)
    wire.paho.reconnect()
    wire.arrive(INPUT, 1)
    old, new = wire.deliveries
    assert not old.current()
    assert not old.acknowledge()
    assert wire.puback == []
    assert new.current()
    assert new.acknowledge()
    assert wire.puback == [1]


def test_without_a_socket_nothing_is_acknowledged() -> None:
    wire = Wire()
    wire.arrive(INPUT, 1)
    wire.paho._sock = None
    assert not wire.deliveries[0].acknowledge()


def test_what_is_no_input_message_is_left_to_the_sdk() -> None:
    wire, seen = Wire(), []
    wire.paho.on_message = lambda _client, _userdata, message: seen.append(message.topic)
    wire.arrive("$iothub/twin/res/200/?$rid=1", 5)
    assert (seen, wire.puback, wire.deliveries) == (["$iothub/twin/res/200/?$rid=1"], [5], [])


def test_the_topic_is_the_sdks_own() -> None:
    topics: Any = mqtt_topic_iothub
    assert topics.get_telemetry_topic_for_publish("gw1", "m") == "devices/gw1/modules/m/messages/events/"
    assert topics.get_input_topic_for_subscribe("gw1", "m") == "devices/gw1/modules/m/inputs/#"


def test_started_by_hand_it_says_what_is_missing_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*sdk._EDGE_VARIABLES, *sdk._DEBUG_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EnvironmentMissingError, match=r"IOTEDGE_MODULEID.*make run"):
        sdk.require_environment()
