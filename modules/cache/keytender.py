"""Looking after the data keys while the cache runs: dropping those that nothing needs, and wrapping them anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from modules.cache.drain import Drain
from modules.cache.store import Store, StoreError
from modules.cache.store.house import House
from modules.cache.store.keyfile import Changed
from modules.cache.workload import WorkloadRefusedError, WorkloadUnreachableError
from modules.cache.writer import StoreReplacedError, Writer

log = logging.getLogger(__name__)

_LOOK_S = 60.0  # between two looks whether an old data key is still needed ...
_CHECK_EVERY = 60  # ... of which each so many asks whether the key store still opens them


class KeyTender:
    """Run `run` once the store is open; `open_parts` gives its writer."""

    def __init__(self, house: House, open_parts: Callable[[], tuple[Writer, Drain]]) -> None:
        self._house = house
        self._open_parts = open_parts

    async def run(self) -> None:
        """For ever."""
        looks = 0
        while True:
            await asyncio.sleep(_LOOK_S)
            looks += 1
            try:
                await self._drop_old()
                if looks % _CHECK_EVERY == 0:
                    await self._take(await asyncio.to_thread(self._house.keys.check))
            except (StoreError, StoreReplacedError, WorkloadUnreachableError, WorkloadRefusedError, OSError) as error:
                log.warning("the keys cannot be looked after now: %s", error)

    async def _drop_old(self) -> None:
        writer, _ = self._open_parts()
        if len(self._house.keys.keys) > 1:
            oldest = await writer.ask(Store.oldest_key)
            await self._take(await asyncio.to_thread(self._house.keys.retire, oldest))

    async def _take(self, changed: Changed | None) -> None:
        if changed is not None:
            writer, _ = self._open_parts()
            await writer.ask(partial(Store.rekey, keys=changed.keys, copy=changed.copy))
