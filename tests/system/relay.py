"""A relay between a gateway and the server that counts what goes through it, encrypted as it is."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Relay:
    """Listens at `address` (host:port) and hands everything on to `to`; `sent` and `heard` are the client's bytes."""

    def __init__(self, host: str, to: str) -> None:
        name, _, port = to.rpartition(":")
        self._to = (name, int(port))
        self._listener = socket.create_server((host, 0))
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self.sent = self.heard = 0
        self._start(self._listen)

    def close(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        for thread in list(self._threads):
            thread.join(30)

    def _start(self, what: Callable[..., None], *facts: object) -> None:
        thread = threading.Thread(target=what, args=facts)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to, timeout=10)
            except OSError:  # the server is not up yet
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            self._start(self._pump, client, server, True)
            self._start(self._pump, server, client, False)

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
                with self._lock:
                    self.sent += len(data) if up else 0
                    self.heard += 0 if up else len(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
