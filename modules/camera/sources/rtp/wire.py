"""The connection to an RTSP server: its video, as it comes, or in bursts while the camera rests."""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from modules.camera.sources.rtp.conversation import Conversation, Playing
from modules.camera.sources.rtp.interleaved import Interleaved, Message
from modules.camera.sources.rtp.sdp import NotOurs, Track
from modules.camera.sources.rtp.units import Unit, Units

BURST_S: Final = 0.15  # a resting camera is read so often: below the time in which a swollen frame is looked at
BURST_BYTES: Final = 262_144  # and when so much has come
READ_BYTES: Final = 524_288
USUAL_PORT: Final = 554
MOST_EARLY: Final = 4096  # packets

Came = tuple[int, bytes] | Message


class Wire:
    """One connection whose video plays. All errors of the connection are OSErrors, silence is TimeoutError."""

    def __init__(self, address: str, timeout_s: float) -> None:
        """Connect and have the video played, all of it within ``timeout_s``.

        Raises Refused, NotRtsp, NotOurs (see there) and OSError.
        """
        self._timeout_s = timeout_s
        self._talk = Conversation(address, lambda: secrets.token_hex(8))
        self._cut = Interleaved()
        self._ready: deque[Unit] = deque()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._bursts = self._gathers = False
        until = time.monotonic() + timeout_s
        parts = urlsplit(address)
        if not parts.hostname:
            raise NotOurs("an address without a host")
        self._socket = socket.create_connection((parts.hostname, parts.port or USUAL_PORT), timeout_s)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            playing, early = self._begin(until)
            self._socket.setblocking(False)
        except BaseException:
            self._socket.close()
            raise
        self.track: Track = playing.track
        self._channel = playing.channel
        self._units = Units(self.track.codec, self.track.payload)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._seen = time.monotonic()
        self._alive_s = playing.timeout_s / 2
        self._spoke = self._seen
        self._use(early)

    def _begin(self, until: float) -> tuple[Playing, Sequence[Came]]:
        """Hold the conversation. Also what has come of the video meanwhile: it may overtake the last reply."""
        talk, early = self._talk.begin(), deque[Came](maxlen=MOST_EARLY)
        request = next(talk)
        while True:
            self._socket.sendall(request)
            replies: list[Message] = []
            while not replies:
                self._socket.settimeout(max(until - time.monotonic(), 0.01))
                came = self._received()
                if not came:
                    raise ConnectionResetError("it hangs up")
                for each in self._cut.feed(came):
                    if isinstance(each, Message):
                        replies.append(each)
                    else:
                        early.append(each)
                if time.monotonic() >= until:
                    raise TimeoutError
            try:
                for reply in replies:
                    request = talk.send(reply)
            except StopIteration as end:
                playing: Playing = end.value
                return playing, early

    def _received(self) -> bytes:
        """What has come; nothing at the end."""
        return bytes(self._buffer[: self._socket.recv_into(self._buffer)])

    def units(self) -> Iterator[Unit]:
        """The frames as they come, until the other side hangs up."""
        lives = True
        while lives or self._ready:
            while self._ready:
                yield self._ready.popleft()
            lives = self._read()

    def gather(self, *, bursts: bool) -> None:
        """Read in bursts from now on, or each frame as it comes. From any thread; a reader that waits goes on at once.

        The kernel gathers: it wakes us when enough has come, when no more fits, or when the other side hangs up.
        """
        self._bursts = bursts
        if not bursts:
            with suppress(OSError):  # closed meanwhile
                self._wake_at(1)

    def _wake_at(self, size: int) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    def _read(self) -> bool:
        """Take what has come, or what comes next; False where nothing more will."""
        now, bursts = time.monotonic(), self._bursts
        left = self._seen + self._timeout_s - now
        if left <= 0:
            raise TimeoutError
        if now - self._spoke >= self._alive_s:
            self._say(self._talk.alive(), now)
        if bursts != self._gathers:
            self._wake_at(BURST_BYTES if bursts else 1)
            self._gathers = bursts
        self._poll.poll(1000 * min(left, self._alive_s, BURST_S if bursts else left))
        with suppress(BlockingIOError):  # nothing has come
            came = self._received()
            self._use(self._cut.feed(came))
            return bool(came)
        return True

    def _use(self, came: Iterable[Came]) -> None:
        for each in came:
            if isinstance(each, Message):
                answer = self._talk.heard(each)
                if answer is not None:
                    self._say(answer, time.monotonic())
            elif each[0] == self._channel:
                self._ready += self._units.take(each[1])
        if self._ready:
            self._seen = time.monotonic()

    def _say(self, request: bytes, now: float) -> None:
        """Send one short request; a server whose buffer has no room for it has not read for very long."""
        self._spoke = now
        if self._socket.send(request) != len(request):
            raise ConnectionResetError("the other side takes no requests")

    def close(self) -> None:
        """Say good-bye and hang up."""
        with suppress(OSError):
            self._socket.send(self._talk.end())
        self._socket.close()
