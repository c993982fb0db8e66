"""An output as the module runs it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from modules.alarms.carrier import Carrier, MessengerCarrier, SwitchCarrier
from modules.alarms.notice import Notice
from modules.alarms.outputs import KINDS
from modules.alarms.outputs.base import MessengerSettings, SwitchSettings
from modules.alarms.store import Queued
from modules.common.messages import new_id
from tests.waiting import holds

WITHIN_S = 60.0
QUICK = {"retry_s": 0.3, "look_s": 0.2, "patience_s": 30.0}


def notice(number: int = 0, **more: Any) -> Notice:
    """A notice of an alarm that began."""
    facts = {
        "id": new_id(),
        "event": "begun",
        "gateway": "gw1",
        "rule": "critical",
        "module": "vibration",
        "source": f"press{number}/bearing",
        "kind": "level",
        "severity": "critical",
        "text": "velocity 8.1 mm/s, limit 10 mm/s",
        "advice": "immediate shutdown required",
        "alert": new_id(),
        "since": "2026-01-02T03:04:05.678Z",
        "at": "2026-01-02T03:04:05.679Z",
    }
    return Notice(**facts | more)


def queued(number: int = 1, *, at: float | None = None, **more: Any) -> Queued:
    """A notice that waits, since now or `at`."""
    return Queued(number, "it", time.time() if at is None else at, notice(number, **more))


class Running:
    """A carrier, and what it told."""

    def __init__(self, settings: dict[str, Any]) -> None:
        wanted = KINDS.settings_of(settings["type"]).model_validate(QUICK | settings)
        self.gone: list[tuple[int, str]] = []
        self.carrier: Carrier
        if isinstance(wanted, SwitchSettings):
            self.carrier = SwitchCarrier("it", wanted, changed=lambda: None)
        else:
            assert isinstance(wanted, MessengerSettings)
            self.carrier = MessengerCarrier("it", wanted, changed=lambda: None, gone=self._gone)
        self.carrier.start()

    def _gone(self, each: Queued, reason: str) -> None:
        self.gone.append((each.number, reason))

    def show(self, level: int) -> None:
        assert isinstance(self.carrier, SwitchCarrier)
        self.carrier.show(level)

    def put(self, each: Queued) -> None:
        assert isinstance(self.carrier, MessengerCarrier)
        self.carrier.put(each)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition, lambda: f"{self.carrier.facts()}, {self.gone}")

    async def phase(self, phase: str) -> None:
        await self.until(lambda: self.carrier.state.phase == phase)

    async def shown(self, level: int) -> None:
        await self.until(lambda: self.carrier.facts()["shown"] == level)


async def until(condition: Callable[[], object], why: Callable[[], str] = str) -> None:
    """Wait for a condition."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not holds(condition):  # noqa: ASYNC110 - what is waited for is in the code under test
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S} s: {why()}") from None


Output = Callable[[dict[str, Any]], Running]
Live = Callable[[Callable[[Output], Awaitable[None]]], None]


@pytest.fixture
def live() -> Live:
    """Run a test's part in the modules' event loop; outputs that it makes are stopped after it."""

    def run(part: Callable[[Output], Awaitable[None]]) -> None:
        async def whole() -> None:
            made: list[Running] = []

            def output(settings: dict[str, Any]) -> Running:
                made.append(Running(settings))
                return made[-1]

            try:
                await part(output)
            finally:
                await asyncio.gather(*(each.carrier.stop() for each in made))

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())

    return run
