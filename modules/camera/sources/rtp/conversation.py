"""What is said to an RTSP server (RFC 2326) until it plays, while it plays and at the end; pure.

`Conversation.begin` is a generator: it yields what is to be sent and is given each reply. Nothing here has the password
in a text that is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from modules.camera.sources.rtp.challenge import Challenge
from modules.camera.sources.rtp.interleaved import Message
from modules.camera.sources.rtp.sdp import NotOurs, Track, video

USUAL_TIMEOUT_S: Final = 60
_UNKNOWN, _NO_ENTRY = 404, 401

Talk = Generator[bytes, Message, "Playing"]


class Refused(Exception):
    """The server says no. The text is for a person."""


@dataclass(frozen=True, slots=True)
class Playing:
    """What plays, on which channel, and how often the server wants to hear of us at least (seconds)."""

    track: Track
    channel: int
    timeout_s: float


class Conversation:
    """One connection's. ``address`` may hold user and password; ``nonce`` gives a fresh text for each request."""

    def __init__(self, address: str, nonce: Callable[[], str]) -> None:
        parts = urlsplit(address)
        self.url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._challenge = Challenge(unquote(parts.username or ""), unquote(parts.password or ""))
        self._nonce = nonce
        self._turn = 0
        self._session = ""
        self._whole = self.url
        self._life = "OPTIONS"

    def begin(self) -> Talk:
        """Ask for the video and have it played. Raises Refused, or NotOurs where FFmpeg may know better."""
        options = yield from self._asked("OPTIONS", self.url)
        if "GET_PARAMETER" in options.headers.get("public", ""):
            self._life = "GET_PARAMETER"
        described = yield from self._asked("DESCRIBE", self.url, "Accept: application/sdp")
        base = described.headers.get("content-base") or self.url
        track = video(described.body.decode("utf-8", "replace"), base)
        self._whole = track.whole
        setup = yield from self._asked("SETUP", track.control, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        session, *more = (each.strip() for each in setup.headers.get("session", "").split(";"))
        if not session:
            raise NotOurs("a session without a name")
        self._session = session
        channel = _channel(setup.headers.get("transport", ""))
        yield from self._asked("PLAY", track.whole, "Range: npt=0.000-")
        return Playing(track, channel, _timeout(more))

    def alive(self) -> bytes:
        """The request that keeps the session: the server forgets one that it does not hear of."""
        return self._request(self._life, self._whole)

    def heard(self, message: Message) -> bytes | None:
        """Take in what the server says while it plays; what is to be answered, if anything."""
        if message.status == _NO_ENTRY and self._challenge.learn(message.headers.get("www-authenticate", "")):
            return self.alive()  # what it asked us with before is out of date
        return None

    def end(self) -> bytes:
        """The last request."""
        return self._request("TEARDOWN", self._whole)

    def _asked(self, method: str, uri: str, *headers: str) -> Generator[bytes, Message, Message]:
        reply = yield from self._replied(self._request(method, uri, *headers))
        if reply.status == _NO_ENTRY and self._challenge.learn(reply.headers.get("www-authenticate", "")):
            reply = yield from self._replied(self._request(method, uri, *headers))
        if reply.status == _NO_ENTRY:
            raise Refused("user and password are asked for, or wrong")
        if reply.status == _UNKNOWN:
            raise Refused("there is no such stream")
        if reply.status != 200:
            raise NotOurs(f"{method} is answered with {reply.start!r}")
        return reply

    def _replied(self, request: bytes) -> Generator[bytes, Message, Message]:
        """Send and take the next reply; what the server asks of its own accord is passed over."""
        message = yield request
        while message.status is None:
            message = yield b""
        return message

    def _request(self, method: str, uri: str, *headers: str) -> bytes:
        self._turn += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._turn}", "User-Agent: millwatch", *headers]
        if self._session:
            lines.append(f"Session: {self._session}")
        login = self._challenge.header(method, uri, self._nonce())
        if login is not None:
            lines.append(f"Authorization: {login}")
        return "\r\n".join([*lines, "", ""]).encode()


def _channel(transport: str) -> int:
    """The channel that the server gives us for the packets."""
    told = dict(each.strip().partition("=")[::2] for each in transport.split(";"))
    first = told.get("interleaved", "0").partition("-")[0]
    if "TCP" not in transport.upper() or not first.isdecimal() or int(first) > 255:
        raise NotOurs(f"a transport of {transport!r}")
    return int(first)


def _timeout(more: list[str]) -> float:
    for each in more:
        name, _, value = each.partition("=")
        if name.strip().lower() == "timeout" and value.strip().isdecimal():
            return max(float(value), 2.0)
    return USUAL_TIMEOUT_S
