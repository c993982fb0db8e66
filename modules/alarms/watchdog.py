"""A watchdog: it moves while the gateway is well, and drops when that ends or when nobody is left to move it."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from modules.alarms.carrier import SwitchCarrier
from modules.alarms.settings import Watchdog

HIGHEST: Final = 65_535
_DROP_S: Final = 1.0


def next_level(mode: str, level: int, *, well: bool) -> int:
    """What to show after `level`; 0 while the gateway is not well. Pure."""
    if not well:
        return 0
    if mode == "toggle":
        return 0 if level else 1
    return level % HIGHEST + 1 if mode == "count" else 1


class Heart:
    """Moves one switch. `well` says whether alerts can reach this module and be kept."""

    def __init__(
        self, wanted: Watchdog, carrier: SwitchCarrier, connected: Callable[[], bool], kept: Callable[[], bool]
    ) -> None:
        self.wanted: Final = wanted
        self._carrier = carrier
        self._connected, self._kept = connected, kept
        self._seen = time.monotonic()
        self._task = asyncio.create_task(self._beat(), name=f"watchdog {carrier.name}")

    @property
    def well(self) -> bool:
        """Whether the gateway is: edgeHub is there, or was within the grace, and the disk takes what must be kept."""
        now = time.monotonic()
        if self._connected():
            self._seen = now
        return self._kept() and now - self._seen <= self.wanted.grace_s

    async def stop(self) -> None:
        """Drop, as this module's end is no less a reason than its death."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._carrier.show(0)
        try:
            async with asyncio.timeout(_DROP_S):
                await self._carrier.shown()
        except TimeoutError:
            return  # a far end that does not answer has dropped by itself, or notices that nothing moves

    async def _beat(self) -> None:
        due = time.monotonic()
        while True:
            self._carrier.show(next_level(self.wanted.mode, self._carrier.level, well=self.well))
            due = max(due + self.wanted.every_s, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
