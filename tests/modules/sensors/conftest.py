"""A source as the module runs it, with what it hands over."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from modules.common.messages import Reading
from modules.sensors.intake import Block
from modules.sensors.sources import KINDS
from modules.sensors.watch import Watch
from tests.waiting import holds

WITHIN_S = 60.0


class Running:
    """A watch, and what came of it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        wanted = KINDS.settings_of(settings["type"]).model_validate({"retry_s": 0.3} | settings)
        self.readings: list[Reading] = []
        self.blocks: list[Block] = []
        self.states: list[str] = []
        self.room = True
        self.watch = Watch("it", wanted, wanted.points, ready=lambda: None, changed=self._note, room=lambda: self.room)
        self._since = self.watch.state.since
        self.watch.start()

    def _note(self) -> None:
        """What changed may be a trouble of a part, too, which is none of the source."""
        if self.watch.state.since != self._since:
            self._since = self.watch.state.since
            self.states.append(self.watch.state.phase)

    def flush(self) -> None:
        readings, blocks = self.watch.intake.flush(time.monotonic())
        self.readings += readings
        self.blocks += blocks

    async def until(self, condition: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    self.flush()
                    if holds(condition):
                        return
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"not within {WITHIN_S} s: {self.watch.facts()}, {self.readings[-5:]}") from None

    async def value(self, name: str, value: float) -> Reading:
        """Wait until a new reading of `name` says `value`."""
        self.readings.clear()
        found: list[Reading] = []

        def there() -> bool:
            found[:] = [each for each in self.readings if (each.name, each.value) == (name, value)]
            return bool(found)

        await self.until(there)
        return found[0]

    async def heard(self, name: str, value: float, say: Callable[[], None]) -> Reading:
        """The same of what is said again each second until then: what is said while nobody listens is lost."""

        async def again() -> None:
            while True:
                await asyncio.to_thread(say)
                await asyncio.sleep(1)

        saying = asyncio.create_task(again())
        try:
            return await self.value(name, value)
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def phase(self, phase: str) -> None:
        await self.until(lambda: self.watch.state.phase == phase)

    @property
    def outages(self) -> int:
        """How often it died; each outage was told once, and so was each recovery.

        A machine that stands still for longer than a source may be silent makes outages of its own.
        """
        assert {*self.states[::2]} == {"ok"} and {*self.states[1::2]} <= {"dead"}, self.states
        return len(self.states) // 2

    @property
    def dropped(self) -> dict[str, int]:
        return dict(self.watch.intake.dropped)


Source = Callable[[dict[str, Any]], Running]
Live = Callable[[Callable[[Source], Awaitable[None]]], None]


@pytest.fixture
def live() -> Live:
    """Run a test's part in the modules' event loop; sources that it makes are stopped after it."""

    def run(part: Callable[[Source], Awaitable[None]]) -> None:
        async def whole() -> None:
            made: list[Running] = []

            def source(settings: dict[str, Any]) -> Running:
                made.append(Running(settings))
                return made[-1]

            try:
                await part(source)
            finally:
                await asyncio.gather(*(each.watch.stop() for each in made))

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())

    return run
