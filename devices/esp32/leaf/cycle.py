"""What the leaf does each time it is awake: measure, keep, and send what is whole. One cycle, with or without sleep."""

from array import array

from .backlog import Backlog
from .link import Link, LinkError, backoff_ms
from .measure import measure
from .settings import Settings

_TIME_AGAIN_S = 600  # after an NTP server gave no answer, while the clock is known


class Leaf:
    """The program. ``board`` is the hardware, as `board.Board` has it and the tests' own."""

    def __init__(self, board: object, settings: Settings) -> None:
        """Make every buffer there will be."""
        self._board, self._settings = board, settings
        self.backlog = Backlog(board.recall())
        self._samples = array("h", bytes(6 * settings.samples))
        self._link = Link(settings, board.clock, board.time, board.socket, board.ssl)

    def cycle(self) -> int:
        """Measure and send; milliseconds until the next cycle is due."""
        began = self._board.time.ticks_ms()
        known = self._board.clock.known() or self._sync()
        if known:
            self._measure()
        if known and self.backlog.oldest() is not None and not self.backlog.wait_ms:
            self._deliver()
        took = self._board.time.ticks_diff(self._board.time.ticks_ms(), began)
        pause = max(0, self._settings.every_s * 1000 - took)
        if not known:
            pause = self.backlog.wait_ms
        self.backlog.wait_ms = max(0, self.backlog.wait_ms - pause - took)
        self._board.remember(self.backlog.packed())
        return pause

    def keep(self) -> int:
        """While awake between cycles: keep the connection; milliseconds until this is due again."""
        try:
            return self._link.keep()
        except LinkError as error:
            print("connection lost:", error)
            return self._settings.keepalive_s * 500

    def close(self) -> None:
        """Before a sleep."""
        self._link.close()

    def _measure(self) -> None:
        """One reading into the backlog. A sensor that fails costs the reading, not the leaf."""
        try:
            part = self._board.accelerometer()
            part.burst(self._samples)
            values = measure(self._samples, part.rate_hz, part.scale)
        except OSError as error:
            print("no reading:", error)
            return
        now = self._board.clock.now_ms()
        self.backlog.add(now, values, self._settings.batch, self._board.random(10))
        self._board.remember(self.backlog.packed())

    def _deliver(self) -> None:
        """Send the sealed batches, oldest first; each is forgotten when the hub has acknowledged it, not before."""
        try:
            self._board.online()
            self._resync()
            while True:
                found = self.backlog.oldest()
                if found is None:
                    break
                self.backlog.trying()
                self._board.remember(self.backlog.packed())
                self._link.send(found)
                self.backlog.forget()
                self._board.remember(self.backlog.packed())
            self.backlog.failures = 0
        except (OSError, LinkError) as error:
            self._failed("not sent", error)

    def _sync(self) -> bool:
        """Set a clock that was never set; without it there is no id, no token and no trust in a certificate."""
        if self.backlog.wait_ms:
            return False
        try:
            self._board.online()
            self._ask_time()
        except OSError as error:
            self._failed("no time", error)
            return False
        self.backlog.failures = 0
        return True

    def _resync(self) -> None:
        """Set the clock again where it may have drifted; the time it has is better than none."""
        now_s, due_s = self._board.clock.now_ms() // 1000, self._settings.resync_s
        if 0 <= now_s - self.backlog.synced_s < due_s:
            return
        try:
            self._ask_time()
        except OSError as error:
            print("clock not set again:", error)
            self.backlog.synced_s = now_s - due_s + min(due_s, _TIME_AGAIN_S)

    def _ask_time(self) -> None:
        settings, board = self._settings, self._board
        board.clock.sync(settings.ntp, settings.ntp_port, board.random(8), board.socket)
        self.backlog.synced_s = board.clock.now_ms() // 1000

    def _failed(self, what: str, error: Exception) -> None:
        self.backlog.failures = min(self.backlog.failures + 1, 0xFFFF)
        self.backlog.wait_ms = backoff_ms(self.backlog.failures, self._board.random(1)[0])
        print("%s, tried again in %d s: %s" % (what, self.backlog.wait_ms // 1000, error))
