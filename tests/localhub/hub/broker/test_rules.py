"""What a client may do, and what happens to one that does something else."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from localhub.hub.connection import MAX_PENDING_BYTES, PACKETS_A_TURN
from localhub.hub.tls import MOST_HELD
from localhub.identity import Identity
from localhub.wire import packets, writer
from localhub.wire.packets import Acknowledge, Bare, Connack, Connect, Packet, Publish, Suback
from localhub.wire.parser import Parser

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

Make = Callable[..., "Module"]
Eventually = Callable[..., None]
EVENTS = "devices/gw1/modules/alpha/messages/events/"


class Raw:
    """A TLS socket and our own codec: says exactly what it is told to say."""

    def __init__(self, hub: Hub, **fields: object) -> None:
        context = ssl.create_default_context(cafile=str(hub.state.ca_certificate))
        plain = socket.create_connection((hub.state.address, 8883), 60)
        self.socket = context.wrap_socket(plain, server_hostname=hub.state.address)
        self._parser = Parser()
        password = hub.password(Identity("gw1", "alpha")).encode()
        facts = {"username": f"{hub.state.hub_name}/gw1/alpha/?api-version=1", "password": password}
        self.connect = writer.connect(Connect("gw1/alpha", **{"clean_session": False, **facts, **fields}))  # type: ignore[arg-type]

    def say(self, *data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(b"".join(data))

    def hear(self) -> Packet | None:
        """The next packet; None when the hub has hung up."""
        while (packet := self._parser.next()) is None:
            try:
                data = self.socket.recv(65_536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._parser.feed(data)
        return packet


@pytest.fixture
def raw(hub: Hub) -> Iterator[Callable[..., Raw]]:
    """Makes raw clients for alpha, connected but not logged in."""
    made: list[Raw] = []

    def make(**fields: object) -> Raw:
        made.append(Raw(hub, **fields))
        return made[-1]

    yield make
    for one in made:
        one.socket.close()


def test_mqtt_3_1_is_sent_away_with_code_1(raw: Callable[..., Raw]) -> None:
    client = raw(level=3)
    client.say(client.connect)
    assert client.hear() == Connack(1)
    assert client.hear() is None


def test_a_wrong_password_is_sent_away_with_code_5(hub: Hub, raw: Callable[..., Raw]) -> None:
    client = raw(password=b"SharedAccessSignature sr=x&sig=y&se=1")
    client.say(client.connect)
    assert client.hear() == Connack(5)
    assert client.hear() is None
    assert hub.broker.metrics.refused == {("gw1/alpha", "not_authenticated"): 1}


def test_a_user_name_that_is_none_is_sent_away_with_code_3(raw: Callable[..., Raw]) -> None:
    client = raw(username="hello")
    client.say(client.connect)
    assert client.hear() == Connack(3)


@pytest.mark.parametrize(
    "data",
    [
        writer.PINGREQ,
        writer.publish(b"a", b"", 0),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_the_first_packet_must_be_connect(raw: Callable[..., Raw], data: bytes) -> None:
    client = raw()
    client.say(data)
    assert client.hear() is None


@pytest.mark.parametrize(
    "data",
    [
        writer.publish(EVENTS.encode(), b"", 2, 1),
        writer.connack(0),
        writer.acknowledge(packets.PUBREC, 1),
        writer.publish(b"devices/#", b""),
        b"\xff\xff",
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(raw: Callable[..., Raw], data: bytes) -> None:
    client = raw()
    client.say(client.connect)
    assert client.hear() == Connack(0)
    client.say(data)
    assert client.hear() is None


def test_subscriptions_get_at_most_qos_1_and_nonsense_is_accepted(raw: Callable[..., Raw]) -> None:
    client = raw()
    client.say(client.connect, writer.subscribe(9, [("a", 2), ("###", 0), ("$iothub/x/#", 1)]))
    assert client.hear() == Connack(0)
    assert client.hear() == Suback(9, b"\x01\x00\x01")
    client.say(writer.unsubscribe(10, ["a"]), writer.PINGREQ)
    assert client.hear() in (Acknowledge(packets.UNSUBACK, 10), Bare(packets.PINGRESP))
    assert client.hear() in (Acknowledge(packets.UNSUBACK, 10), Bare(packets.PINGRESP))


def test_a_second_connection_closes_the_first(module: Make, raw: Callable[..., Raw]) -> None:
    beta = module("beta")
    beta.listen()
    first, second = raw(), raw()
    first.say(first.connect)
    assert first.hear() == Connack(0)
    second.say(second.connect)
    assert second.hear() == Connack(0, session_present=True)
    assert first.hear() is None
    second.say(writer.publish(EVENTS.encode() + b"%24.on=x", b"still here", 1, 5))
    assert second.hear() == Acknowledge(packets.PUBACK, 5)
    assert beta.receive() == [b"still here"]


def test_a_clean_session_forgets(raw: Callable[..., Raw]) -> None:
    for clean, present in ((False, False), (False, True), (True, False), (False, False)):
        client = raw(clean_session=clean)
        client.say(client.connect, writer.subscribe(1, [("a", 1)]), writer.DISCONNECT)
        assert client.hear() == Connack(0, session_present=present)
        client.hear()


def test_acknowledgements_come_in_order_also_for_what_is_dropped(hub: Hub, raw: Callable[..., Raw]) -> None:
    client = raw()
    topics = [
        EVENTS + "%24.on=x",
        EVENTS + "%24.on=nowhere",
        "$iothub/twin/GET/?$rid=1",
        EVENTS + "a=b/c",
        "devices/gw1/modules/beta/messages/events/%24.on=x",
        EVENTS + "%24.on=x",
    ]
    client.say(client.connect, *(writer.publish(t.encode(), b"", 1, i) for i, t in enumerate(topics, 1)))
    assert client.hear() == Connack(0)
    assert [client.hear() for _ in topics] == [Acknowledge(packets.PUBACK, i) for i in range(1, 7)]
    assert hub.call(hub.broker.metrics.drops) == {"no_route": 1, "bad_topic": 1, "forged": 1}
    assert hub.depth("gw1/beta/in") == 2


def test_speaking_as_another_is_said_aloud(module: Make, caplog: pytest.LogCaptureFixture) -> None:
    alpha = module("alpha")
    alpha.raw("devices/gw1/modules/beta/messages/events/%24.on=x", b"forged")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "gw1/alpha" in record.getMessage()
    assert "speaks as gw1/beta" in record.getMessage()


def test_a_message_is_too_large_for_the_hub_but_not_for_a_packet(hub: Hub, module: Make) -> None:
    alpha = module("alpha")
    bag = "%24.on=x&%24.exp=never&%24.ce=utf-8"  # long names count: absolute-expiry-time, contentEncoding
    body = bytes(262_144 - len(writer.publish((EVENTS + bag).encode(), bytes(200_000), 1, 1)) + 200_000)
    alpha.raw(EVENTS + bag, body[40:])
    assert hub.depth("gw1/beta/in") == 1
    alpha.raw(EVENTS + bag, body)
    assert hub.call(hub.broker.metrics.drops) == {"too_large": 1}


def test_an_oversize_packet_again_and_again_is_named_and_slowed(
    hub: Hub, raw: Callable[..., Raw], caplog: pytest.LogCaptureFixture
) -> None:
    hub.broker._loops._longest_hold_s = 0.05
    packet = writer.publish(EVENTS.encode() + b"%24.on=x", bytes(262_100), 1, 1)
    for _ in range(3):
        client = raw()
        client.say(client.connect, packet[:1000])
        assert isinstance(client.hear(), Connack)
        assert client.hear() is None
    lines = [record.getMessage() for record in caplog.records if "in a loop" in record.getMessage()]
    assert len(lines) == 2
    assert "3. time" in lines[1]
    assert str(len(packet)) in lines[1]


def test_a_silent_client_is_disconnected_after_one_and_a_half_times_its_keep_alive(raw: Callable[..., Raw]) -> None:
    client = raw(keep_alive=1)
    client.say(client.connect)
    assert client.hear() == Connack(0)
    assert client.hear() is None  # nothing came, and the socket waits a minute


def test_with_16_unacknowledged_messages_the_hub_stops_reading(
    hub: Hub, raw: Callable[..., Raw], eventually: Eventually
) -> None:
    held: list[Any] = []

    def hold() -> None:
        hub.broker.commits._finished = lambda *facts: held.append(facts)  # type: ignore[method-assign]

    def go_on() -> None:
        del hub.broker.commits._finished  # the class's own is in force again
        for facts in held:
            hub.broker.commits._finished(*facts)

    client = raw()
    client.say(client.connect)
    assert client.hear() == Connack(0)
    hub.call(hold)
    client.say(*(writer.publish(EVENTS.encode() + b"%24.on=x", b"", 1, number) for number in range(1, 101)))
    (connection,) = hub.call(hub.broker.clients)
    eventually(lambda: connection._pending == 16)
    client.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.hear()
    assert connection._pending == 16
    client.socket.settimeout(60)
    hub.call(go_on)
    assert [client.hear() for _ in range(100)] == [Acknowledge(packets.PUBACK, number) for number in range(1, 101)]


def test_a_client_that_says_much_at_once_waits_for_the_others_turn(hub: Hub, raw: Callable[..., Raw]) -> None:
    client = raw()
    client.say(client.connect)
    assert client.hear() == Connack(0)
    (connection,) = hub.call(hub.broker.clients)

    def feed() -> int:
        connection.data_received(writer.PINGREQ * 1_000)
        return len(connection._out)

    assert 0 < hub.call(feed) <= PACKETS_A_TURN
    assert [client.hear() for _ in range(1_000)] == [Bare(packets.PINGRESP)] * 1_000


def test_a_client_that_does_not_read_its_answers_is_not_heard(
    hub: Hub, raw: Callable[..., Raw], eventually: Eventually
) -> None:
    client = raw()
    client.say(client.connect, writer.subscribe(1, [("$iothub/answer/#", 1)]))
    assert client.hear() == Connack(0)
    assert client.hear() == Suback(1, b"\x01")
    (connection,) = hub.call(hub.broker.clients)
    question = writer.publish(b"$iothub/echo", bytes(200_000))
    asking = threading.Thread(target=lambda: _say_until_it_ends(client, question * 200))
    asking.start()
    try:
        eventually(lambda: connection.congested)
        asking.join(0.5)
        assert asking.is_alive(), "40 MB were taken from a client that reads nothing"
        assert hub.call(lambda: len(connection.transport._held)) < MOST_HELD
    finally:
        hub.call(connection.abort)
        asking.join()


def _say_until_it_ends(client: Raw, data: bytes) -> None:
    with contextlib.suppress(OSError):
        client.say(data)


def test_as_much_as_a_picture_or_two_waits_for_the_disk(hub: Hub, raw: Callable[..., Raw]) -> None:
    client = raw()
    client.say(client.connect)
    assert client.hear() == Connack(0)
    (connection,) = hub.call(hub.broker.clients)
    most: list[int] = []
    durable = connection._durable

    def watch(*facts: Any) -> None:
        most.append(connection._pending_bytes)
        durable(*facts)

    hub.call(lambda: setattr(connection, "_durable", watch))
    client.say(*(writer.publish(EVENTS.encode() + b"%24.on=x", bytes(200_000), 1, number) for number in range(1, 17)))
    assert [client.hear() for _ in range(16)] == [Acknowledge(packets.PUBACK, number) for number in range(1, 17)]
    assert max(most) <= MAX_PENDING_BYTES + 200_000


def test_an_ungraceful_end_sends_the_will(hub: Hub, raw: Callable[..., Raw], eventually: Eventually) -> None:
    for graceful in (True, False):
        client = raw(will_topic=EVENTS + "%24.on=x", will_payload=b"gone", will_qos=1)
        client.say(client.connect, writer.DISCONNECT if graceful else b"")
        assert isinstance(client.hear(), Connack)
        if graceful:
            assert client.hear() is None
        client.socket.close()
    eventually(lambda: hub.depth("gw1/beta/in") == 1)


def test_a_plain_publish_needs_no_acknowledgement(module: Make) -> None:
    beta, alpha = module("beta"), module("alpha")
    beta.listen()
    alpha.raw(EVENTS + "%24.on=x", b"qos 0", qos=0)
    assert beta.receive() == [b"qos 0"]


def test_packets_of_services_have_ids_of_their_own(raw: Callable[..., Raw]) -> None:
    client = raw()
    client.say(client.connect, writer.subscribe(1, [("$iothub/answer/#", 1)]), writer.publish(b"$iothub/echo", b"x"))
    heard = [client.hear() for _ in range(2)]
    heard.append(client.hear())
    (publish,) = [packet for packet in heard if isinstance(packet, Publish)]
    assert publish.packet_id > 8192


def test_a_client_that_does_not_trust_the_hub_leaves_a_line(
    hub: Hub, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    for _ in range(3):
        with socket.create_connection((hub.state.address, 8883), 60) as plain, pytest.raises(ssl.SSLError):
            ssl.create_default_context().wrap_socket(plain, server_hostname=hub.state.address)
    eventually(lambda: any("TLS handshake" in record.getMessage() for record in caplog.records))
    assert sum("TLS handshake" in record.getMessage() for record in caplog.records) == 1
