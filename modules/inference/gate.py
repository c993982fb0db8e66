"""Many go through, or one changes what they go through: a model is exchanged between two messages, never within one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Use from one event loop. Whoever wants to be alone waits for those within; later ones wait behind it."""

    def __init__(self) -> None:
        self._within = 0
        self._changed = asyncio.Condition()
        self._closed = False

    @asynccontextmanager
    async def through(self) -> AsyncIterator[None]:
        """Be one of many."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._closed)
            self._within += 1
        try:
            yield
        finally:
            self._within -= 1
            async with self._changed:
                self._changed.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be the only one."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._closed)
            self._closed = True
            try:
                await self._changed.wait_for(lambda: self._within == 0)
            except BaseException:
                self._closed = False
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            self._closed = False
            async with self._changed:
                self._changed.notify_all()
