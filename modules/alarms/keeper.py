"""What must not be forgotten goes to disk in a thread of its own: the event loop moves relays and waits for no disk.

One transaction at a time; what comes meanwhile goes into the next. A disk may take 50 ms over a commit (an SD card, a
neighbour that writes), and the way of an alert to its relay is to be shorter than that.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from modules.alarms.condition import Condition, Key
from modules.alarms.notice import Notice
from modules.alarms.store import Batch, Queued, Store

log = logging.getLogger(__name__)


class Keeper:
    """Keeps what it is told. `handed` gets the notices once they are on disk; without a number where they cannot be."""

    def __init__(self, store: Store, handed: Callable[[Sequence[Queued]], None]) -> None:
        self.trouble = ""
        """Why the disk does not take what must be kept."""
        self._store, self._handed = store, handed
        self._batch = Batch()
        self._owed: dict[str, Key] = {}
        """Alerts that were taken and are not written down."""
        self._turn = asyncio.Lock()
        self._spent = asyncio.Event()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="alarms-disk")

    def find(self, alert_id: str) -> Key | None:
        """The condition of an alert that was taken; None for one that was not."""
        return self._owed.get(alert_id) or self._store.taken(alert_id)

    def take(self, alert_id: str, key: Key) -> None:
        """An alert was taken."""
        self._owed[alert_id] = self._batch.taken[alert_id] = key

    def note(self, key: Key, condition: Condition | None) -> None:
        """How a condition is now; None: it is over."""
        self._batch.conditions[key] = None if condition is None else condition.encode()

    def queue(self, output: str, notice: Notice, at: float) -> None:
        """A notice is to be sent."""
        self._batch.notices.append(Queued(0, output, at, notice))

    def drop(self, number: int) -> None:
        """A notice was sent, or given up; that is written down by and by."""
        self._batch.spent.append(number)
        self._spent.set()

    async def keep(self) -> None:
        """Return when everything is on disk that was told. Raises sqlite3.Error; it is tried again the next time."""
        async with self._turn:
            batch, self._batch = self._batch, Batch()
            if not batch:
                return
            queued: Sequence[Queued] = batch.notices
            try:
                queued = await asyncio.get_running_loop().run_in_executor(self._disk, self._store.write, batch)
            except sqlite3.Error as error:
                if not self.trouble:
                    log.error("alarms cannot be kept over a restart: %s; they sound all the same", error)  # noqa: TRY400 - no bug here
                self.trouble = str(error)
                self._batch = batch.without_notices() | self._batch
                raise
            else:
                self.trouble = ""
                for alert_id in batch.taken:
                    del self._owed[alert_id]
            finally:
                self._handed(queued)

    async def settle(self) -> None:
        """As `keep`; what cannot be kept now is kept with the next change, as health says."""
        try:
            await self.keep()
        except sqlite3.Error as error:
            log.debug("not kept: %s", error)

    async def stay(self) -> None:
        """Write down what was sent, for ever."""
        while True:
            await self._spent.wait()
            self._spent.clear()
            await self.settle()

    async def stop(self) -> None:
        """Keep what can be, and close the file."""
        await self.settle()
        await asyncio.to_thread(self._disk.shutdown)
        self._store.close()
