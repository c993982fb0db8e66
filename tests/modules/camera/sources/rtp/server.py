"""A camera that speaks RTSP by a script: what it answers and what it sends is the test's to say."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

SDP = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"


def framed(packets: Iterable[bytes], channel: int = 0) -> bytes:
    """Packets as they stand on the connection."""
    return b"".join(b"$%c%b%b" % (channel, len(each).to_bytes(2, "big"), each) for each in packets)


class Camera:
    """Serves one connection after the other on a thread; ``requests`` are all that it was sent.

    ``answers`` replaces the answer to a method, ``play`` is called with the connection when the video is to play.
    """

    def __init__(
        self,
        play: Callable[[socket.socket], None] = lambda _: None,
        *,
        sdp: str = SDP,
        answers: dict[str, Callable[[str], str | None]] | None = None,
    ) -> None:
        self.requests: list[str] = []
        self.calls = 0
        self.play, self._sdp, self._answers = play, sdp, answers or {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.calls += 1
                connection.settimeout(20)
                with connection, suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        waiting = b""
        while came := connection.recv(4096):
            *whole, waiting = (waiting + came).split(b"\r\n\r\n")
            for each in whole:
                request = each.decode()
                self.requests.append(request)
                method = request.split()[0]
                answer = self._answers.get(method, self._answer)(request)
                if answer is not None:
                    connection.sendall(self.reply(request, answer))
                if method == "PLAY" and answer != "401 No":
                    self.play(connection)

    @staticmethod
    def reply(request: str, answer: str) -> bytes:
        """A reply; ``answer`` is its status and headers, and its body after an empty line."""
        turn = next(line for line in request.split("\r\n") if line.startswith("CSeq"))
        head, _, body = answer.partition("\r\n\r\n")
        return f"RTSP/1.0 {head}\r\n{turn}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def _answer(self, request: str) -> str:
        return {
            "OPTIONS": "200 OK\r\nPublic: DESCRIBE, SETUP, PLAY, GET_PARAMETER",
            "DESCRIBE": f"200 OK\r\nContent-Base: {self.url}/\r\n\r\n{self._sdp}",
            "SETUP": "200 OK\r\nSession: 7;timeout=4\r\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3",
        }.get(request.split(maxsplit=1)[0], "200 OK")
