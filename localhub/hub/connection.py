"""One client's TCP connection: MQTT packets to and from the broker, by the gateway's rules (edgehub-contract 2.6)."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from localhub.hub import login
from localhub.hub.intake import Origin
from localhub.hub.session import Session
from localhub.identity import Identity
from localhub.wire import packets, writer
from localhub.wire.packets import Acknowledge, Bare, Connect, Packet, Publish, Subscribe, Unsubscribe
from localhub.wire.parser import Parser, ProtocolError, TooLarge

if TYPE_CHECKING:
    from localhub.hub.broker import Broker
    from localhub.hub.pump import ModulePump

log = logging.getLogger(__name__)

CONNECT_WITHIN_S: Final = 60.0
LONGEST_SILENCE_S: Final = 600.0
MAX_PENDING: Final = 16  # publishes that wait for their PUBACK; with more the hub stops reading
MAX_PENDING_BYTES: Final = 512 << 10  # or as much of them: who sends pictures would hold up everybody's commit
PACKETS_A_TURN: Final = 64  # handled before the other clients have their turn
FIRST_SERVICE_ID: Final = 8_193  # packet ids of $iothub/... topics; those of deliveries are below


class Connection(asyncio.Protocol):
    """From accept to close; `identity`, and what proved it, are set once the client has been let in."""

    identity: Identity
    proof: login.Proof
    origin: Origin

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self.transport: asyncio.Transport | None = None
        self._parser = Parser()
        self._out: list[bytes] = []
        self._pending = 0
        self._pending_bytes = 0
        self._blocked = False  # nothing more is handled for now
        self._paused = False  # nothing more is read for now
        self._broken = False  # nothing more can be understood
        self._ended = False  # it was closed, by whichever side
        self._packet_id = FIRST_SERVICE_ID - 1
        self._will: tuple[str, bytes] | None = None
        self._puback_due = 0.0  # when the last PUBACK that was held back goes out
        self.session: Session | None = None
        self.pump: ModulePump | None = None  # what delivers to it, while it does
        self.client_id = ""
        self.peer = ""
        self.since = 0.0
        self.congested = False
        self.silence_s = CONNECT_WITHIN_S
        self.last_heard = broker.loop.time()

    # The services' side (twins, methods).

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Send the client a message that is not kept if it goes away; QoS 0 or 1."""
        packet_id = 0
        if qos:
            self._packet_id += 1
            if self._packet_id > packets.MAX_PACKET_ID:
                self._packet_id = FIRST_SERVICE_ID
            packet_id = self._packet_id
        self._send(writer.publish(topic.encode(), payload, min(qos, 1), packet_id))

    def subscribed(self, prefix: str) -> bool:
        """Whether the client has a filter for topics that begin with `prefix`."""
        return self.session is not None and self.session.subscribed(prefix)

    # The pump's side.

    def deliver(self, topic: bytes, payload: bytes, qos: int, packet_id: int) -> None:
        """Send the client a message of one of its inputs."""
        self._send(writer.publish(topic, payload, qos, packet_id))

    # The broker's side.

    def flush(self) -> None:
        """Hand to the socket what was gathered since the last time, as one record."""
        out, self._out = self._out, []
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(out) if len(out) > 1 else out[0])

    def close(self, reason: str) -> None:
        """Close from the hub's side; what was sent before still goes out."""
        if self.transport is None or self.transport.is_closing():
            return
        self._ended = True
        log.info("%s is disconnected: %s", self, reason)
        if self._out:
            self.flush()
        self.transport.close()

    def abort(self) -> None:
        """Close at once; nothing more is read or written."""
        self._ended = True
        if self.transport is not None:
            self.transport.abort()

    def __str__(self) -> str:
        return self.client_id or self.peer

    # The socket's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up."""
        self.transport = cast("asyncio.Transport", transport)
        self.since = self.last_heard = self._broker.loop.time()
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if peer else "a client"
        self._broker.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self.last_heard = self._broker.loop.time()
        self._parser.feed(data)
        if self._blocked:
            self._pause()
        else:
            self._consume()

    def pause_writing(self) -> None:
        """The client does not read what it gets: it is not heard either until it does."""
        self.congested = True
        self._pause()

    def resume_writing(self) -> None:
        """The socket's buffer is empty enough again."""
        self.congested = False
        self._resume()
        self._broker.writable(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        self._ended = True
        self._broker.closed(self, exc)
        self.transport = None
        if self._will is not None and self.session is not None:
            topic, payload = self._will
            self._broker.intake.event(self.origin, topic, payload, _ignore)

    def _consume(self) -> None:
        """Handle whole packets until none is left, too many wait for their PUBACK, or it is somebody else's turn."""
        left = PACKETS_A_TURN
        try:
            while not self._ended:
                left -= 1
                if not left:
                    self._blocked = True
                    self._pause()  # the end of the connection is not to overtake what it said
                    self._broker.loop.call_soon(self._continue)
                    return
                if self._pending >= MAX_PENDING or self._pending_bytes >= MAX_PENDING_BYTES:
                    self._blocked = True
                    return
                packet = self._parser.next()
                if packet is None:
                    return
                self._handle(packet)
        except TooLarge as error:
            self._blocked = self._broken = True
            self._pause()
            self._broker.too_large(self, error.size)
        except ProtocolError as error:
            self._blocked = self._broken = True
            self.close(str(error))

    def _pause(self) -> None:
        if self.transport is not None and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _continue(self) -> None:
        """Go on after a pause."""
        if self._blocked and not self._broken:
            self._blocked = False
            self._consume()
            self._resume()

    def _resume(self) -> None:
        if self._paused and not self._blocked and not self.congested and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def _handle(self, packet: Packet) -> None:
        if self.session is None:
            if not isinstance(packet, Connect):
                raise ProtocolError("the first packet is not CONNECT")
            self._connect(packet)
        elif isinstance(packet, Publish):
            self._publish(packet)
        elif isinstance(packet, Acknowledge) and packet.kind == packets.PUBACK:
            if self.pump is not None:
                self.pump.acknowledged(packet.packet_id)
        else:
            self._handle_seldom(packet, self.session)

    def _handle_seldom(self, packet: Packet, session: Session) -> None:
        match packet:
            case Subscribe():
                self._subscribe(packet, session)
            case Unsubscribe():
                self._unsubscribe(packet, session)
            case Bare(kind=packets.PINGREQ):
                self._send(writer.PINGRESP)
            case Bare(kind=packets.DISCONNECT):
                self._will = None
                self.close("it said goodbye")
            case _:
                raise ProtocolError(f"a {type(packet).__name__} packet that a client may not send")

    def _connect(self, packet: Connect) -> None:
        try:
            self.identity, self.proof = self._broker.admit(packet, self._certificate())
        except login.Refused as refusal:
            self._broker.refused(packet, refusal, self.peer)
            self._send(writer.connack(refusal.code))
            self.close(f"refused with code {refusal.code}")
            return
        self.origin = Origin(self.identity)
        self.client_id = packet.client_id
        keep_alive = packet.keep_alive * 1.5 or LONGEST_SILENCE_S
        self.silence_s = min(keep_alive, LONGEST_SILENCE_S)
        if packet.will_topic is not None:
            self._will = packet.will_topic, packet.will_payload
        self.session, present = self._broker.session(packet, self.identity)
        self._send(writer.connack(login.ACCEPTED, session_present=present))
        self._broker.connected(self)

    def _certificate(self) -> bytes | None:
        """What the client showed in the handshake, DER."""
        tls = None if self.transport is None else self.transport.get_extra_info("ssl_object")
        return None if tls is None else cast("bytes | None", tls.getpeercert(binary_form=True))

    def _publish(self, packet: Publish) -> None:
        if packet.qos == 2:
            raise ProtocolError("it published at QoS 2, which edgeHub does not take")
        service = packet.topic.startswith("$iothub/")
        if service:
            self._broker.services.on_publish(self, packet.topic, packet.payload)
        if not packet.qos:
            if not service:
                self._broker.intake.event(self.origin, packet.topic, packet.payload, _ignore)
            return
        packet_id = packet.packet_id

        def done(error: Exception | None) -> None:
            self._pending_bytes -= size
            self._durable(packet_id, packet.topic, error)

        size = len(packet.payload)
        self._pending += 1
        self._pending_bytes += size
        if not service and self._broker.intake.event(self.origin, packet.topic, packet.payload, done):
            return
        if self._pending == 1:
            done(None)
        else:  # PUBACKs go in the order of the PUBLISHes (MQTT-4.6.0-2), those of what was not stored too
            self._broker.commits.open(done)

    def _durable(self, packet_id: int, topic: str, error: Exception | None) -> None:
        self._pending -= 1
        if error is not None:
            self._blocked = self._broken = True
            self._pause()
            self._broker.not_stored(self, topic)
            return
        self._acknowledge(packet_id)
        self._continue()

    def _acknowledge(self, packet_id: int) -> None:
        """Send PUBACK: at once, unless a fault on command says later; in order in any case."""
        loop = self._broker.loop
        if self._broker.faults.delays or self._puback_due > loop.time():
            due = max(loop.time() + self._broker.faults.puback_delay(self.client_id), self._puback_due)
            self._puback_due = due
            loop.call_at(due, self._send, writer.puback(packet_id))
        else:
            self._send(writer.puback(packet_id))

    def _subscribe(self, packet: Subscribe, session: Session) -> None:
        codes = bytes(min(qos, 1) for _, qos in packet.filters)
        for (name, _), granted in zip(packet.filters, codes, strict=True):
            session.filters[name] = granted
        self._broker.sessions.save(self.client_id, session)
        self._answer(writer.suback(packet.packet_id, codes), [name for name, _ in packet.filters])

    def _unsubscribe(self, packet: Unsubscribe, session: Session) -> None:
        for name in packet.filters:
            session.filters.pop(name, None)
        self._broker.sessions.save(self.client_id, session)
        self._answer(writer.acknowledge(packets.UNSUBACK, packet.packet_id), [])

    def _answer(self, packet: bytes, subscribed: list[str]) -> None:
        """Answer once the session is on disk: a client never repeats what was acknowledged."""

        def done(error: Exception | None) -> None:
            if error is not None:
                self.close("its session could not be stored")
                return
            self._send(packet)
            self._broker.resubscribed(self, subscribed)

        self._broker.commits.open(done)

    def _send(self, data: bytes) -> None:
        if not self._out:
            self._broker.flush_soon(self)
        self._out.append(data)


def _ignore(_error: Exception | None) -> None:
    """Nobody waits for a message of QoS 0."""
