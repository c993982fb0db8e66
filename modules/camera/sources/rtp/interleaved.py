"""What comes on an RTSP connection: messages, and packets between them (RFC 2326, 10.12); pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DOLLAR: Final = 0x24
LONGEST_LINE: Final = 1024
LONGEST_HEAD: Final = 16_384
LONGEST_BODY: Final = 65_536

_END = b"\r\n\r\n"


class NotRtsp(ValueError):
    """What came is no RTSP: there is no telling where the next packet would begin."""


@dataclass(frozen=True, slots=True)
class Message:
    """A reply, or a request of the server's. The names of ``headers`` are in lower case; of several the last counts.

    Challenges are the exception: of them all are kept, one a line.
    """

    start: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def status(self) -> int | None:
        """The reply's status; None of a request."""
        words = self.start.split(" ", 2)
        if not words[0].startswith("RTSP/") or len(words) < 2 or not words[1].isdecimal():
            return None
        return int(words[1])


class Interleaved:
    """Cuts the stream up however it was split into reads. What it keeps is bounded by one packet or one message."""

    def __init__(self) -> None:
        self._left = b""
        self._broken: NotRtsp | None = None

    @property
    def kept(self) -> int:
        """Bytes of what is not whole yet."""
        return len(self._left)

    def feed(self, came: bytes) -> list[tuple[int, bytes] | Message]:
        """Packets (channel, payload) and messages that are whole now, in order.

        Raises NotRtsp, after all that came before the fault has been returned, and then each time.
        """
        if self._broken is not None:
            raise self._broken
        found: list[tuple[int, bytes] | Message] = []
        data, at = self._go_on(came, found)
        size = len(data)
        try:
            while at < size:
                first = data[at]
                if first == DOLLAR:
                    if size - at < 4:
                        break
                    end = at + 4 + (data[at + 2] << 8 | data[at + 3])
                    if end > size:
                        break
                    found.append((data[at + 1], data[at + 4 : end]))
                    at = end
                elif first in b"\r\n":
                    at += 1
                else:
                    whole = _message(data, at)
                    if whole is None:
                        break
                    found.append(whole[0])
                    at = whole[1]
        except NotRtsp as error:
            self._broken, self._left = error, b""
            if not found:
                raise
            return found
        self._left = data[at:]
        return found

    def _go_on(self, came: bytes, found: list[tuple[int, bytes] | Message]) -> tuple[bytes, int]:
        """What is to be cut up and from where on. A packet cut in two is joined by itself: the rest is not copied."""
        left = self._left
        if len(left) < 4 or left[0] != DOLLAR:
            return (left + came if left else came), 0
        missing = 4 + (left[2] << 8 | left[3]) - len(left)
        if len(came) < missing:
            return left + came, 0
        found.append((left[1], left[4:] + came[:missing]))
        return came, missing


def _message(data: bytes, at: int) -> tuple[Message, int] | None:
    """The message that begins at ``at`` and where it ends; None while it is not whole."""
    line = data.find(b"\r\n", at, at + LONGEST_LINE)
    begun = data[at : at + LONGEST_LINE] if line < 0 else data[at:line]
    if not begun[:1].isalpha() or not begun.isascii():
        raise NotRtsp("neither a packet nor a message")
    if line < 0:
        if len(begun) == LONGEST_LINE:
            raise NotRtsp("a first line without end")
        return None
    if b"RTSP/" not in begun:
        raise NotRtsp("a first line that is not RTSP's")
    end = data.find(_END, line, at + LONGEST_HEAD)
    if end < 0:
        if len(data) - at >= LONGEST_HEAD:
            raise NotRtsp("a head without end")
        return None
    headers = _headers(data[line:end].decode("latin-1"))
    length = headers.get("content-length", "0")
    if not (length.isdecimal() and length.isascii()) or len(length) > 9 or int(length) > LONGEST_BODY:
        raise NotRtsp("a body of no sensible length")
    body = end + len(_END)
    if len(data) < body + int(length):
        return None
    return Message(begun.decode("ascii"), headers, data[body : body + int(length)]), body + int(length)


def _headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "www-authenticate" and name in headers:
            headers[name] += "\n" + value
        else:
            headers[name] = value
    return headers
