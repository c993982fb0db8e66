"""The pump of `--strict`: a message for a module that is away waits for its next try, as in edgeHub.

edgeHub takes a module that is absent, or has not subscribed to its inputs, for a passing error: it tries again after
1, 2, 4 ... 60 s (edgehub-contract 6.2). A module that comes back hears nothing until then, and what was to be tried
again is not asked for its time to live (6.3).
"""

from typing import Final

from localhub.hub.message import Entry
from localhub.hub.pump import ModulePump

PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)


class PatientPump(ModulePump):
    """Delivers to one module, once it is its turn."""

    _again: float | None = None  # when the next try is due; None: nothing has failed
    _tries = 0

    def check(self) -> None:
        """Look at the time: called every second or so."""
        super().check()
        if self._again is not None and self._time() >= self._again:
            self._again = None
            self._go_on()

    def _go_on(self) -> None:
        if self._again is not None:
            return
        if self._receiver is None or self._qos is None:
            if self._current is not None or any(queue.depth for each in self._endpoints for queue in each.queues):
                self._again = self._time() + PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
                self._tries += 1
            return
        super()._go_on()

    def _done(self) -> None:
        self._tries = 0
        super()._done()

    def _is_over(self, _entry: Entry) -> bool:
        return False
