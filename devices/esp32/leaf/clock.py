"""Unix time in milliseconds, on ports whose own clock begins in 1970 or in 2000, and only once it is known."""

import struct

_1970_TO_2000 = 946_684_800
# Before this program was written: a clock that says so was never set.
_NOT_BEFORE_MS = 1_767_225_600_000  # 2026-01-01
# RFC 5905, 6: NTP counts from 1900; era 1 begins in February 2036, so small numbers belong to it.
_1900_TO_1970 = 2_208_988_800
_ERA = 1 << 32
_MODE_SERVER = 4
_UNSYNCHRONISED = 3
_ANSWER_S = 3


class Clock:
    """``time`` is the port's module or one like it; ``set_rtc`` sets the port's clock to Unix milliseconds."""

    def __init__(self, time: object, set_rtc: object) -> None:
        """Find the port's epoch."""
        self._time = time
        self._set = set_rtc
        self._epoch_ms = 1000 * _1970_TO_2000 if time.gmtime(0)[0] == 2000 else 0

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the port has them, known or not."""
        return self._time.time_ns() // 1_000_000 + self._epoch_ms

    def known(self) -> bool:
        """Whether the clock was ever set: a token, an id and a certificate's dates need it."""
        return self.now_ms() >= _NOT_BEFORE_MS

    def sync(self, host: str, port: int, random: bytes, socket: object) -> None:
        """Ask an NTP server and set the clock; OSError when no usable answer came. ``random``: 8 bytes."""
        asked = bytearray(48)
        asked[0] = 0x23  # version 4, client
        asked[40:48] = random  # what the answer must repeat: nobody who did not see the question can answer
        address = socket.getaddrinfo(host, port)[0][-1]
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            link.settimeout(_ANSWER_S)
            before = self._time.ticks_ms()
            link.sendto(asked, address)
            answer = link.recv(48)
            took = self._time.ticks_diff(self._time.ticks_ms(), before)
        finally:
            link.close()
        self._set(unix_ms(answer, random) + took // 2)


def unix_ms(answer: bytes, asked: bytes) -> int:
    """Milliseconds since 1970 in an NTP server's answer (RFC 5905, 7.3); OSError for one that is not to be believed."""
    if len(answer) < 48 or answer[0] & 7 != _MODE_SERVER or answer[24:32] != asked:
        raise OSError("no answer of an NTP server to this question")
    if answer[0] >> 6 == _UNSYNCHRONISED or not 0 < answer[1] < 16:
        raise OSError("the NTP server does not know the time itself")
    seconds, part = struct.unpack(">II", answer[40:48])
    if seconds < _ERA // 2:
        seconds += _ERA
    return (seconds - _1900_TO_1970) * 1000 + part * 1000 // _ERA
