"""Carriers over outputs that a test plays: bounded, patient, and on their own."""

import asyncio
import sys
from types import ModuleType
from typing import Any, Literal

import pytest

from modules.alarms import outputs
from modules.alarms.notice import Notice
from modules.alarms.outputs.base import MessengerSettings, OutputError, SwitchSettings
from tests.modules.alarms.conftest import Live, Output, queued


class Hand:
    """What a test makes of the far ends."""

    def __init__(self) -> None:
        self.broken: str | Exception = ""
        self.hangs = False
        self.refused = False
        self.sent: list[Notice] = []
        self.levels: list[int] = []
        self.tries = 0
        self.closed = 0

    async def take(self) -> None:
        self.tries += 1
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.broken, Exception):
            raise self.broken
        if self.broken:
            raise OutputError(self.broken, refused=self.refused)


HANDS: dict[str, Hand] = {}


class PlayedMessenger(MessengerSettings):
    type: Literal["played"]
    hand: str = "it"

    def make(self) -> Any:
        return _Messenger(HANDS.setdefault(self.hand, Hand()))


class _Messenger:
    remark = ""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    async def send(self, notice: Notice) -> None:
        await self._hand.take()
        self._hand.sent.append(notice)

    async def check(self) -> bool:
        return False

    async def close(self) -> None:
        self._hand.closed += 1


class PlayedSwitch(SwitchSettings):
    type: Literal["played-switch"]
    hand: str = "it"

    def make(self) -> Any:
        return _Switch(HANDS.setdefault(self.hand, Hand()))


class _Switch:
    remark = ""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    async def show(self, level: int) -> None:
        await self._hand.take()
        self._hand.levels.append(level)

    async def check(self, level: int) -> None:
        if self._hand.levels[-1:] != [level]:
            raise OutputError("it shows something else")

    async def close(self) -> None:
        self._hand.closed += 1


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> dict[str, Hand]:
    """An output is added as it would be in the tree: a file, and a line in KINDS."""
    file = ModuleType("modules.alarms.outputs.played")
    file.Played, file.PlayedSwitch = PlayedMessenger, PlayedSwitch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setitem(outputs.KINDS.places, "played", "played.Played")
    monkeypatch.setitem(outputs.KINDS.places, "played-switch", "played.PlayedSwitch")
    HANDS.clear()
    HANDS["it"] = Hand()
    return HANDS


def test_notices_are_sent_in_order_each_once(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "played"})
        for number in range(1, 6):
            running.put(queued(number))
        await running.until(lambda: len(running.gone) == 5)
        assert [each.source for each in HANDS["it"].sent] == [f"press{number}/bearing" for number in range(1, 6)]
        assert running.carrier.pending == 0

    live(part)


def test_a_far_end_that_hangs_costs_its_patience_and_nobody_else(live: Live) -> None:
    async def part(output: Output) -> None:
        HANDS["hung"] = Hand()
        HANDS["hung"].hangs = True
        hung = output({"type": "played", "hand": "hung", "patience_s": 0.3})
        well = output({"type": "played-switch"})
        hung.put(queued(1))
        await hung.until(lambda: HANDS["hung"].tries)
        well.show(1)
        await well.shown(1)
        assert hung.carrier.pending == 1
        await hung.phase("failing")
        assert hung.carrier.state.why == "no answer within 0.3 s"
        HANDS["hung"].hangs = False
        await hung.until(lambda: hung.gone == [(1, "")])

    live(part)


def test_what_waits_is_bounded_and_the_oldest_is_dropped_and_counted(live: Live) -> None:
    async def part(output: Output) -> None:
        HANDS["it"].broken = "away"
        running = output({"type": "played", "most_waiting": 3})
        for number in range(1, 8):
            running.put(queued(number))
        assert running.carrier.pending == 3
        assert running.gone == [(number, "full") for number in range(1, 5)]
        assert running.carrier.facts()["dropped"] == {"full": 4}
        HANDS["it"].broken = ""
        await running.until(lambda: running.gone[4:] == [(5, ""), (6, ""), (7, "")])

    live(part)


def test_what_is_too_old_is_given_up(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "played", "give_up_s": 60})
        running.put(queued(1, at=0.0))
        running.put(queued(2))
        await running.until(lambda: running.gone == [(1, "too old"), (2, "")])

    live(part)


def test_a_refusal_is_tried_five_times_and_then_the_next_has_its_turn(live: Live) -> None:
    async def part(output: Output) -> None:
        HANDS["it"].broken, HANDS["it"].refused = "no", True
        running = output({"type": "played", "retry_s": 0.1})
        running.put(queued(1))
        running.put(queued(2))
        await running.until(lambda: running.gone == [(1, "refused")])
        assert 5 <= HANDS["it"].tries <= 6  # the next has its turn at once
        HANDS["it"].broken = ""
        await running.until(lambda: running.gone == [(1, "refused"), (2, "")])

    live(part)


def test_whatever_a_library_raises_costs_this_output_only(live: Live) -> None:
    async def part(output: Output) -> None:
        HANDS["it"].broken = ZeroDivisionError("library")
        running = output({"type": "played-switch"})
        running.show(1)
        await running.phase("failing")
        assert running.carrier.state.why == "ZeroDivisionError: library"
        assert HANDS["it"].closed >= 1
        HANDS["it"].broken = ""
        await running.shown(1)

    live(part)


def test_of_levels_the_newest_counts(live: Live) -> None:
    async def part(output: Output) -> None:
        HANDS["it"].broken = "away"
        running = output({"type": "played-switch"})
        await running.phase("failing")
        for level in (1, 0, 1, 0, 1):
            running.show(level)
        HANDS["it"].broken = ""
        await running.shown(1)
        assert HANDS["it"].levels == [1]

    live(part)


def test_a_level_that_the_far_end_lost_is_shown_again(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "played-switch"})
        running.show(1)
        await running.shown(1)
        HANDS["it"].levels.append(0)
        await running.until(lambda: HANDS["it"].levels[-1] == 1)
        assert running.carrier.state.failures == 1

    live(part)


def test_health_says_when_it_worked_last_and_what_went_wrong_last(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "played"})
        facts = running.carrier.facts()
        assert (facts["state"], facts["last_success"], facts["last_error"]) == ("untried", None, "")
        running.put(queued(1))
        await running.phase("ok")
        HANDS["it"].broken = "away"
        running.put(queued(2))
        await running.phase("failing")
        facts = running.carrier.facts()
        assert facts["last_success"] is not None
        assert (facts["last_error"], facts["pending"], facts["failures"]) == ("away", 1, 1)

    live(part)
