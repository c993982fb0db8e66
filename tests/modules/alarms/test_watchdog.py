"""A watchdog moves while the gateway is well, and drops when it is not."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.alarms.settings import AlarmsSettings, Watchdog
from modules.alarms.watchdog import HIGHEST, Heart, next_level
from tests.modules.alarms.conftest import Live, Output, until


@given(mode=st.sampled_from(["toggle", "hold", "count"]), level=st.integers(0, HIGHEST))
def test_who_is_well_moves_and_who_is_not_shows_nothing(mode: str, level: int) -> None:
    assert next_level(mode, level, well=False) == 0
    after = next_level(mode, level, well=True)
    assert 0 <= after <= HIGHEST
    if mode == "hold":
        assert after == 1
    else:
        assert after != level
    if mode == "count":
        assert after >= 1


def test_it_beats_while_it_is_well_and_drops_when_not(live: Live) -> None:
    class Gateway:
        connected = True
        kept = True

    async def part(output: Output) -> None:
        running = output({"type": "gpio", "pin": 20, "pins": "mock"})
        carrier: Any = running.carrier
        seen: list[int] = []
        show = carrier.show

        def note(level: int) -> None:
            seen.append(level)
            show(level)

        carrier.show = note
        gateway = Gateway()
        wanted = Watchdog(mode="toggle", every_s=0.05, grace_s=0.3)
        heart = Heart(wanted, carrier, lambda: gateway.connected, lambda: gateway.kept)
        await until(lambda: len(seen) >= 6)
        assert all(one != other for one, other in pairwise(seen))
        gateway.kept = False
        await until(lambda: seen[-3:] == [0, 0, 0])
        gateway.kept = True
        await until(lambda: 1 in seen[-2:])
        gateway.connected = False
        assert heart.well  # a token that is renewed is no outage
        await until(lambda: not heart.well and seen[-3:] == [0, 0, 0])
        gateway.connected = True
        await until(lambda: 1 in seen[-2:])
        await heart.stop()
        assert carrier.facts()["shown"] == 0

    live(part)


PIN = {"type": "gpio", "pin": 1}
TOPIC = {"type": "mqtt-switch", "host": "h", "topic": "t"}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"outputs": {"dog": TOPIC}, "watchdogs": {"dog": {"mode": "hold"}}}, "needs a will"),
        ({"outputs": {"dog": PIN}, "watchdogs": {"dog": {"mode": "count"}}}, "cannot show a number"),
        ({"outputs": {}, "watchdogs": {"dog": {}}}, "no switch of that name"),
        ({"outputs": {"dog": PIN}, "watchdogs": {"dog": {}}, "rules": {"r": {"outputs": ["dog"]}}}, "is a watchdog's"),
        ({"rules": {"r": {"outputs": ["horn"]}}}, "no output horn"),
        ({"zone": "Europe/Nowhere"}, "no time zone"),
        ({"outputs": {"horn": {"type": "smoke"}}}, "type must be one of gpio"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        AlarmsSettings.model_validate(settings)


def test_watchdogs_that_make_sense_are_taken() -> None:
    AlarmsSettings.model_validate(
        {
            "outputs": {
                "pin": PIN,
                "topic": TOPIC | {"will": "GONE"},
                "register": {"type": "modbus-tcp", "host": "h", "address": "holding/9"},
            },
            "watchdogs": {"pin": {}, "topic": {"mode": "hold"}, "register": {"mode": "count"}},
        }
    )
