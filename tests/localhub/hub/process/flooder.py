"""`python -m tests.localhub.hub.process.flooder ADDRESS CA LOGIN-HEX KIND`: one client that sends all it can.

It says "flooding" once it is let in, and goes on until it is killed. KIND: `stored` and `large` keep sixteen messages
unacknowledged, as paho may; `unrouted` sends at QoS 0 what no route takes; `pings` asks and never reads an answer.
"""

from __future__ import annotations

import socket
import ssl
import sys

from localhub.wire import writer

TOPIC = b"devices/gw1/modules/alpha/messages/events/%24.on=x"
NOWHERE = b"devices/gw1/leaf/messages/events/"
CONNACK_BYTES = 4


def main(address: str, ca: str, login: str, kind: str) -> None:
    """Flood."""
    context = ssl.create_default_context(cafile=ca)
    with context.wrap_socket(socket.create_connection((address, 8883)), server_hostname=address) as tls:
        tls.sendall(bytes.fromhex(login))
        assert tls.recv(CONNACK_BYTES)[3] == 0
        sys.stdout.write("flooding\n")
        sys.stdout.flush()
        if kind in {"stored", "large"}:
            body = bytes(200_000 if kind == "large" else 200)
            acknowledged(tls, [writer.publish(TOPIC, body, 1, number) for number in range(1, 17)])
        packet = writer.PINGREQ if kind == "pings" else writer.publish(NOWHERE, b"x")
        while True:
            tls.sendall(packet * 500)


def acknowledged(tls: ssl.SSLSocket, packets: list[bytes]) -> None:
    """Send packets again and again, as many at a time as were acknowledged."""
    free = len(packets)
    while True:
        tls.sendall(b"".join(packets[:free]))
        free = len(tls.recv(64)) // CONNACK_BYTES


if __name__ == "__main__":
    main(*sys.argv[1:])
