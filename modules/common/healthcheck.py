"""The image's HEALTHCHECK: exit 0 when the module's view answers `/healthz`, else 1.

Run by its path with `python3 -IS`, so it imports nothing of ours and starts in some 15 ms: it runs once a minute.
"""

import os
import socket
import sys

PORT = "MILLWATCH_VIEW_PORT"
SECONDS = 4.0


def healthy(port: int) -> bool:
    """Whether the module's event loop answers on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(16).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not healthy(int(os.environ.get(PORT, "9600"))))
